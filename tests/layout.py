"""The plan of the house: its wings, which of them may import which, and the imports as they are.

python -m tests.layout      prints the table of wings
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent

WINGS: dict[str, tuple[str, ...]] = {
    "text": (),
    "wording": ("text",),
    "storage": ("text",),
    "reading": (),
    "tables": ("text", "storage"),
    "sources": ("text", "storage", "tables"),
    "models": ("text", "storage"),
    "spaces": ("text", "storage", "reading", "models"),
    "citing": ("text", "sources"),
    "home": ("text", "wording", "storage", "reading", "tables", "sources", "models", "spaces", "citing"),
    "llamaindex": ("text", "storage", "tables", "models", "spaces"),
    "building": ("text", "wording", "storage", "reading", "tables", "sources", "models", "spaces", "home"),
    "asking": ("text", "storage", "tables", "sources", "models", "spaces", "citing", "home", "llamaindex"),
    "upkeep": ("text", "storage", "reading", "tables", "sources", "models", "spaces", "citing", "home", "building"),
    "notebook": (
        *("text", "storage", "reading", "tables", "sources", "models", "spaces", "citing", "home", "building"),
        *("asking", "upkeep"),
    ),
    "moving": (
        *("text", "storage", "reading", "tables", "sources", "models", "spaces", "citing", "home", "building"),
        *("asking", "upkeep", "notebook"),
    ),
    "evaluation": ("text", "sources", "citing", "home", "asking", "notebook"),
    "commands": (
        *("text", "wording", "storage", "reading", "tables", "sources", "models", "spaces", "citing", "home"),
        *("building", "asking", "upkeep", "notebook", "moving", "evaluation"),
    ),
}
"""Wings of `rag/`, low to high, with those that each may import. All may import the hall: the files directly in `rag/`,
which know no wing but `text`. `notebook` are the files of the hall that stand above wings: the facade and the
background work."""

FACADE = ("rag.notebook", "rag.jobs")

UPWARDS: tuple[tuple[str, str], ...] = ()
"""Arrows that the table forbids and that are still there. The list only shrinks."""

CIRCLES: tuple[frozenset[str], ...] = ()
"""Modules that reach each other through their imports, those inside functions and for type checkers only included. The
list only shrinks."""


def modules(*folders: str) -> list[Path]:
    found = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    return sorted(path for path in found if "__pycache__" not in path.parts)


RAG = modules("rag")
SCREENS = [ROOT / "app.py", *modules("ui", "pages")]
TESTS = modules("tests")
OURS = [*RAG, *SCREENS, *TESTS, *modules("bench", "scripts")]


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@functools.cache
def imports(path: Path) -> tuple[tuple[str, bool], ...]:
    """Everything a module imports, as dotted names, and whether that is while it is itself imported: not inside a
    function, and not for type checkers only."""
    return tuple(_imports(path))


def _imports(path: Path) -> Iterator[tuple[str, bool]]:
    tree = ast.parse(path.read_text("utf-8"))
    later: set[ast.AST] = set()
    for node in ast.walk(tree):
        guarded = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        if guarded or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            later.update(child for child in ast.walk(node) if child is not node)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node not in later
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{name_of(path)}:{node.lineno} imports relatively"
            for alias in node.names:
                yield f"{node.module}.{alias.name}", node not in later
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("import_module", "__import__"):
            argument = node.args[0] if node.args else None
            if isinstance(argument, ast.Constant):
                yield str(argument.value), False


def within(name: str, *packages: str) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def file_of(module: str) -> Path:
    """The file of a module by its dotted name. A name that is no file fails: it would have no offenders."""
    path = ROOT / (module.replace(".", "/") + ".py")
    assert path.is_file(), f"there is no module {module}"
    return path


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


@functools.cache
def graph() -> dict[str, frozenset[str]]:
    """Every module of the house with the modules that it imports."""
    known = {module_of(path): path for path in [*RAG, *SCREENS]}
    arrows: dict[str, set[str]] = {name: set() for name in known}
    for name, path in known.items():
        for imported, _ in imports(path):
            target = imported if imported in known else imported.rsplit(".", 1)[0]
            if target in known and target != name:
                arrows[name].add(target)
    arrows["rag"] = set()  # the door is a table, and loads a room when it is asked for one
    return {name: frozenset(targets) for name, targets in arrows.items()}


def circles() -> list[frozenset[str]]:
    """Sets of modules each of which reaches each other one (Tarjan 1972)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[frozenset[str]] = []

    def visit(name: str) -> None:
        index[name] = low[name] = len(index)
        stack.append(name)
        for target in sorted(graph()[name]):
            if target not in index:
                visit(target)
                low[name] = min(low[name], low[target])
            elif target in stack:
                low[name] = min(low[name], index[target])
        if low[name] == index[name]:
            at = stack.index(name)
            if len(stack) - at > 1:
                found.append(frozenset(stack[at:]))
            del stack[at:]

    for name in sorted(graph()):
        if name not in index:
            visit(name)
    return found


def wing_of(module: str) -> str:
    """The wing of a module: a key of `WINGS`, `hall`, or the part of the screens it is of."""
    parts = module.split(".")
    if parts[0] != "rag":
        return parts[0]
    if module in FACADE:
        return "notebook"
    if module == "rag.__main__":
        return "commands"
    return parts[1] if len(parts) > 1 and parts[1] in WINGS else "hall"


def arrows() -> set[tuple[str, str]]:
    """Imports that lead from one wing of `rag/` into another, or into the facade."""
    return {
        (name, target)
        for name, targets in graph().items()
        for target in targets
        if name.startswith("rag.") and wing_of(name) != wing_of(target) and wing_of(target) != "hall"
    }


def forbidden() -> set[tuple[str, str]]:
    """Those of the arrows that the table does not allow."""
    table = {"hall": ("text",), **WINGS}
    return {(name, target) for name, target in arrows() if wing_of(target) not in table[wing_of(name)]}


def main() -> None:
    """Print the table of wings: files, lines, and the wings that each imports with the number of arrows."""
    for wing in ("hall", *WINGS):
        paths = [path for path in RAG if wing_of(module_of(path)) == wing]
        lines = sum(len(path.read_text("utf-8").splitlines()) for path in paths)
        found: dict[str, int] = {}
        for name, target in sorted(arrows()):
            if wing_of(name) == wing:
                found[wing_of(target)] = found.get(wing_of(target), 0) + 1
        shown = ", ".join(f"{other} {found[other]}" for other in WINGS if other in found)
        print(f"{wing:11} {len(paths):3} files {lines:6,} lines   {shown or '-'}")
    print(f"circles: {len(circles())}   arrows that the table forbids: {len(forbidden())}")


if __name__ == "__main__":
    main()
