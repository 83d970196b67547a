"""How well few examples are learned from: folders of so many, brought without a test of their own, as people have them.

Every training is the engine's own at its defaults, on a folder of drawn examples; what it saved is asked about fresh
examples that it never saw, drawn from the data set's own test. Beside that stands what the run itself told: its own
small test, and cross-validation.
"""

from __future__ import annotations

import csv
import statistics
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from core.data.images import ImageData, load_images
from core.data.texts import TextData, load_texts
from core.files import to_json
from core.finetune.fitting import read_features
from core.finetune.learner import ImageLearner, TextLearner
from core.finetune.records import cross_validation_of
from core.finetune.run import Finetuning, finetune
from core.finetune.spec import FinetuneSpec
from core.hardware import describe_machine, keep_freed_memory
from core.models.catalog import get_model
from core.networks.image import load_classifier
from core.networks.text import load_text_classifier
from core.progress import PhaseClock, SilentReporter
from core.spec import DataRef

PICTURES, TEXTS = "bundled/efficientnet_lite0", "bundled/minilm-l6"
EDGE = 96
FRESH = 3000


@dataclass(frozen=True)
class Row:
    """One training on `n` examples."""

    model: str
    method: str
    n: int
    draw: int
    fresh: float  # accuracy of the saved model on examples it never saw
    told: float  # on the run's own test
    cross_validated: float | None
    begun_from: float | None  # what the fitted head alone reached on the run's own test
    seconds: float


class _Fresh:
    """Examples that no training sees, and what the frozen network makes of them."""

    def __init__(self, model: str, data: str, scratch: Path) -> None:
        self.model, self.data, self.card = model, DataRef(id=data), get_model(model)
        spec = _spec(model, self.data, "head", train_size=2, test_size=FRESH)
        training = Finetuning(spec, scratch / "fresh", SilentReporter(), resume=False, resumable=False)
        training.task.load_data(as_in_0_1=False)
        training.data = training.task.data
        training.task.build_model()
        training._pick_engine()
        learner = training.task.build_learner(training.engine)
        assert isinstance(learner, ImageLearner | TextLearner)
        self.targets = torch.from_numpy(training.data.targets[training.data.test])
        with learner.exactly():
            clock, engine = PhaseClock(SilentReporter()), training.engine.exact()
            self.features = read_features(learner, training.data.test, clock, 64, engine)
        self.learner, self.rows, self.engine = learner, training.data.test, training.engine.exact()

    def accuracy(self, folder: Path, method: str) -> float:
        """Of the model saved in a folder."""
        saved = load_text_classifier(folder) if self.card.is_text else load_classifier(folder, image_size=EDGE)
        features = self.features
        if method != "head":
            self.learner.model, self.learner.prefix, self.learner.cut = saved, None, 0
            clock = PhaseClock(SilentReporter())
            features = read_features(self.learner, self.rows, clock, 64, self.engine)
        with torch.inference_mode():
            norm, linear = saved.head.get_submodule("norm"), saved.head.get_submodule("linear")
            answers = linear(norm(features))
        return float((answers.argmax(1) == self.targets).double().mean())

    def draw(self, n: int, draw: int, folder: Path) -> str:
        """Write n training examples as people bring them; returns their data id."""
        if self.card.is_text:
            texts = load_texts(self.data, train_size=n, test_size=2, seed=draw)
            return _write_table(texts, folder)
        pictures = load_images(
            self.data, self.card.vision.at(EDGE), train_size=n, test_size=2, seed=draw, reporter=SilentReporter()
        )
        return _write_pictures(pictures, folder)


def _write_table(data: TextData, folder: Path) -> str:
    folder.mkdir(parents=True)
    with (folder / "texts.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        writer.writerows([data.texts[row], data.labels[data.targets[row]]] for row in data.train)
    return f"path:{folder / 'texts.csv'}"


def _write_pictures(data: ImageData, folder: Path) -> str:
    for row, picture in zip(data.train, data.pixels.pictures(data.train), strict=True):
        place = folder / data.labels[data.targets[row]]
        place.mkdir(parents=True, exist_ok=True)
        picture.save(place / f"{row}.png")
    return f"path:{folder}"


def _spec(model: str, data: DataRef, method: str, **more: Any) -> FinetuneSpec:
    size = {} if get_model(model).is_text else {"image_size": EDGE}
    return FinetuneSpec.model_validate({"model": {"id": model}, "data": data, "method": method, **size, **more})


def measure(
    images: str, texts: str, out: Path, *, pictures: list[int], sentences: list[int], full: list[int], draws: int
) -> list[Row]:
    """Train on every number of examples as often as asked; print the table and save it."""
    keep_freed_memory()
    jobs = [(PICTURES, images, "head", pictures), (TEXTS, texts, "head", sentences), (PICTURES, images, "full", full)]
    rows: list[Row] = []
    for model, data, method, sizes in jobs:
        if not sizes:
            continue
        with tempfile.TemporaryDirectory(prefix="graft-bench-") as scratch:
            fresh = _Fresh(model, data, Path(scratch))
            for n in sizes:
                for draw in range(draws):
                    rows.append(_train(fresh, method, n, draw, Path(scratch)))
                    print(rows[-1], file=sys.stderr, flush=True)
    table = {"machine": asdict(describe_machine()), "rows": [asdict(row) for row in rows]}
    out.write_text(to_json(table) + "\n", encoding="utf-8")
    print(render(rows))
    return rows


def _train(fresh: _Fresh, method: str, n: int, draw: int, scratch: Path) -> Row:
    name = f"{method}-{n}-{draw}"
    data = DataRef(id=fresh.draw(n, draw, scratch / f"data-{name}"))
    summary = finetune(_spec(fresh.model, data, method), scratch / name, SilentReporter(), resume=False)
    probe = summary.get("probe")
    told = cross_validation_of(summary)
    return Row(
        model=fresh.model,
        method=method,
        n=n,
        draw=draw,
        fresh=fresh.accuracy(scratch / name / "artifacts" / "model", method),
        told=summary["test"]["accuracy"],
        cross_validated=told["accuracy"] if told else None,
        begun_from=probe["accuracy"] if probe else None,
        seconds=sum(summary["phases"].values()),
    )


def render(rows: list[Row]) -> str:
    """The table for people: means over draws, with the spread."""
    lines = [f"{'model':28} {'method':6} {'n':>5} {'fresh':>13} {'own test':>9} {'held out':>9} {'seconds':>8}"]
    for key in dict.fromkeys((row.model, row.method, row.n) for row in rows):
        mine = [row for row in rows if (row.model, row.method, row.n) == key]
        fresh = np.array([row.fresh for row in mine])
        spread = statistics.stdev(fresh) if len(fresh) > 1 else 0.0
        held = [row.cross_validated for row in mine if row.cross_validated is not None]
        lines.append(
            f"{key[0]:28} {key[1]:6} {key[2]:5} {fresh.mean():7.1%} ±{spread:5.1%} "
            f"{statistics.mean(row.told for row in mine):9.1%} {statistics.mean(held) if held else 0:9.1%} "
            f"{statistics.mean(row.seconds for row in mine):8.1f}"
        )
    return "\n".join(lines)
