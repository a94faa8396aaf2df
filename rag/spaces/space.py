"""An embedding space: what decides which vectors are comparable."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from rag.fingerprint import fingerprint


@dataclass(frozen=True)
class Space:
    """An embedding space. `dimensions` is what the model returned, not what it was asked for; `variant` tells apart
    models that answer to one description with different canaries."""

    provider: str
    model: str
    revision: str
    dimensions: int
    query_prefix: str = ""
    text_prefix: str = ""
    normalise: bool = True
    newline_policy: str = "kept"
    long_text: str = "refused"
    variant: int = 0

    @property
    def fingerprint(self) -> str:
        """64 hex digits."""
        return fingerprint(asdict(self))

    def __str__(self) -> str:
        return f"{self.model} ({self.provider}, {self.dimensions} dimensions)"
