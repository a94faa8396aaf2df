"""The rules of the house: who may import whom, and what may be called what."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

import rag
from tests.borders import BORDERS, swallowing
from tests.layout import (
    CIRCLES,
    OURS,
    RAG,
    ROOT,
    SCREENS,
    UPWARDS,
    WINGS,
    circles,
    file_of,
    forbidden,
    imports,
    module_of,
    modules,
    name_of,
    wing_of,
    within,
)
from tests.mirrors import WITHOUT, without_mirror
from tests.paths import BY_PATH, joining
from tests.prose import PROSE_LEFT, SAVED_AND_FOREIGN, decided_by_sentences
from tests.state import CACHES, DOORS, UNCHANGED, found, kept_by, writes_of_the_environment
from tests.waiting import CEILING

BANNED_NAMES = ("utils", "helpers", "common", "manager", "service", "data", "info", "process", "handle")
MODELS = (
    *("rag.models", "rag.spaces.saved", "rag.spaces.canary", "rag.asking.answering"),
    *("openai", "onnxruntime", "llama_index.embeddings"),
)
HEAVY = (
    *("llama_index", "lancedb", "pyarrow", "numpy", "onnx", "onnxruntime", "openai", "streamlit"),
    *("Stemmer", "py3langid"),
)
TABLES = ("rag.tables.chunk_table", "rag.tables.reader", "rag.tables.chunk_rows", "rag.tables.text_index")
STORES = (
    *TABLES,
    *(
        "rag.llamaindex.vector_store",
        "rag.home.snapshots",
        "rag.tables.vectors",
        "rag.sources.registry",
        "rag.storage.objects",
    ),
    *("rag.tables.lance_files", "rag.tables.lance_manifest", "rag.tables.lance_errors", "rag.tables.lance_queries"),
)
SCREENS_LOAD_LATE = (*TABLES, "rag.llamaindex.vector_store", "rag.tables.vectors", "rag.building.pipeline")
PURE = (
    *("rag.checked", "rag.text.counting"),
    *(
        "rag.manifest",
        "rag.sources.rows",
        "rag.building.plan",
        "rag.fingerprint",
        "rag.errors",
        "rag.progress",
        "rag.outcome",
        "rag.text.scripts",
        "rag.text.words",
    ),
    *("rag.sources.names", "rag.home.journal", "rag.tables.lance_manifest"),
    *("rag.changes", "rag.old_sentences", "rag.wording.choices", "rag.wording.changes"),
)
UNTOUCHING = (
    "rag.checked",
    *(
        "rag.manifest",
        "rag.sources.rows",
        "rag.building.plan",
        "rag.fingerprint",
        "rag.errors",
        "rag.sources.names",
        "rag.text.words",
        "rag.changes",
        "rag.old_sentences",
        "rag.wording.choices",
    ),
    "rag.tables.lance_manifest",
)


def offenders(paths: list[Path], *packages: str, at_once: bool = False) -> list[str]:
    return [
        f"{name_of(path)} imports {name}"
        for path in paths
        for name, now in imports(path)
        if within(name, *packages) and (now or not at_once)
    ]


def test_there_is_a_house() -> None:
    assert len(RAG) > 40
    assert any(within(name, "lancedb") for path in RAG for name, _ in imports(path))


def test_only_screens_know_streamlit() -> None:
    assert not offenders(RAG, "streamlit")


def test_rag_knows_no_screen_and_no_test() -> None:
    assert not offenders(RAG, "ui", "pages", "app", "tests", "bench")
    assert not offenders(SCREENS, "tests", "bench")


def test_screens_load_no_store_and_no_model_when_they_are_imported() -> None:
    assert not offenders(SCREENS, "llama_index", "lancedb", "pyarrow", "openai", "onnxruntime", at_once=True)
    assert not offenders(SCREENS, *SCREENS_LOAD_LATE, at_once=True)


@pytest.mark.parametrize("room", STORES)
def test_stores_know_nothing_of_models(room: str) -> None:
    assert not offenders([file_of(room)], *MODELS)


@pytest.mark.parametrize("room", sorted(PURE))
def test_pure_rooms_are_standard_library_only(room: str) -> None:
    foreign = [
        name
        for name, _ in imports(file_of(room))
        if name.split(".")[0] not in sys.stdlib_module_names and not within(name, *PURE)
    ]
    assert not foreign


def test_the_planner_and_the_manifest_touch_no_file() -> None:
    for room in UNTOUCHING:
        tree = ast.parse(file_of(room).read_text("utf-8"))
        calls = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
        assert not [call for call in calls if call.split(".")[-1] in ("open", "read_text", "read_bytes", "write_text")]


def test_nothing_is_shared_by_llama_index_settings() -> None:
    assert not offenders(OURS, "llama_index.core.Settings", "llama_index.core.settings")


def test_nothing_is_pickled() -> None:
    assert not offenders(OURS, "pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal")
    loading = [
        f"{name_of(path)}:{node.lineno}"
        for path in [*RAG, *SCREENS]
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.keyword) and node.arg == "allow_pickle"
    ]
    assert not loading


def test_nothing_is_evaluated() -> None:
    calls = [
        f"{name_of(path)}:{node.lineno}"
        for path in [*RAG, *SCREENS]
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("eval", "exec", "compile", "os.system", "os.fork")
    ]
    assert not calls


def test_no_file_has_a_name_that_says_nothing() -> None:
    named = [
        name_of(path)
        for path in [*OURS, *(path for path in (ROOT / "rag").rglob("*") if path.is_dir())]
        if set(path.stem.lower().removeprefix("test_").split("_")) & set(BANNED_NAMES)
    ]
    assert not named


def test_every_module_says_what_it_is() -> None:
    assert not [name_of(path) for path in [*RAG, *SCREENS] if not ast.get_docstring(ast.parse(path.read_text("utf-8")))]


def test_every_module_of_size_has_its_mirror() -> None:
    """Write `tests/rag/<wing>/test_<module>.py` of what is new, and take off the list what has one, or is gone."""
    assert sorted(without_mirror()) == sorted(WITHOUT)


# ---------------------------------------------------------------------- what a process keeps


def test_what_a_process_keeps_has_one_door_each() -> None:
    """Give what is new a `reset()`, and list it in `tests/state.py`."""
    kept, caches = found()
    assert sorted(kept) == sorted([*DOORS, *UNCHANGED])
    assert sorted(caches) == sorted(CACHES)


def test_each_way_to_keep_something_is_found() -> None:
    code = """
