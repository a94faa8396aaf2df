"""The terminal: one module for each group of commands."""
