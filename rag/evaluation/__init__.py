"""Questions with expected sources or answers, run against a snapshot and measured; two snapshots side by side.

Each name is imported where it is used: `measures`, `chance`, `question_set`, `trial`, `totals`, `comparison`, `job`,
`commands`.
"""