import threading
from dataclasses import dataclass
@dataclass(frozen=True)
class Value: n: int = 0
class Thing: pass
CONSTANT, FIXED = {"a": 1}, Value()
TABLE = {"a": 1}
LISTED = [1, 2]
last = None
empty: dict[str, int] = {}
thing = Thing()
event = threading.Event()
def change():
    global last
    last = 1
    TABLE["b"] = 2
    LISTED.append(3)
    own = {}
    own["a"] = 1
"""
    assert kept_by(ast.parse(code)) == {"TABLE", "LISTED", "last", "empty", "thing", "event"}


def test_the_environment_is_only_read() -> None:
    """But for one word to onnxruntime, before anything could import it."""
    written = [name_of(path) for path in [*RAG, *SCREENS] for _ in writes_of_the_environment(path)]
    assert written == ["rag/__init__.py"]


# ---------------------------------------------------------------------- where things lie


def test_names_of_the_home_are_joined_in_storage_alone() -> None:
    """Elsewhere ask `Place.files`, `Objects` or `storage.layout` by name; what is moving has a folder of its own, that
    of the archive being packed."""
    elsewhere = [path for path in [*RAG, *SCREENS] if not within(module_of(path), *BY_PATH)]
    joined = [f"{name_of(path)}:{line}" for path in elsewhere for line in joining(ast.parse(path.read_text("utf-8")))]
    assert joined == []


@pytest.mark.parametrize(
    "code",
    [
        "place.objects.root",
        "place.folder / 'a'",
        "self._place.folder / part / 'b'",
        "place.files.at('a') / 'b'",
        "place.folder.iterdir()",
        "place.files.at('a').read_bytes()",
        "place.originals.path(digest).open()",
    ],
)
def test_each_way_to_join_is_found(code: str) -> None:
    assert joining(ast.parse(code)) == [1]


# ---------------------------------------------------------------------- borders


def test_what_is_caught_without_being_known_is_raised_again_but_at_the_borders() -> None:
    """Catch what a call is known to raise. What it may raise besides is a fault of ours, and belongs to the border."""
    trees = {module_of(path): ast.parse(path.read_text("utf-8")) for path in [*RAG, *SCREENS]}
    swallowed = {f"{module}.{name}" for module, tree in trees.items() for name in swallowing(tree)}
    assert sorted(swallowed) == sorted(BORDERS)


def test_each_way_to_swallow_is_found() -> None:
    code = """
def all():
    try: pass
    except: pass
def most():
    try: pass
    except (ValueError, Exception): return None
def quietly():
    with contextlib.suppress(Exception): pass
def raised():
    try: pass
    except BaseException as error: raise ValueError from error
def known():
    try: pass
    except ValueError: pass
