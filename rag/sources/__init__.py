"""What somebody gave: rows, names, folders, tags, restrictions."""
