"""Whether what an answer claims is in the passages it cites, and where."""
