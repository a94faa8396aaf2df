"""Where everything is caught that may be raised, and not raised again: found by reading the code."""

from __future__ import annotations

import ast
from collections.abc import Iterator

BORDERS = {
    "rag.jobs._run": "the end of a background thread: whatever it is must reach the screen as a sentence",
    "rag.reading.pdf.read": "the border to a parser that raises anything on a hostile page; the others may be good",
    "rag.models.llms._read": "it crosses to the thread that asked, which raises it",
    "ui.frame.boundary": "the one place where a page turns what nobody expected into a sentence with a reference",
    "ui.notebook.asking._run": "it crosses to the page's thread, which raises it",
}
"""The other places, each with its reason."""

_EVERYTHING = ("Exception", "BaseException")


def swallowing(tree: ast.Module) -> Iterator[str]:
    """Names of the functions that catch everything and do not raise."""
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef) and any(map(_swallows, ast.walk(function))):
            yield function.name


def _swallows(node: ast.AST) -> bool:
    if isinstance(node, ast.ExceptHandler):
        return _is_everything(node.type) and not any(isinstance(one, ast.Raise) for one in ast.walk(node))
    if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("suppress"):
        return any(map(_is_everything, node.args))
    return False


def _is_everything(caught: ast.expr | None) -> bool:
    if isinstance(caught, ast.Tuple):
        return any(map(_is_everything, caught.elts))
    return caught is None or ast.unparse(caught) in _EVERYTHING
