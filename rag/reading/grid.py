"""A table on its way from cells to lines: one row per line, cells separated by " | "."""

from __future__ import annotations

from collections.abc import Iterator


class Table:
    """Collects the cells of one table; afterwards it is either rows of data, or layout whose cells are just blocks."""

    def __init__(self) -> None:
        self.is_layout = False
        """Set when a cell holds a heading, preformatted text or another table."""
        self.in_cell = False
        self._rows: list[list[list[tuple[str, int, int]]]] = []

    def start_row(self) -> None:
        """A new row; an open cell ends."""
        self.in_cell = False
        self._rows.append([])

    def start_cell(self) -> None:
        """A new cell; an open one ends."""
        if not self._rows:
            self._rows.append([])
        self._rows[-1].append([])
        self.in_cell = True

    def end_cell(self) -> None:
        """What follows up to the next cell is outside the table."""
        self.in_cell = False

    def add(self, text: str, gap: int = 1, level: int = 0) -> None:
        """A piece of text in the open cell: `gap` line ends before it, heading `level` or 0."""
        self._rows[-1][-1].append((text, gap, level))

    def pieces(self) -> Iterator[tuple[str, int, int]]:
        """(text, gap, level) of everything, in order; each cell starts a line."""
        for row in self._rows:
            for cell in row:
                yield from cell

    def rows(self) -> str:
        """The lines. Columns and rows that are empty throughout are left out, other empty cells keep their place."""
        grid = [[" ".join(" ".join(text.split()) for text, _, _ in cell) for cell in row] for row in self._rows]
        used = sorted({place for row in grid for place, cell in enumerate(row) if cell})
        lines = []
        for row in grid:
            cells = [row[place] if place < len(row) else "" for place in used]
            while cells and not cells[-1]:
                cells.pop()
            if cells:
                lines.append(" | ".join(cells))
        return "\n".join(lines)
