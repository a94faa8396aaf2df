"""Where code goes by sentences for people instead of codes."""

from __future__ import annotations

import ast

SENTENCES = ("why", "reason", "sentence", "lost", "note", "problem", "failure")
"""Attributes and variables that hold sentences for people."""
SAVED_AND_FOREIGN = {
    "rag/old_sentences.py",  # what is saved
    *("rag/models/chat.py", "rag/tables/refusals.py"),  # errors of libraries, which have no codes
}
PARSING = ("startswith", "endswith", "split", "partition", "removeprefix", "removesuffix", "index", "find")
PROSE_LEFT = ("rag/evaluation/report.py: note.startswith('Searched by words only')",)
"""Decisions by sentences that are still there. The list only shrinks."""


def _is_sentence(node: ast.expr) -> bool:
    if isinstance(node, ast.Call) and ast.unparse(node.func) == "str":
        return ast.unparse(node.args[0]) in ("error", "exc", "failure", "problem")
    name = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
    return name in SENTENCES


def decided_by_sentences(tree: ast.AST) -> list[str]:
    """Places where a sentence is taken apart, searched, or compared with words."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            parsed = node.func.attr in PARSING and _is_sentence(node.func.value)
            matched = ast.unparse(node.func.value) == "re" and any(map(_is_sentence, node.args))
            if parsed or matched:
                found.append(ast.unparse(node))
        elif isinstance(node, ast.Compare):
            words = [one for one in (node.left, *node.comparators) if isinstance(one, ast.Constant) and one.value]
            if any(isinstance(one.value, str) for one in words) and any(
                map(_is_sentence, (node.left, *node.comparators))
            ):
                found.append(ast.unparse(node))
    return found
