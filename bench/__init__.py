"""Ragbook measured beside its peers, in one run on one machine; see README.md."""
