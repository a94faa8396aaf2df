"""Chunks of every language hold about as much."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.config import Config
from rag.models.tokenizer import Tokenizer
from rag.models.tokens import Cl100kTokenizer, MiniLmTokenizer, tokenizer_for, tokenizer_named
from rag.models.word_tokens import WordTokens
from rag.reading.places import Reading
from rag.reading.splitting import split
from rag.settings import MULTILINGUAL_MODEL
from tests.rag.reading.test_splitting import assert_sound

SENTENCES = {
    "de": "Ein Sprecher der Organisation sagt, die Zahl der Teilnehmer habe ihre Erwartungen weit übertroffen. ",
    "tr": "Kuruluş sözcüsü, yarışmaya katılanların sayısının organizatörlerin beklentilerini aştığını söyledi. ",
    "vi": "Người phát ngôn của tổ chức cho biết số người tham gia cuộc thi đã vượt quá mong đợi. ",
    "ru": "Пресс-секретарь организации заявил, что количество участников превысило ожидания организаторов. ",
    "ar": "وقال المتحدث باسم المنظمة إن عدد المشاركين في المسابقة تجاوز توقعات المنظمين بكثير. ",
    "el": "Ο εκπρόσωπος του οργανισμού δήλωσε ότι ο αριθμός των συμμετεχόντων ξεπέρασε τις προσδοκίες. ",
    "hi": "संगठन के प्रवक्ता ने कहा कि प्रतियोगिता में भाग लेने वालों की संख्या अपेक्षा से अधिक थी। ",
    "th": "โฆษกขององค์กรกล่าวว่าจำนวนผู้เข้าร่วมการแข่งขันเกินความคาดหมายของผู้จัดงาน ",
    "ko": "단체 대변인은 대회 참가자 수가 주최 측의 예상을 훨씬 뛰어넘었다고 말했습니다. ",
}


@pytest.mark.parametrize("tokenizer", [MiniLmTokenizer(), Cl100kTokenizer()], ids=lambda one: one.name)
@pytest.mark.parametrize("language", SENTENCES)
def test_a_chunk_holds_about_as_much_in_every_script(language: str, tokenizer: Tokenizer) -> None:
    english = "A spokesman of the organisation said that many more people took part than the organisers expected. "

    def sentences_a_chunk(sentence: str) -> float:
        reading = Reading(sentence * 200, "text/plain")
        return 200 / len(split(reading, size=220, overlap=0, offsets=WordTokens(tokenizer).count_offsets))

    assert 0.5 < sentences_a_chunk(SENTENCES[language]) / sentences_a_chunk(english) < 1.6


@given(st.text(st.sampled_from("аяשجकि한글ไทยab .\n。।"), max_size=300), st.integers(4, 40), st.data())
def test_pieces_of_any_script_are_the_text(text: str, size: int, data: st.DataObject) -> None:
    overlap = data.draw(st.integers(0, size // 2))
    reading = Reading(text, "text/plain")
    pieces = split(reading, size=size, overlap=overlap, offsets=WordTokens(Cl100kTokenizer()).count_offsets)
    assert_sound(reading, pieces, overlap)


def test_words_that_the_tokenizer_knows_keep_their_tokens() -> None:
    text = "The 3 quick-moving foxes of https://a.example/x_1 jumped (twice), 水 and 1,024.5 times."
    assert WordTokens(MiniLmTokenizer()).count_offsets(text) == MiniLmTokenizer().count_offsets(text)


def test_a_word_that_was_cut_up_is_one_token_up_to_eight_letters() -> None:
    text = "Szczecin Großglockner Пресс"
    assert [text[start:end] for start, end in WordTokens(MiniLmTokenizer()).count_offsets(text)] == [
        "Szczecin",
        "Großgl",
        "ockner",
        "Пресс",
    ]


def test_tokens_are_in_order_and_within_the_text() -> None:
    text = "Übergrößenträger Пресс-секретарь ไทยแลนด์ 한국어로 水\n\tabc"
    offsets = WordTokens(MiniLmTokenizer()).count_offsets(text)
    assert offsets == sorted(offsets)
    assert all(0 <= start < end <= len(text) for start, end in offsets)


def test_only_local_models_are_measured_by_words() -> None:
    """A server may refuse a text of more tokens than it was counted for."""
    assert tokenizer_for(Config()).name == "all-MiniLM-L6-v2, words/1"
    assert tokenizer_for(Config(embed_model=MULTILINGUAL_MODEL)).name == "cl100k_base, words/1"
    assert tokenizer_for(Config(embedder="openai")).name == "cl100k_base"
    for name in ("all-MiniLM-L6-v2, words/1", "cl100k_base, words/1", "all-MiniLM-L6-v2", "cl100k_base"):
        assert tokenizer_named(name).name == name