"""
    assert sorted(swallowing(ast.parse(code))) == ["all", "most", "quietly"]


# ---------------------------------------------------------------------- codes, not prose


@pytest.mark.parametrize(
    "code",
    [
        "row.reason.startswith('The original ')",
        "re.match('was (.+)', row.why)",
        "'os error' in str(error)",
        "finding.sentence == 'Gone.'",
        "sentence.split(' ', 1)",
    ],
)
def test_a_decision_by_a_sentence_is_seen(code: str) -> None:
    assert decided_by_sentences(ast.parse(code)) == [ast.unparse(ast.parse(code))]
    assert not decided_by_sentences(ast.parse("row.made.code is Code.RENAMED and row.reason and not failure"))


def test_nothing_is_decided_by_sentences() -> None:
    """Sentences are for people, and change with them. Codes are compared, and sentences of files are read in one
    place; the borders to libraries have nothing else to go by."""
    found = [
        f"{name_of(path)}: {place}"
        for path in [*RAG, *SCREENS]
        if name_of(path) not in SAVED_AND_FOREIGN
        and not within(module_of(path), "rag.citing", "rag.text", "rag.reading")
        for place in decided_by_sentences(ast.parse(path.read_text("utf-8")))
    ]
    assert sorted(found) == sorted(PROSE_LEFT)
    assert not [name for name in SAVED_AND_FOREIGN if not (ROOT / name).is_file()]


# ---------------------------------------------------------------------- circles


def test_wings_import_only_what_the_table_allows() -> None:
    assert sorted(forbidden()) == sorted(UPWARDS)


def test_the_table_names_wings_that_are_there_and_leads_one_way() -> None:
    order = list(WINGS)
    for wing, allowed in WINGS.items():
        assert wing == "notebook" or (ROOT / "rag" / wing / "__init__.py").is_file()
        assert [other for other in allowed if order.index(other) >= order.index(wing)] == []
    folders = {path.name for path in (ROOT / "rag").iterdir() if (path / "__init__.py").is_file()}
    assert folders == set(WINGS) - {"notebook"}


def test_the_door_of_a_wing_is_a_sentence() -> None:
    for path in (ROOT / "rag").rglob("*/__init__.py"):
        tree = ast.parse(path.read_text("utf-8"))
        assert ast.get_docstring(tree), path
        assert len(tree.body) == 1, path


def test_no_modules_import_each_other_in_a_circle() -> None:
    assert sorted(map(sorted, circles())) == sorted(map(sorted, CIRCLES))


# ---------------------------------------------------------------------- the door


def test_the_door_is_sorted_and_leads_somewhere() -> None:
    # As ruff sorts: constants, classes, then the rest.
    groups = [str.isupper, lambda name: name[0].isupper(), lambda name: True]
    order = [next(n for n, group in enumerate(groups) if group(name)) for name in rag.__all__]
    assert list(zip(order, rag.__all__, strict=True)) == sorted(zip(order, rag.__all__, strict=True))
    assert len(set(rag.__all__)) == len(rag.__all__)
    for name in rag.__all__:
        assert getattr(rag, name) is not None
    assert not hasattr(rag, "nonsense")
    with pytest.raises(AttributeError, match="nonsense"):
        _ = rag.nonsense  # type: ignore[attr-defined]


def test_the_door_is_its_table_and_what_type_checkers_are_told() -> None:
    table = rag._ROOMS
    assert sorted(name for names in table.values() for name in names) == sorted(rag.__all__)
    for room, names in table.items():
        module = import_module(f"rag.{room}")
        for name in names:
            assert getattr(module, name) is getattr(rag, name)
    told: dict[str, list[str]] = {}
    for node in ast.walk(ast.parse((ROOT / "rag" / "__init__.py").read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("rag."):
            told[node.module.removeprefix("rag.")] = [alias.name for alias in node.names]
    assert told == table


def test_the_version_is_one() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["version"] == rag.__version__


LOADED = f"print(*sorted({{name.split('.')[0] for name in sys.modules}} & {set(HEAVY)!r}))"


def loaded_after(code: str, *arguments: object) -> list[str]:
    """Which of the heavy packages a fresh process has loaded after `code`."""
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", f"import sys\n{code}\n{LOADED}", *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=CEILING,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.splitlines()[-1].split()


def test_importing_rag_loads_nothing() -> None:
    assert loaded_after("import rag") == []


def test_showing_a_verdict_loads_neither_llama_index_nor_lancedb(tmp_path: Path) -> None:
    code = (
        "import rag\n"
        "config = rag.load_config({'RAGBOOK_HOME': sys.argv[1]})\n"
        "print(rag.open_notebook(config).status().verdict.name)"
    )
    found = set(loaded_after(code, tmp_path / "home"))
    assert not {"llama_index", "lancedb", "pyarrow", "onnxruntime", "openai", "streamlit"} & found
    assert not {"onnx", "Stemmer", "py3langid", "numpy"} & found
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("embedder", ["local", "openai-compatible"])
def test_a_verdict_needs_not_even_numpy(tmp_path: Path, embedder: str) -> None:
    from rag.config import Config
    from rag.notebook import Notebook
    from rag.sources.incoming import Incoming
    from tests.doubles import CountingEmbedding, embedder_of

    config = Config(home=str(tmp_path))
    notebook = Notebook(config)
    if embedder != "local":
        config = Config(home=str(tmp_path), embedder=embedder, embed_model="m", embed_base_url="http://localhost:1/v1")
        notebook = Notebook(config, make_embedder=lambda _: embedder_of(CountingEmbedding()))
    notebook.add([Incoming("a.txt", content=b"Some words to find.")])
    environment = {
        "RAGBOOK_HOME": config.home,
        "RAGBOOK_EMBEDDER": config.embedder,
        "RAGBOOK_EMBED_MODEL": config.embed_model,
        "RAGBOOK_EMBED_BASE_URL": config.embed_base_url or "",
    }
    code = (
        f"import os; os.environ.update({environment!r})\n"
        "from rag.commands.cli import main\n"
        "assert main(['status']) == 0\n"
        "assert main(['history']) == 0"
    )
    assert loaded_after(code) == []


def test_a_verdict_on_a_built_notebook_loads_them_neither(tmp_path: Path) -> None:
    from rag.config import Config
    from rag.notebook import Notebook
    from rag.sources.incoming import Incoming
    from tests.doubles import CountingEmbedding, embedder_of

    remote = Config(
        home=str(tmp_path), embedder="openai-compatible", embed_model="m", embed_base_url="http://localhost:1/v1"
    )
    notebook = Notebook(remote, make_embedder=lambda _: embedder_of(CountingEmbedding()))
    assert notebook.add([Incoming("a.txt", content=b"Some words to find.")]).verdict.name == "BUILT"
    code = (
        "import rag\n"
        "config = rag.Config(home=sys.argv[1], embedder='openai-compatible', embed_model='m', "
        "embed_base_url='http://localhost:1/v1')\n"
        "notebook = rag.open_notebook(config)\n"
        "assert notebook.status().verdict.name == 'HIT', notebook.status()\n"
        "assert len(notebook.history()) == 1 and notebook.title and notebook.cells() == []"
    )
    assert not {"llama_index", "lancedb", "pyarrow", "onnxruntime", "openai", "streamlit"} & set(
        loaded_after(code, tmp_path)
    )


def test_lancedb_is_imported_in_one_place() -> None:
    """`rag.tables.lance` leaves out what takes most of its import. Its modules import each other, too: an import of a
    part begins at once while another thread is in the middle of the whole, and meets a half-made module."""
    assert {path for path in RAG for name, _ in imports(path) if within(name, "lancedb")} == {
        ROOT / "rag" / "tables" / "lance.py"
    }
    users = {module_of(path) for path in RAG for name, _ in imports(path) if within(name, "rag.tables.lance")}
    assert {wing_of(user) for user in users} == {"tables"}, "one wing talks to Lance"


def test_no_file_is_long() -> None:
    """The checks of claims are left out until they are written anew."""
    measured = [path for path in [*RAG, *SCREENS] if not within(module_of(path), "rag.citing.claims")]
    lines = {name_of(path): len(path.read_text("utf-8").splitlines()) for path in measured}
    assert {name for name, count in lines.items() if count > 300} == set()
    assert sorted(lines.values())[len(lines) // 2] <= 120


def test_two_threads_can_import_the_stores_at_once() -> None:
    """As the page and the warming up of a server do."""
    code = """
import sys, threading, time
failed = []
def first():
    import rag.sources.registry
def second():
    while "lancedb" not in sys.modules:
        time.sleep(0.0005)
    import rag.tables.text_index, rag.tables.reader
threading.excepthook = lambda one: failed.append(one.exc_value)
threads = [threading.Thread(target=first), threading.Thread(target=second)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
assert not failed, failed
"""
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_onnxruntime_reports_to_nobody() -> None:
    """It looks at this when it is imported, and every process of ours imports `rag` before it can import that."""
    environment = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    code = "import rag.models.minilm, os, sys; assert 'onnxruntime' not in sys.modules; print(os.environ['{}'])"
    done = subprocess.run(
        [sys.executable, "-c", code.format("ORT_DISABLE_TELEMETRY")],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "1"
    assert not offenders([*SCREENS, *modules("scripts")], "onnxruntime")
