"""The import of lancedb: the only one of the house, for which its client of namespace servers is left out.

That client is 900 generated modules: 1.7 of the 2.8 seconds that importing lancedb takes, and 20 MB, for servers that a
folder is not. lancedb needs its names at import and never uses them for local paths. So while lancedb is imported, and
no longer, those packages are empty and give a class for any name, whose use is an ImportError. Whoever imports the
packages themselves, before or after, gets the real ones.
"""

from __future__ import annotations

import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

_PACKAGE = "lance_namespace"
_CLIENT = "lance_namespace_urllib3_client"


class _LeftOut(MetaPathFinder, Loader):
    """Finds the client's packages as empty ones. The errors of the first are real: lancedb catches them."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        del path, target
        if name != _PACKAGE and name.split(".")[0] != _CLIENT:
            return None
        spec = ModuleSpec(name, self, is_package=True)
        real = PathFinder.find_spec(name) if name == _PACKAGE else None
        spec.submodule_search_locations = list(real.submodule_search_locations or ()) if real else []
        return spec

    def exec_module(self, module: ModuleType) -> None:
        def of_name(name: str) -> Any:
            if name.startswith("__"):
                raise AttributeError(name)
            of = type(name, (), {"__new__": _refuse, "__module__": module.__name__})
            return module.__dict__.setdefault(name, of)

        module.__dict__["__getattr__"] = of_name


def _refuse(of: type, *_: Any, **__: Any) -> Any:
    raise ImportError(f"{of.__module__}.{of.__name__} is left out: Ragbook opens folders, and no namespace servers.")


def _left_out() -> list[str]:
    # A list: other threads import meanwhile.
    return [
        name for name, module in list(sys.modules.items()) if isinstance(getattr(module, "__loader__", None), _LeftOut)
    ]


_finder = _LeftOut()
sys.meta_path.insert(0, _finder)
try:
    import lancedb
    from lancedb import tokenize
    from lancedb.background_loop import LOOP
    from lancedb.expr import Expr, col
    from lancedb.index import FTS
    from lancedb.query import MatchQuery
    from lancedb.table import AsyncTable
finally:
    sys.meta_path.remove(_finder)
    for _name in _left_out():
        del sys.modules[_name]

__all__ = ["FTS", "LOOP", "AsyncTable", "Expr", "MatchQuery", "col", "lancedb", "tokenize"]
