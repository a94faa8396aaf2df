"""From what is wanted to a new snapshot: plan, read, pay, write, publish."""
