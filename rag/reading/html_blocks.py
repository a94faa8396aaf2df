"""HTML tags → blocks of text, as they come: which tags break a line, which hide what is in them."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import NamedTuple

from rag.reading.grid import Table


def _tags(names: str) -> frozenset[str]:
    return frozenset(names.split())


_HIDING = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)

_DROPPED = _tags(
    "script style noscript template iframe svg object embed applet canvas audio video frameset select datalist"
)
_VOID = _tags("area base br col embed hr img input link meta param source track wbr")
# A start tag of the same name ends these, so they never nest in themselves.
_SELF_CLOSING = _tags("p li dt dd tr td th option h1 h2 h3 h4 h5 h6")
_HEADINGS = _tags("h1 h2 h3 h4 h5 h6")
_PARAGRAPHS = _tags(
    "p pre blockquote table ul ol dl dt section article aside header footer main nav figure form fieldset details hr "
    "address body"
)
_LINES = _tags("div li dd br tr caption figcaption summary legend option title head thead tbody tfoot")
_TABLE_DEPTH = 12


class Block(NamedTuple):
    """A piece of text after `gap` line ends; `level` 1 … 6 for a heading, 0 for anything else."""

    text: str
    gap: int
    level: int = 0


class PageParser(HTMLParser):
    """Turns tags into blocks as they come. No tree is built: 50,000 nested elements cost what 50,000 flat ones do."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.blocks: list[Block] = []
        self.title = ""
        self.left_out = False
        self._pieces: list[str] = []
        self._gap = 2
        self._heading = 0
        self._pre = 0
        self._prefix = ""
        self._lists: list[int | None] = []
        self._tables: list[Table] = []
        self._skipping = ""
        self._skip_depth = 0
        self._skips_text = False

    def finish(self) -> None:
        """End of input: flush what is open."""
        self.close()
        if self._pre:
            self._pre = 1
            self._end_pre()
        self._end_heading()
        self._flush()
        while self._tables:
            self._end_table()

    # --- events of the parser

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in _DROPPED:
            self.handle_starttag(tag, attrs)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self._skipping and not self._still_skipping(tag):
            return
        if tag in _DROPPED or _is_hidden(tag, dict(attrs)):
            if tag not in _VOID:
                self._skipping, self._skip_depth = tag, 1
                self._skips_text = tag not in _DROPPED
            return
        if self._heading and (tag in _PARAGRAPHS or tag in _HEADINGS):
            self._end_heading()  # its end tag was forgotten
        if tag in _HEADINGS:
            self._break(2)
            self._heading = int(tag[1])
            if self._tables:
                self._tables[-1].is_layout = True
        elif tag == "br" and self._pre:
            self._pieces.append("\n")
        elif tag in _PARAGRAPHS or tag in _LINES:
            self._break(_strength(tag, len(self._lists)))
            self._open(tag)
        elif tag in ("td", "th"):
            self._flush()
            if self._tables:
                self._tables[-1].start_cell()

    def handle_endtag(self, tag: str) -> None:
        if self._skipping:
            if tag == self._skipping:
                self._skip_depth -= 1
                if not self._skip_depth:
                    self._skipping = ""
            return
        if tag == "title":
            if not self.title:
                self.title = " ".join("".join(self._pieces).split())
            self._pieces.clear()
        elif tag in _HEADINGS:
            self._end_heading()
        elif tag == "pre":
            self._end_pre()
        elif tag in _PARAGRAPHS or tag in _LINES:
            self._break(_strength(tag, len(self._lists) - 1))
            self._close(tag)
        elif tag in ("td", "th"):
            self._flush()
            if self._tables:
                self._tables[-1].end_cell()

    def handle_data(self, data: str) -> None:
        if not self._skipping:
            self._pieces.append(data)
        elif self._skips_text and data.strip(" \n¶#"):
            self.left_out = True

    def parse_marked_section(self, i: int, report: bool = True) -> int:  # noqa: ARG002 - the signature of the parser
        """Skip `<![if IE]>` and its like as browsers do; the parser's own way is to raise on unknown ones."""
        return self.parse_bogus_comment(i)

    # --- what tags do

    def _still_skipping(self, tag: str) -> bool:
        """Inside a dropped element: True when this start tag ends the skipping and is to be looked at itself."""
        if tag != self._skipping:
            return False
        if tag in _SELF_CLOSING:
            self._skipping = ""
            return True
        self._skip_depth += 1
        return False

    def _open(self, tag: str) -> None:
        if tag == "pre":
            self._pre += 1
        elif tag in ("ul", "ol"):
            self._lists.append(0 if tag == "ol" else None)
        elif tag == "li":
            self._prefix = self._bullet()
        elif tag == "table":
            if self._tables:
                self._tables[-1].is_layout = True
            if len(self._tables) < _TABLE_DEPTH:
                self._tables.append(Table())
        elif tag == "tr" and self._tables:
            self._tables[-1].start_row()
        if tag == "pre" and self._tables:
            self._tables[-1].is_layout = True

    def _close(self, tag: str) -> None:
        if tag in ("ul", "ol"):
            if self._lists:
                self._lists.pop()
            self._prefix = ""
        elif tag == "li":
            self._prefix = ""
        elif tag == "table" and self._tables:
            self._end_table()

    def _bullet(self) -> str:
        indent = "  " * min(max(0, len(self._lists) - 1), 8)
        count = self._lists[-1] if self._lists else None
        if count is None:
            return indent + "- "
        self._lists[-1] = count + 1
        return f"{indent}{count + 1}. "

    def _break(self, gap: int) -> None:
        """A block ends here; inside a heading or preformatted text it is only a white space."""
        if self._heading or self._pre:
            self._pieces.append(" " if self._heading else "")
            return
        self._flush()
        self._gap = max(self._gap, gap)

    def _flush(self) -> None:
        text = "".join(self._pieces)
        self._pieces.clear()
        if text and not text.isspace():
            self._emit(Block(self._prefix + " ".join(text.split()), max(self._gap, 1)))
            self._prefix = ""

    def _end_pre(self) -> None:
        self._pre = max(0, self._pre - 1)
        if not self._pre:
            text = "".join(self._pieces)
            self._pieces.clear()
            if text and not text.isspace():
                self._emit(Block(text.rstrip().lstrip("\n"), 2))
            self._gap = 2

    def _end_heading(self) -> None:
        if not self._heading:
            self._flush()
            return
        text = " ".join("".join(self._pieces).split()).removesuffix("¶").rstrip()
        self._pieces.clear()
        if text:
            self._emit(Block(text, 2, self._heading))
        self._heading = 0
        self._gap = 2

    def _emit(self, block: Block) -> None:
        if self._tables and self._tables[-1].in_cell:
            self._tables[-1].add(block.text, block.gap, block.level)
        else:
            self.blocks.append(block)
        self._gap = 0

    def _end_table(self) -> None:
        table = self._tables.pop()
        if table.is_layout:
            for text, gap, level in table.pieces():
                self._emit(Block(text, gap, level))
        elif rows := table.rows():
            self._gap = 2
            self._emit(Block(rows, 2))
        self._gap = 2


def _strength(tag: str, depth: int) -> int:
    """Line ends around a block: 2 leave a blank line. `depth` is the number of lists the block lies in."""
    if tag not in _PARAGRAPHS or (depth > 0 and tag in ("p", "ul", "ol")):
        return 1
    return 2


def _is_hidden(tag: str, attributes: dict[str, str | None]) -> bool:
    """True for what the page hides, and for the paragraph signs that documentation tools hang on headings."""
    return tag not in ("body", "html") and (
        "hidden" in attributes
        or bool(_HIDING.search(attributes.get("style") or ""))
        or (tag == "a" and "headerlink" in (attributes.get("class") or ""))
    )
