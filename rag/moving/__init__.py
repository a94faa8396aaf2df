"""A notebook on the move: into one file and out of it, and from and to llama-index's own folders."""
