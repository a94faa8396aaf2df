"""Bytes of a source to text with places, to pieces: in a separate process with limits, one module for each format."""
