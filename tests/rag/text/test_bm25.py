"""BM25 as Lance computes it."""

from __future__ import annotations

from pathlib import Path

import pytest

from rag.tables.lance import FTS, lancedb
from rag.text.bm25 import rarity, saturated

TEXTS = ["owl owl night", "owl day", "a mouse in the night", "bread"]


def test_a_score_of_one_word_is_that_of_lance(tmp_path: Path) -> None:
    table = lancedb.connect(str(tmp_path)).create_table("t", [{"text": text} for text in TEXTS])
    table.create_index("text", config=FTS(base_tokenizer="whitespace", stem=False, remove_stop_words=False))
    found = {row["text"]: row["_score"] for row in table.search("owl", query_type="fts").to_list()}
    split = [text.split() for text in TEXTS]
    average = sum(map(len, split)) / len(split)
    ours = {
        text: rarity(len(TEXTS), 2) * saturated(words.count("owl"), len(words), average)
        for text, words in zip(TEXTS, split, strict=True)
        if "owl" in words
    }
    assert ours == pytest.approx(found, rel=1e-4)


def test_repetition_counts_less_and_less() -> None:
    counts = [saturated(times, 10, 10) for times in range(1, 50)]
    assert counts == sorted(counts)
    assert counts[0] == pytest.approx(1.0)
    assert counts[-1] < 2.2
