"""The simple rival of every text model: word counts and a linear classifier, trained beside it in seconds.

TF-IDF (Spärck Jones 1972) of words and pairs of words, or of characters where a language writes no blanks,
with logistic regression. A transformer that does not beat it adds nothing.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

# More rows teach such a model little and would make it the slow part.
MAX_ROWS = 50_000
MAX_FEATURES = 200_000


@dataclass(frozen=True)
class Baseline:
    """What the simple model answers for the test rows."""

    name: str
    probabilities: NDArray[np.float64]  # [N, C]
    seconds: float
    rows: int  # trained on


def run_baseline(
    texts: list[str],
    targets: NDArray[np.int64],
    train: NDArray[np.int64],
    test: NDArray[np.int64],
    num_classes: int,
    seed: int,
) -> Baseline:
    """Train on `train` rows, answer for `test` rows."""
    began = time.perf_counter()
    rows = train[:MAX_ROWS]
    learned = [texts[row] for row in rows]
    has_words = [bool(re.search(r"\w", text)) and (" " in text or text.isascii()) for text in learned[:500]]
    is_spaced = bool(np.mean(has_words) > 0.5)
    vectorizer = TfidfVectorizer(
        analyzer="word" if is_spaced else "char",
        ngram_range=(1, 2) if is_spaced else (1, 3),
        token_pattern=r"(?u)\b\w[\w']*" if is_spaced else None,
        sublinear_tf=True,
        min_df=1 if len(rows) < 5000 else 2,
        max_features=MAX_FEATURES,
    )
    votes = np.zeros((len(test), num_classes))
    present = np.unique(targets[rows])
    if len(present) == 1:
        votes[:, present[0]] = 1.0
    else:
        model = LogisticRegression(C=10.0, max_iter=200, random_state=seed)
        model.fit(vectorizer.fit_transform(learned), targets[rows])
        votes[:, model.classes_] = model.predict_proba(vectorizer.transform([texts[row] for row in test]))
    name = "words" if is_spaced else "characters"
    return Baseline(name, votes, time.perf_counter() - began, len(rows))
