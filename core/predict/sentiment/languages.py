"""Which half of the sentiment model reads a text, and which texts neither of them knows.

Other scripts are told by their letters; other languages in Latin letters by py3langid, which knows 139. It is asked how
much likelier another language is than English: much likelier for a word or two, which hold little to go by, and less
so for a sentence. Measured: docs/decisions/0003-texts.md.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from typing import Any, Literal

from core.predict.answers import count_letters

Reader = Literal["en", "zh"]

# Hangul, kana, and every script between Greek and Khmer; the Latin letters among them are Vietnamese.
_SYLLABLES = re.compile(r"[\u1100-\u11ff\u3040-\u30ff\u3131-\u318e\uac00-\ud7a3]")
_LETTERS = re.compile(r"[\u0370-\u10ff\u1200-\u1cff\u1f00-\u1fff\ua000-\uabff]")
_SYLLABLE = 3  # letters of a word that a syllable or a Chinese character stands for
# Of all letters: a text may hold a foreign name.
_FOREIGN_SHARE = 0.25

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
# Words that no other language has and that stand in most English sentences.
_ENGLISH = frozenset(
    ("the", "and", "of", "with", "this", "that", "are", "were", "very", "it's", "they", "you", "have", "has")
)
_ENGLISH_SHARE = 0.1
_NEARLY_ENGLISH = ("sco", "pcm", "jam")
_READ_CHARS = 1000
# How many times likelier than English another language is, by the number of words.
_LIKELIER = {1: 300.0, 2: 50.0, 3: 15.0}
_LIKELIER_IN_A_SENTENCE = 8.0


def reader_of(text: str) -> Reader | Literal["other"] | None:
    """Which half reads a text; `other` for one in a language that neither knows, None for one without letters.

    >>> reader_of("a good film"), reader_of("很好"), reader_of("очень хорошо"), reader_of("10/10")
    ('en', 'zh', 'other', None)
    """
    han, latin = count_letters(text)
    foreign = _SYLLABLE * len(_SYLLABLES.findall(text)) + len(_LETTERS.findall(text))
    total = _SYLLABLE * han + latin + foreign
    if not total:
        return None
    if foreign > _FOREIGN_SHARE * total:
        return "other"
    if _SYLLABLE * han >= latin:  # a Chinese word has about a third of an English one's letters
        return "zh"
    return "other" if _is_other_than_english(text) else "en"


def _is_other_than_english(text: str) -> bool:
    text = unicodedata.normalize("NFKC", text[:_READ_CHARS])  # full-width letters too
    words = _WORD.findall(text.lower())
    if not words or sum(word in _ENGLISH for word in words) >= _ENGLISH_SHARE * len(words):
        return False
    shares: dict[str, float] = dict(_identifier().rank(text))
    english = shares["en"] + sum(shares.pop(name, 0.0) for name in _NEARLY_ENGLISH)
    return max(shares.values()) > _LIKELIER.get(len(words), _LIKELIER_IN_A_SENTENCE) * english


@cache
def _identifier() -> Any:
    """py3langid with its own model, answering with shares."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
