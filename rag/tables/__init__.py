"""The one wing that imports lancedb: tables of chunks and vectors, one version at a time."""
