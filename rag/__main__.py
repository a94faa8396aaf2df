"""`python -m rag`."""

from __future__ import annotations

import sys
from importlib.abc import MetaPathFinder
from typing import Any

from rag.commands.cli import main


class _WithoutPandas(MetaPathFinder):
    """A command uses no data frames, and pyarrow would import pandas to see whether it is given one: 0.4 s, 35 MB. In
    this process alone, because pyarrow remembers that there is none."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        del path, target
        if name == "pandas":
            raise ModuleNotFoundError("pandas is not imported on the command line", name=name)


if __name__ == "__main__":
    sys.meta_path.insert(0, _WithoutPandas())
    sys.exit(main())
