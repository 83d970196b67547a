"""The sentiment model that comes along: both languages, its words, its band of doubt, and texts meant to harm."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bench.sentiment import render
from core.predict.sentiment.characters import (
    CharacterModel,
    find_buckets,
    load_characters,
    plain_characters,
    save_characters,
)
from core.predict.sentiment.languages import reader_of
from core.predict.sentiment.model import FOLDER, Sentiment, read_card

PRAISE = "这部电影真是太棒了，演员的表演非常出色，剧情也很吸引人。"
COMPLAINT = "我从未看过如此糟糕的电影，简直是在浪费时间。"
MIDDLING = "这部电影还行，没有特别出彩的地方，但也不难看。"


@pytest.fixture(scope="module")
def sentiment() -> Sentiment:
    return Sentiment()


def test_chinese_examples_are_answered_as_a_reader_would(sentiment: Sentiment) -> None:
    praise, complaint, middling = sentiment.answer([PRAISE, COMPLAINT, MIDDLING])
    assert (praise.label, complaint.label) == ("positive", "negative")
    assert praise.probabilities["positive"] >= 0.8
    assert complaint.probabilities["negative"] >= 0.8
    assert middling.label == "unsure" or (middling.label == "positive" and middling.probabilities["positive"] < 0.8)
    assert {answer.model for answer in (praise, complaint, middling)} == {"sentiment/zh"}


def test_english_and_chinese_are_answered_together_in_their_order(sentiment: Sentiment) -> None:
    answers = sentiment.answer(["a wonderful film, I loved it", COMPLAINT, "a dull, lifeless mess", PRAISE, "🙂"])
    assert [answer.label for answer in answers] == ["positive", "negative", "negative", "positive", "unsure"]
    assert [answer.model for answer in answers[:4]] == ["sentiment/en", "sentiment/zh"] * 2
    assert (answers[4].probabilities, answers[4].reason) == ({}, "predict.no_letters")
    assert sentiment.latency_ms is not None
    assert sentiment.latency_ms > 0


def test_below_its_limit_it_says_unsure(sentiment: Sentiment) -> None:
    limit = read_card()["unsure_below"]
    texts = [PRAISE, COMPLAINT, MIDDLING, "房间一般，早餐不错，价格偏高。", "还可以吧", "东西收到了"]
    answers = sentiment.answer(texts)
    for answer in answers:
        assert (answer.label == "unsure") == (answer.confidence is not None and answer.confidence < limit)
        assert sum(answer.probabilities.values()) == pytest.approx(1)
    assert any(answer.label == "unsure" for answer in answers)


@pytest.mark.parametrize(
    "text", ["", "   ", "\x00", "🙂🎉", "مرحبا", "字" * 1_000_000, "good " * 200_000, "\ud800bad", "<b>好</b>"]
)
def test_hostile_text_gets_an_answer(sentiment: Sentiment, text: str) -> None:
    (answer,) = sentiment.answer([text])
    assert answer.label in {"positive", "negative", "unsure", "declined"}
    assert all(np.isfinite(value) for value in answer.probabilities.values())


FOREIGN = [
    "Une soirée merveilleuse, tout était parfait.", "방이 깨끗하고 조용했어요",
    "Das Essen war kalt und der Kellner unfreundlich.",
    "Uma noite maravilhosa, tudo perfeito.", "Una película aburrida, una pérdida de tiempo.",
    "とても良い映画でした", "Очень хороший фильм", "مرحبا بك", "Il cibo era freddo e il cameriere scortese.",
    "Très bien", "Sehr schlecht", "Phim rất hay, tôi rất thích",
]  # fmt: skip
ENGLISH = [
    "The crème brûlée at Café Señor was déjà vu", "Je ne regrette rien is a great song", "Best sushi in San Francisco",
    "dirty room no breakfast bad staff", "Not bad", "meh", "luv it sooo much!!!", "AMAZING!!!", "Ｇｒｅａｔ ｆｉｌｍ",
]  # fmt: skip


@pytest.mark.parametrize("text", FOREIGN)
def test_other_languages_are_declined_with_the_reason(sentiment: Sentiment, text: str) -> None:
    (answer,) = sentiment.answer([text])
    assert (answer.label, answer.reason, answer.probabilities) == ("declined", "predict.other_language", {})
    assert sentiment.explain(text)[1][0].weight == 0


def test_english_and_chinese_with_foreign_words_are_not_declined() -> None:
    assert {text: reader_of(text) for text in ENGLISH} == dict.fromkeys(ENGLISH, "en")
    chinese = [
        "这个App很好用",
        "优の良品很好吃",
        "OMG 太好吃了",
        "T恤质量差",
        "α版本很稳定",
        PRAISE,
        COMPLAINT,
        MIDDLING,
    ]
    assert {text: reader_of(text) for text in chinese} == dict.fromkeys(chinese, "zh")


@pytest.mark.parametrize("text", [PRAISE, COMPLAINT, "a wonderful film with a dull ending", "很好 " * 40])
def test_pieces_make_up_the_text_and_point_the_right_way(sentiment: Sentiment, text: str) -> None:
    label, pieces = sentiment.explain(text)
    assert label == "positive"
    assert "".join(piece.text for piece in pieces) == text
    strongest = max(pieces, key=lambda piece: abs(piece.weight))
    assert any(word in strongest.text for word in ("棒", "出色", "糟糕", "浪费", "wonderful", "dull", "好"))


def test_contributions_of_characters_add_up_to_the_log_odds(sentiment: Sentiment) -> None:
    model = sentiment.characters()
    for text in (PRAISE, "ＡＢＣ 很 好，很好，很好！", "好"):
        buckets, spans = find_buckets([c for c, _ in plain_characters(text)])
        unique, counts = np.unique(buckets, return_counts=True)
        norm = np.linalg.norm(model.idf[unique])
        times = dict(zip(unique.tolist(), counts.tolist(), strict=True))
        last = len(plain_characters(text))
        marks = sum(
            model.weight[b] * model.idf[b] / norm / times[b] / (end - start) * ((start == 0) + (end == last + 2))
            for b, (start, end) in zip(buckets.tolist(), spans, strict=True)
        )
        assert model.contributions(text).sum() + marks + model.bias == pytest.approx(model.logit(text), abs=1e-9)


def test_characters_are_the_same_after_saving(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    model = CharacterModel(1 + random.random(1 << 18), random.normal(size=1 << 18), 0.25)
    save_characters(model, tmp_path / "x.safetensors")
    again = load_characters(tmp_path / "x.safetensors")
    assert again.logit(PRAISE) == pytest.approx(model.logit(PRAISE), abs=5e-3)


def test_chinese_needs_no_torch() -> None:
    script = f"""
import sys
from core.predict.sentiment.model import Sentiment
assert Sentiment().answer([{PRAISE!r}])[0].label == "positive"
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", script], cwd=FOLDER.parents[2], check=True, timeout=60)


def test_card_tells_what_was_trained_on_and_meets_the_bar() -> None:
    card = json.loads((FOLDER / "card.json").read_text(encoding="utf-8"))
    assert card["en"]["scores"]["sst2"]["accuracy"] >= 0.86
    assert card["zh"]["scores"]["hotel"]["accuracy"] >= 0.88
    assert card["zh"]["scores"]["thirty"]["right"] >= 24
    for language in ("en", "zh"):
        assert sum(card[language]["trained_on"].values()) > 10_000
        for row in card[language]["scores"].values():
            assert row["interval"][0] <= row["accuracy"] <= row["interval"][1]
    assert render(card["zh"]["scores"]).count("\n") == len(card["zh"]["scores"])


def test_weights_hold_no_rows_and_stay_small() -> None:
    sizes = {path.name: path.stat().st_size for path in FOLDER.glob("*.safetensors")}
    assert set(sizes) == {"en.safetensors", "zh.safetensors"}
    assert sum(sizes.values()) < 4_000_000
