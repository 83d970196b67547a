"""The sentiment model that comes with Graft: Chinese and English, at first start, without a network.

It chooses by a text's letters: Chinese is read by characters (`core.predict.sentiment.characters`, numpy alone), the
rest by the bundled encoder (`core.predict.sentiment.encoder`, loaded with the first such text). `card.json` says how
both were made and what they score; `python -m bench sentiment` measures that again.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

import numpy as np
from numpy.typing import NDArray

from core.data.text_cleaning import clean_texts
from core.predict.answers import Piece, TextAnswer, split_pieces
from core.predict.sentiment.characters import CharacterModel, load_characters
from core.predict.sentiment.languages import reader_of
from core.predict.spec import SENTIMENT

if TYPE_CHECKING:
    from core.predict.texts import TextPredictor


FOLDER = Path(__file__).parent
LABELS = ["negative", "positive"]


class Score(TypedDict):
    """What a half scores on one test set: shares, the accuracy's 95% interval, and counts of texts."""

    accuracy: float
    accuracy_answered: float
    answered: float
    ece: float
    interval: tuple[float, float]
    n: int
    right: int


class EnglishCard(TypedDict):
    """The encoder with its adapters. `sharpness` calibrates: log-odds times it."""

    base: str
    max_length: int
    rank: int
    rounding: float
    scores: dict[str, Score]
    sharpness: float
    trained_on: dict[str, int]


class HeldBack(TypedDict):
    """What was kept from training to calibrate with."""

    accuracy: float
    n: int


class ChineseCard(TypedDict):
    """The n-grams. `sharpness` calibrates: log-odds times it."""

    buckets: int
    held_back: HeldBack
    n_grams: int
    scores: dict[str, Score]
    sharpness: float
    trained_on: dict[str, int]


class SentimentCard(TypedDict):
    """`card.json`."""

    en: EnglishCard
    unsure_below: float
    zh: ChineseCard


@cache
def read_card() -> SentimentCard:
    """How the models were made, what they score, and the figures they need to answer."""
    card: SentimentCard = json.loads((FOLDER / "card.json").read_text(encoding="utf-8"))
    return card


class Sentiment:
    """Positive, negative or unsure. Safe to share between threads."""

    id = SENTIMENT

    def __init__(self) -> None:
        card = read_card()
        self.labels = list(LABELS)
        self.latency_ms: float | None = None
        self._sharpness = {"en": card["en"]["sharpness"], "zh": card["zh"]["sharpness"]}
        self._sure = card["unsure_below"]
        self._lock = threading.Lock()
        self._characters: CharacterModel | None = None
        self._encoder: TextPredictor | None = None

    def characters(self) -> CharacterModel:
        """The Chinese model."""
        with self._lock:
            if self._characters is None:
                self._characters = load_characters(FOLDER / "zh.safetensors")
            return self._characters

    def encoder(self) -> TextPredictor:
        """The English model; the first call loads torch."""
        from core.predict.sentiment.encoder import load_encoder

        with self._lock:
            if self._encoder is None:
                self._encoder = load_encoder(FOLDER / "en.safetensors", self.labels)
            return self._encoder

    def answer(self, texts: Sequence[str]) -> list[TextAnswer]:
        """A label for each text. `latency_ms` is then the time of this call per text, loading left out."""
        cleaned = clean_texts(texts).texts
        languages = [reader_of(text) for text in cleaned]
        if "en" in languages:
            self.encoder()
        if "zh" in languages:
            self.characters()
        began = time.perf_counter()
        positive = np.full(len(cleaned), np.nan)
        for language in ("en", "zh"):
            rows = [row for row, own in enumerate(languages) if own == language]
            if rows:
                positive[rows] = self.positive([cleaned[row] for row in rows], language)
        self.latency_ms = (time.perf_counter() - began) * 1000 / max(1, len(cleaned))
        return [self._answer(float(p), language) for p, language in zip(positive, languages, strict=True)]

    def positive(self, texts: Sequence[str], language: str) -> NDArray[np.float64]:
        """The probability of `positive` [N] by one language's model, calibrated."""
        logits = self.characters().logits(texts) if language == "zh" else self.encoder().logits(texts)
        shares: NDArray[np.float64] = 1 / (1 + np.exp(-self._sharpness[language] * logits))
        return shares

    def _answer(self, positive: float, language: str | None) -> TextAnswer:
        if language is None:
            return TextAnswer("unsure", reason="predict.no_letters")
        if language == "other":
            return TextAnswer("declined", reason="predict.other_language")
        shares = {"positive": positive, "negative": 1 - positive}
        best = max(shares, key=shares.__getitem__)
        ordered = {best: shares[best], **{name: value for name, value in shares.items() if name != best}}
        return TextAnswer(best if shares[best] >= self._sure else "unsure", ordered, f"{self.id}/{language}")

    def explain(self, text: str) -> tuple[str, list[Piece]]:
        """(class, how much each part of the text spoke for it in log-odds): exact in Chinese, by omission else."""
        language = reader_of(text)
        if language is None or language == "other":
            return "positive", [Piece(text)]
        if language == "en":
            pieces = self.encoder().explain(text, "positive")[1]
        else:
            sums = np.concatenate([[0.0], np.cumsum(self.characters().contributions(text))])
            parts = [part for part, _ in split_pieces(text)]
            ends = np.cumsum([len(part) for part in parts])
            pieces = [
                Piece(part, float(sums[end] - sums[end - len(part)])) for part, end in zip(parts, ends, strict=True)
            ]
        sharpness = self._sharpness[language]
        return "positive", [Piece(piece.text, sharpness * piece.weight) for piece in pieces]
