"""Common words of languages, left out of questions; and which language a question is in, told by them.

A question is too short for a detector trained on sentences, and must not wait for one: its script and its common words
tell enough. Where they do not (`copper book`), its language is unknown, which is fine: it is then taken for that of
what it finds.
"""

from __future__ import annotations

import functools
import importlib.util
import re
from collections import Counter
from collections.abc import Collection
from pathlib import Path

from rag.text.scripts import NOT_LATIN, _by_script

_STOP_LISTS = {
    "ar": "arabic",
    "be": "belarusian",
    "bn": "bengali",
    "ca": "catalan",
    "da": "danish",
    "de": "german",
    "el": "greek",
    "en": "english",
    "es": "spanish",
    "eu": "basque",
    "fi": "finnish",
    "fr": "french",
    "he": "hebrew",
    "hu": "hungarian",
    "id": "indonesian",
    "it": "italian",
    "kk": "kazakh",
    "ne": "nepali",
    "nl": "dutch",
    "no": "norwegian",
    "pt": "portuguese",
    "ro": "romanian",
    "ru": "russian",
    "sl": "slovene",
    "sq": "albanian",
    "sv": "swedish",
    "ta": "tamil",
    "tr": "turkish",
}
"""Lists that llama-index-core brings along."""

_MORE_STOPS = {
    "de": "wann warum wer wem wen wessen welche welcher welches wie wieso wo wohin woher viele",
    "es": "cuál cuáles cuándo cuánto cuántos cuántas dónde por qué quién quiénes",
    "fr": "combien comment où pourquoi quand que quel quelle quelles quels qui quoi",
    "it": "chi come cosa dove perché quale quali quando quanti quanto",
    "pt": "como onde porque quais qual quando quanto quantos que quem",
    "ru": "где как какая какие какой когда кого кому кто почему сколько что",
    "pl": (
        "a aby ale by był była było były być co czy dla do gdzie go i ile ich jak jaka jaki jakie jako jego jej jest "
        "jeśli już kiedy kto która które którego który którzy lub ma na nad nie o od oraz po pod przez przy się są ta "
        "tak te tego tej ten to tym w we więc z za ze że"
    ),
    "cs": (
        "a aby ale ani byl byla bylo byly být co do i jak jaká jaké jaký jako je jeho její jsou k kde kdo kdy která "
        "které který kteří na nebo o od po pro proč při s se si ta tak také ten to u v ve z za ze že"
    ),
    "uk": "а або але був була були було в від де для до за з і із й як яка яке який коли та те то у хто це що щоб",
    "vi": (
        "ai bao bị bởi các cái cho chỉ có của cũng do đã đang đâu để đến đó được gì hay khi không là làm lúc mà một "
        "này nào nhiều như nhưng những nhiêu ở ra rằng sao sẽ sự tại theo thì thế trong trên từ và vào vì với về"
    ),
    "hi": (
        "और का की के को कि किस किसे किसने किया कौन क्या क्यों कब कहाँ कहां कितना कितनी कितने कैसे है हैं हो होता होती होते "
        "था थी थे में से पर ने यह वह ये वे इस उस एक तक तो ही भी लिए द्वारा जो जब गया गई गए कर करने करता रहा साथ या नहीं "
        "अपने इसके उनके कौनसा"
    ),
}

_WORDS = re.compile(r"[^\W\d_]+")


@functools.cache
def stop_words(language: str) -> frozenset[str]:
    """Common words of a language, in small letters; none where there is no list."""
    words = set(_MORE_STOPS.get(language, "").split())
    name = _STOP_LISTS.get(language)
    if name:
        path = _folder() / name
        if path.is_file():  # another version may lack one: questions keep their common words then
            words |= set(path.read_text("utf-8").split())
    return frozenset(words)


@functools.cache
def _folder() -> Path:
    """Where llama-index keeps lists of stop words; found without importing it, which takes a second."""
    spec = importlib.util.find_spec("llama_index.core")
    roots = (spec.submodule_search_locations if spec else None) or [""]
    return Path(roots[0]) / "_static" / "nltk_cache" / "corpora" / "stopwords"


def question_language(question: str, preferred: Collection[str] = ()) -> str:
    """ISO 639-1 code of a question's language; empty where nothing tells.

    `preferred` are the languages of the sources (empty: English): of several that are as likely, one of them is taken;
    of another language there must be two common words, because one is soon there by chance (`cat` is Romanian).
    """
    return _question_language(question, frozenset(one or "en" for one in preferred))


@functools.lru_cache(maxsize=64)  # both full text and fusion ask
def _question_language(question: str, preferred: frozenset[str]) -> str:
    words = [match.group() for match in _WORDS.finditer(question.casefold())]
    among = _by_script(question)
    if among:
        if len(among) == 1:
            return among[0]
        counts = _counts(words, among)
        return max(among, key=lambda one: (counts[one], one in preferred, -among.index(one)))
    counts = _counts(words, _latin())
    likely = sorted(one for one, times in counts.items() if times > 1 or one in preferred)
    return max(likely, key=lambda one: (counts[one], one in preferred, one == "en"), default="")


def _counts(words: Collection[str], among: Collection[str]) -> Counter[str]:
    return +Counter({one: sum(word in stop_words(one) for word in words) for one in among})


@functools.cache
def _latin() -> tuple[str, ...]:
    """The languages in Latin letters that there are lists for."""
    return tuple(sorted((_STOP_LISTS.keys() | _MORE_STOPS.keys()) - NOT_LATIN))
