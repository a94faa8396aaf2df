from __future__ import annotations

import lancedb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.errors import Damaged
from rag.tables.chunk_table import ChunkTable
from rag.tables.lance_files import files_of
from rag.tables.tidying import tidy
from tests.tables import many, reopened, row

ODD_QUERIES = [
    "",
    " ",
    "*",
    '"',
    '"a',
    "(",
    "+ -",
    "🙂",
    "!!!",
    "\0",
    "^~",
    "x" * 5000,
    "\\",
    "[a TO",
    "\n",
]


@pytest.mark.parametrize("indexed", [True, False])
def test_any_text_is_a_query(table: ChunkTable, indexed: bool) -> None:
    table.upsert([row("1", text="The running dogs"), row("2", text="say 'cat' AND go"), row("3", text="foo_bar v2.3")])
    if not indexed:
        lancedb.connect(table.path.parent).open_table("t").drop_index("text_idx")
        table = reopened(table)
    for query in ODD_QUERIES:
        assert table.reader().full_text(query, 5) == []
    assert [name for name, _ in table.reader().full_text('"dog" OR (runs*)', 5)] == ["1"]
    assert {name for name, _ in table.reader().full_text("cats, dog", 5)} == {"1", "2"}
    assert [name for name, _ in table.reader().full_text("bar", 5)] == ["3"]
    assert [name for name, _ in table.reader().full_text("AND", 5)] == [
        "2"
    ]  # common words are asked for where nothing else is
    assert table.reader().full_text("dog", 0) == []
    assert all(score > 0 for _, score in table.reader().full_text("dog cat foo", 5))


@settings(max_examples=60)
@given(query=st.text(alphabet=st.characters(exclude_categories=[]), max_size=40))
def test_no_query_raises(searchable: ChunkTable, query: str) -> None:
    assert isinstance(searchable.reader().full_text(query, 3), list)


@pytest.fixture(scope="module")
def searchable(tmp_path_factory: pytest.TempPathFactory) -> ChunkTable:
    """Sentences in several languages, half of them in the index, half written after it."""
    table = ChunkTable.create(tmp_path_factory.mktemp("words"), "t", 8, "")
    table.upsert([row(name, text=words) for name, words in list(SENTENCES.items())[::2]])
    table.rebuild_text_index()
    table.upsert([row(name, text=words) for name, words in list(SENTENCES.items())[1::2]])
    return table


SENTENCES = {
    "de": "Die Häuser stehen an den Straßen, sagt das Bundesverfassungsgericht.",
    "de2": "Äpfel und Birnen werden im Herbst geerntet.",
    "zh": "北京大学的图书馆收藏了许多古籍。",
    "zh2": "人工智能正在改变世界。",
    "ja": "東京タワーは日本の首都にある観光名所です。",
    "ja2": "機械学習のモデルを訓練する。",
    "th": "กรุงเทพเป็นเมืองหลวงของประเทศไทย",
    "ar": "القاهرة عاصمة مصر",
    "en": "The running dogs were chasing cats; see rag.llamaindex.vector_store and foo_bar",
    "en2": "error E1234 in the café: dying is hard",
}


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("Häuser", "de"),
        ("HAUSER", "de"),
        ("Straßen", "de"),
        ("strassen", "de"),
        ("Bundesverfassungsgericht", "de"),
        ("äpfel", "de2"),
        ("图书馆", "zh"),
        ("北京", "zh"),
        ("人工智能", "zh2"),
        ("世界", "zh2"),
        ("東京", "ja"),
        ("タワー", "ja"),
        ("観光", "ja"),
        ("機械学習", "ja2"),
        ("モデル", "ja2"),
        ("เมืองหลวง", "th"),
        ("القاهرة", "ar"),
        ("dog", "en"),
        ("cat", "en"),
        ("run", "en"),
        ("store", "en"),
        ("bar", "en"),
        ("e1234", "en2"),
        ("cafe", "en2"),
    ],
)
def test_words_of_many_languages_are_found(searchable: ChunkTable, query: str, name: str) -> None:
    assert name in [found for found, _ in searchable.reader().full_text(query, 3)]


def test_a_lost_text_index_is_named_and_made_anew(table: ChunkTable) -> None:
    table.upsert(many("s", 300))
    tidy(table)
    lost = next(file for file in files_of(table.path, table.version) if file.path.startswith("_indices"))
    for path in (table.path / lost.path).parent.iterdir():
        path.unlink()
    broken = reopened(table)
    assert broken.rows(["s-7"])[0].id == "s-7"
    with pytest.raises(Damaged, match=r"_indices/.* missing"):
        broken.reader().full_text("dog", 3)
    broken.rebuild_text_index()
    assert len(broken.reader().full_text("dog", 1000)) == 300
