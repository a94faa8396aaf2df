"""What a process keeps between two calls, found by reading the code: module-level names that functions change, objects
of a class made here, events, and caches."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.layout import RAG, SCREENS, module_of

DOORS = {
    "rag.home.noticed._NOTICED": "rag.home.noticed.reset",
    "rag.jobs._JOBS": "rag.jobs.reset",
    "rag.models.addresses.SERVED": "rag.models.addresses.SERVED.reset",
    "rag.models.rerankers._CROSS_ENCODERS": "rag.models.rerankers.reset",
    "rag.storage.ledger._WAITING": "rag.storage.ledger.reset",
    "ui.session.WARM_UP": "ui.session.WARM_UP.reset",
}
"""All that one process keeps and changes, with what sets it back. `tests/conftest.py` does so after every test."""

UNCHANGED = {
    "rag.tables.lance._finder": "goes out of the way of imports once lancedb is in",
    "rag.text.languages._MODEL": "let go of by the last that holds it",
}
"""Objects that hold no more after a test than before it, and why."""

CACHES = (
    # of what is installed and of this machine, neither of which changes while a process lives
    "rag.models.graph.saturates",
    "rag.models.minilm._loaded",
    "rag.models.multilingual._loaded",
    "rag.models.tokens._bpe",
    "rag.models.tokens.minilm",
    "rag.reading.limits._statm",
    "rag.reading.sandbox._wraps",
    "rag.reading.sandbox.available",
    "rag.storage.ledger._writer",
    "rag.text.analysis._stemmer",
    "rag.text.stopwords._latin",
    "rag.text.stopwords._lists",
    "ui.session._code",
    # of their arguments alone
    "rag.asking.coverage._likeness",
    "rag.citing.claims.indexing.indexed",
    "rag.citing.claims.term.folded",
    "rag.text.analysis._word",
    "rag.text.stopwords._question_language",
    # of the server's process, by Streamlit
    "ui.session._loads",
    "ui.session._opened",
)
"""Functions that remember what they gave: each has its own way to forget, `cache_clear` or `clear`."""

_CONTAINERS = ("dict", "list", "set", "defaultdict", "OrderedDict", "deque", "Counter", "WeakKeyDictionary")
_SIGNALS = ("Event", "Condition", "SimpleQueue", "Queue", "local")
_CHANGES = (
    *("append", "add", "update", "setdefault", "pop", "popitem", "clear", "remove", "discard", "extend", "insert"),
    *("move_to_end", "popleft", "appendleft"),
)


def found() -> tuple[set[str], set[str]]:
    """Names of what is kept and changed, and of the functions that remember, both with their module."""
    kept: set[str] = set()
    caches: set[str] = set()
    for path in [*RAG, *SCREENS]:
        module, tree = module_of(path), ast.parse(path.read_text("utf-8"))
        kept |= {f"{module}.{name}" for name in kept_by(tree)}
        caches |= {f"{module}.{name}" for name in _caches(tree)}
    return kept, caches


def kept_by(tree: ast.Module) -> set[str]:
    """Names at the top of a module under which something is kept that its functions change."""
    top = dict(_assigned(tree))
    classes = {node.name for node in tree.body if isinstance(node, ast.ClassDef) and not _is_value(node)}
    made = {name for name, value in top.items() if _is_made(value, classes)}
    empty = {name for name, value in top.items() if _is_empty(value)}
    return made | empty | {name for name in _changed(tree) if name in top}


def _assigned(tree: ast.Module) -> Iterator[tuple[str, ast.expr | None]]:
    for node in tree.body:
        if isinstance(node, ast.Assign):
            yield from ((one.id, node.value) for one in node.targets if isinstance(one, ast.Name))
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.target.id, node.value


def _is_value(node: ast.ClassDef) -> bool:
    """Whether objects of the class cannot be changed: a frozen dataclass, a named tuple, an enumeration."""
    frozen = any("frozen=True" in ast.unparse(one) for one in node.decorator_list)
    return frozen or any(ast.unparse(base).endswith(("NamedTuple", "Enum")) for base in node.bases)


def _called(value: ast.expr | None) -> str:
    return ast.unparse(value.func).split(".")[-1].split("[")[0] if isinstance(value, ast.Call) else ""


def _is_made(value: ast.expr | None, classes: set[str]) -> bool:
    return _called(value) in classes or _called(value) in _SIGNALS


def _is_empty(value: ast.expr | None) -> bool:
    """A container with nothing in it is there to be filled."""
    if isinstance(value, ast.Dict):
        return not value.keys
    if isinstance(value, ast.List):
        return not value.elts
    return isinstance(value, ast.Call) and _called(value) in _CONTAINERS and not value.args[1:]


def _changed(tree: ast.Module) -> Iterator[str]:
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        for node in ast.walk(function):
            if isinstance(node, ast.Global):
                yield from node.names
            elif isinstance(node, ast.Subscript | ast.Attribute) and isinstance(node.ctx, ast.Store | ast.Del):
                yield _root(node)
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _CHANGES:
                yield _root(node.func)


def _root(node: ast.expr) -> str:
    while isinstance(node, ast.Subscript | ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def _caches(tree: ast.Module) -> Iterator[str]:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for one in node.decorator_list:
                name = ast.unparse(one).split("(")[0].split(".")[-1]
                if name in ("cache", "lru_cache", "cache_resource", "cache_data"):
                    yield node.name


def writes_of_the_environment(path: Path) -> Iterator[int]:
    """Lines of a module that change the environment of the process."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            changes = name.startswith("os.environ.") and name.rsplit(".", 1)[-1] in _CHANGES
            if changes or name in ("os.putenv", "os.unsetenv"):
                yield node.lineno
        elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store | ast.Del):
            yield from [node.lineno] if ast.unparse(node.value) == "os.environ" else []
