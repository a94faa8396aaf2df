from __future__ import annotations

import pytest

from tests.doubles import CountingEmbedding
from tests.notebooks import file, notebook
from tests.rag.asking.owls import BREAD, OWLS


@pytest.fixture
def home(tmp_path):
    """Where the notebook is."""
    notebook(tmp_path, CountingEmbedding()).add([file("owls.txt", OWLS), file("bread.txt", BREAD)])
    return tmp_path
