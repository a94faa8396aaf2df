"""The sample library: files that come with Ragbook, and answers from them."""

from __future__ import annotations

from rag.manifest import VerdictName
from rag.sources.sample import sample_library
from tests.doubles import CountingEmbedding
from tests.notebooks import ROOT, notebook, opened


def test_the_sample_library_is_our_own_documentation(tmp_path):
    library = sample_library()
    assert "README.md" in {one.name for one in library}
    assert len({one.name for one in library}) == len(library)
    assert all(one.path.is_file() and one.path.is_relative_to(ROOT) for one in library)
    book = notebook(tmp_path, CountingEmbedding())
    outcome = book.add(library)
    assert outcome.verdict.name is VerdictName.BUILT
    assert (outcome.failures, outcome.sources.total) == ((), len(library))
    assert opened(book).search("What does a restart cost?").passages
    # Added again it is not there twice.
    assert notebook(tmp_path).add(sample_library()).verdict.name is VerdictName.UNCHANGED
