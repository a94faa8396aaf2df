"""Whether what an answer claims is in the passages it cites: markers, claims, and their alignment. No model."""
