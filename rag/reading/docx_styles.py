"""What the styles and numberings of a Word document say about a paragraph: heading level and list bullet."""

from __future__ import annotations

import re
from xml.etree.ElementTree import Element

_HEADING = re.compile(r"heading (\d)")
_BODY_LEVEL = 9


def local(element: Element) -> str:
    """The name without its namespace: Word has two sets of those, and other programs mix them."""
    return element.tag.rpartition("}")[2]


def value(element: Element, name: str) -> str:
    """An attribute by its name without namespace, or ""."""
    for key, found in element.items():
        if key.rpartition("}")[2] == name:
            return found
    return ""


def child(element: Element | None, *path: str) -> Element | None:
    """The first descendant along a path of names."""
    for name in path:
        if element is None:
            return None
        element = next((one for one in element if local(one) == name), None)
    return element


class Styles:
    """Looks up headings and bullets; counts numbered lists as the paragraphs come, in order."""

    def __init__(self, styles: Element | None, numbering: Element | None) -> None:
        self._styles = {value(s, "styleId"): s for s in (styles if styles is not None else ()) if local(s) == "style"}
        self._formats = dict(_number_formats(numbering)) if numbering is not None else {}
        self._counts: dict[tuple[str, int], int] = {}

    def heading_level(self, paragraph: Element) -> int:
        """1 … 6 for a heading, 0 for anything else; the document's title counts as 1."""
        for properties in self._properties(paragraph):
            if (outline := child(properties, "outlineLvl")) is not None:
                level = _number(value(outline, "val"), _BODY_LEVEL)
                return min(level + 1, 6) if level < _BODY_LEVEL else 0
        style = child(paragraph, "pPr", "pStyle")
        identifier = value(style, "val") if style is not None else ""
        definition = self._styles.get(identifier)
        name_element = child(definition, "name")
        name = (value(name_element, "val") if name_element is not None else identifier).lower()
        if name == "title":
            return 1
        found = _HEADING.match(name) or re.match(r"heading(\d)", name)
        return min(max(int(found[1]), 1), 6) if found else 0

    def bullet(self, paragraph: Element) -> str:
        """`- `, `3. ` or "" in front of the paragraph, indented by its level."""
        numbering = level = None
        for properties in self._properties(paragraph):
            numbered = child(properties, "numPr")
            if numbered is not None:
                numbering = numbering if numbering is not None else child(numbered, "numId")
                level = level if level is not None else child(numbered, "ilvl")
        if numbering is None:
            return ""
        identifier = value(numbering, "val")
        depth = min(max(_number(value(level, "val"), 0), 0), 8) if level is not None else 0
        form = self._formats.get((identifier, depth), "bullet")
        if identifier == "0" or form == "none":
            return ""
        indent = "  " * depth
        if form == "bullet":
            return indent + "- "
        for key in [key for key in self._counts if key[0] == identifier and key[1] > depth]:
            del self._counts[key]
        count = self._counts.get((identifier, depth), 0) + 1
        self._counts[identifier, depth] = count
        return f"{indent}{count}. "

    def _properties(self, paragraph: Element) -> list[Element]:
        """The paragraph's own properties, then those of its style and of the styles that one is based on."""
        own = child(paragraph, "pPr")
        if own is None:
            return []
        chain = [own]
        style = child(own, "pStyle")
        seen: set[str] = set()
        while style is not None and (identifier := value(style, "val")) not in seen and identifier in self._styles:
            seen.add(identifier)
            definition = self._styles[identifier]
            if (properties := child(definition, "pPr")) is not None:
                chain.append(properties)
            style = child(definition, "basedOn")
        return chain


def _number_formats(numbering: Element) -> list[tuple[tuple[str, int], str]]:
    """((numbering id, depth), format) for every level that is defined."""
    abstract = {value(one, "abstractNumId"): one for one in numbering if local(one) == "abstractNum"}
    found = []
    for one in numbering:
        link = child(one, "abstractNumId")
        if local(one) != "num" or link is None:
            continue
        for level in abstract.get(value(link, "val"), ()):
            form = child(level, "numFmt")
            if local(level) == "lvl" and form is not None:
                found.append(((value(one, "numId"), _number(value(level, "ilvl"), 0)), value(form, "val")))
    return found


def _number(text: str, otherwise: int) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else otherwise
