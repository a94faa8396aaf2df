"""One contestant in a process of its own: `python -m bench.contestant MODULE FUNCTION ARGUMENTS RESULT`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

Result = dict[str, Any]


def run(module: str, function: str, **arguments: Any) -> Result:
    """Call `module.function(**arguments)` in a fresh interpreter and give what it returns.

    Raises:
        RuntimeError: it failed; its last lines are in the message.
    """
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("RAGBOOK_", "OPENAI_"))}
    with TemporaryDirectory() as folder:
        result = Path(folder) / "result.json"
        command = [sys.executable, "-m", "bench.contestant", module, function, json.dumps(arguments), str(result)]
        done = subprocess.run(command, env=clean, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{module}.{function} failed:\n{done.stderr[-3000:]}")
        found: Result = json.loads(result.read_text())
    return found


if __name__ == "__main__":
    module, function, arguments, result = sys.argv[1:]
    answer = getattr(import_module(module), function)(**json.loads(arguments))
    Path(result).write_text(json.dumps(answer))
