"""Questions with expected sources or answers, run against a snapshot and measured; two snapshots side by side."""
