"""Where the home is touched by its path instead of by names: found by reading the code."""

from __future__ import annotations

import ast

BY_PATH = ("rag.storage", "rag.tables", "rag.reading", "rag.moving.packing")
"""Who may: what is about paths, and the folder of an archive being packed, which is its user's."""

_PLACES = ("folder", "at", "table_folder", "cache_folder", "path")
"""What gives a path of the home, to hand on."""
_TOUCHING = (
    *("open", "read_bytes", "read_text", "write_bytes", "write_text", "iterdir", "glob", "rglob", "mkdir", "unlink"),
    *("rmdir", "joinpath", "touch"),
)


def joining(tree: ast.Module) -> list[int]:
    """Lines that ask objects for their root, join a path of the home to another, or open and list it."""
    return [node.lineno for node in ast.walk(tree) if isinstance(node, ast.expr) and _joins(node)]


def _joins(node: ast.expr) -> bool:
    if isinstance(node, ast.Attribute) and node.attr == "root":
        return ast.unparse(node.value).endswith(("objects", "staging", "home"))
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
        return _of_the_home(node.left)
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in _TOUCHING
        and _of_the_home(node.func.value)
    )


def _of_the_home(node: ast.expr) -> bool:
    named = node.func if isinstance(node, ast.Call) else node
    if not isinstance(named, ast.Attribute) or named.attr not in _PLACES:
        return False
    owner = ast.unparse(named.value).split(".")[-1]
    return owner.strip("_") in ("place", "files", "home", "originals", "staged", "copy", "stand")
