"""The Library page: files in, tags, files out."""
