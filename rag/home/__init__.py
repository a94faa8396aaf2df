"""One notebook on the disk: what is wanted, what is published, what an opening finds."""
