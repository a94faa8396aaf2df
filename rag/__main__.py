"""`python -m rag`."""

from __future__ import annotations

import sys

from rag.commands.cli import main

if __name__ == "__main__":
    sys.exit(main())
