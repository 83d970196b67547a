"""What is special about a task: how its data is read, its network built, its mistakes shown, its model saved.

Everything else about a run (loop, checkpoints, engine, report) is the same for pictures and texts.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from core.data.images import load_images
from core.data.texts import load_texts
from core.data.token_lengths import MOST_READ, covering_length
from core.evaluate import write_predictions
from core.files import replacing
from core.finetune.autotune import ComputeChoice
from core.finetune.image_features import FrozenPrefix
from core.finetune.learner import ImageLearner, TextLearner, balanced_weights
from core.finetune.records import BaselineReport, FinetuneReport, Mistake, TaskFacts, TaskReport
from core.finetune.rivals import better_of, lead_over, score_rival
from core.finetune.spec import FinetuneSpec
from core.finetune.text_features import FrozenEncoder
from core.models.card import ModelCard
from core.networks.identity import identity, identity_of_reading
from core.networks.image import build_classifier, save_classifier
from core.networks.text import build_text_classifier, save_text_classifier
from core.networks.tokens import Tokens, measure_lengths
from core.networks.transforms import Batcher
from core.networks.tuning import set_trainable
from core.progress import PhaseClock
from core.registry.methods import METHODS, MethodSettings

MISTAKES_SHOWN = 24
_SHOWN_CHARS = 600
_CHECKED_TEXTS = 8

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


def _worst(targets: Ints, probabilities: Floats) -> Ints:
    """Places of the wrong answers the model was surest of."""
    wrong = np.flatnonzero(probabilities.argmax(1) != targets)
    rows: Ints = wrong[np.argsort(-probabilities.max(1)[wrong], kind="stable")][:MISTAKES_SHOWN]
    return rows


class ImageTask:
    """Pictures in classes."""

    def __init__(self, spec: FinetuneSpec, card: ModelCard, device: torch.device, clock: PhaseClock) -> None:
        self.spec, self.card, self.device, self.clock = spec, card, device, clock
        self.size = spec.image_size or card.vision.image_size

    def load_data(self, *, as_in_0_1: bool) -> None:
        spec = self.spec
        self.data = load_images(
            spec.data,
            self.card.vision.at(self.size),
            train_size=spec.train_size,
            test_size=spec.test_size,
            seed=spec.seed,
            reporter=self.clock,
            as_in_0_1=as_in_0_1,
        )
        self.data.pixels.ensure(np.concatenate([self.data.train, self.data.validation, self.data.test]), self.clock)

    def build_model(self) -> None:
        spec = self.spec
        self.model = build_classifier(spec.model, list(self.data.labels), seed=spec.seed, image_size=self.size)
        if self.data.is_native:  # tiny pictures are learned whole: predictions must not crop theirs
            self.model.preprocessing = self.model.preprocessing.whole()
        set_trainable(self.model, spec.method, MethodSettings.of(spec))
        self.cut = self.model.num_frozen
        if METHODS[spec.method].kept and not self.cut:
            self.clock.log(f"All of {self.card.id} learns: it has {self.model.num_blocks} blocks")

    def build_learner(self, engine: ComputeChoice) -> ImageLearner:
        spec, model = self.spec, self.model
        channels_last = engine.layout == "channels_last"
        model.to(self.device)
        model.to(memory_format=torch.channels_last if channels_last else torch.contiguous_format)
        batcher = Batcher(self.card.vision, self.size, self.device, channels_last)
        prefix = None
        if self.cut and spec.augment == "none":
            network = identity(model.net)
            prefix = FrozenPrefix(model, self.cut, batcher, self.data.pixels, engine, network, self.clock)
        weights_ = balanced_weights(self.data) if spec.class_weights else None
        return ImageLearner(model, self.cut, batcher, self.data, prefix, spec.augment, weights_)

    def write_mistakes(self, folder: Path, rows: Ints, targets: Ints, probabilities: Floats) -> list[Mistake]:
        """The wrong answers the model was surest of, as pictures."""
        (folder / "mistakes").mkdir(exist_ok=True)
        predicted, mistakes = probabilities.argmax(1), list[Mistake]()
        for place, i in enumerate(_worst(targets, probabilities)):
            picture = Image.fromarray(self.data.pixels.read(rows[i : i + 1])[0])
            if picture.width < 96:  # enlarged without smoothing: the model saw no more than these squares
                picture = picture.resize((96, 96), Image.Resampling.NEAREST)
            picture.thumbnail((256, 256))
            with replacing(folder / "mistakes" / f"{place}.webp") as unfinished:
                picture.save(unfinished, quality=85)
            mistakes.append(
                {
                    "row": int(rows[i]),
                    "file": f"mistakes/{place}.webp",
                    "true": self.data.labels[targets[i]],
                    "predicted": self.data.labels[predicted[i]],
                    "confidence": float(probabilities[i].max()),
                }
            )
        return mistakes

    def write_more(self, folder: Path, trained: Ints) -> TaskReport:
        """What else belongs into the report: nothing."""
        return {}

    def save_model(self, folder: Path, **facts: Any) -> None:
        save_classifier(self.model, folder, image_size=self.size, **facts)

    def facts(self, report: FinetuneReport) -> TaskFacts:
        """What the summary says beside what is true of every task."""
        return {"image_size": self.size}


class TextTask:
    """Texts in classes."""

    def __init__(self, spec: FinetuneSpec, card: ModelCard, device: torch.device, clock: PhaseClock) -> None:
        self.spec, self.card, self.device, self.clock = spec, card, device, clock
        self.size = 0  # tokens of a text that are read, known with the model's own tokenizer

    def load_data(self, *, as_in_0_1: bool) -> None:
        spec = self.spec
        sizes = {"train_size": spec.train_size, "test_size": spec.test_size}
        self.data = load_texts(spec.data, **sizes, seed=spec.seed, as_in_0_1=as_in_0_1)

    def build_model(self) -> None:
        spec, data = self.spec, self.data
        self.model = build_text_classifier(spec.model, list(data.labels), seed=spec.seed)
        self.size = self._length()
        set_trainable(self.model, spec.method, MethodSettings.of(spec))
        self.cut = self.model.num_frozen
        self.clock.phase("tokens")
        rows = np.concatenate([data.train, data.validation, data.test])
        self.tokens = Tokens(data.texts, rows, self.model.tokenizer, self.size, self.clock)
        self.clock.log(
            f"{self.tokens.share_cut:.1%} of the texts are longer than {self.size} tokens, "
            f"{self.tokens.share_unknown:.1%} of the tokens are unknown"
        )

    def _length(self) -> int:
        """How many tokens of a text are read: as many as were asked for, or what covers most of all the texts.

        Of all, so that trainings on a part of them, which are compared, read alike.
        """
        longest = min(self.card.reading.max_length, self.model.max_length)
        if self.spec.max_length is not None:
            return min(self.spec.max_length, longest)
        length = covering_length(measure_lengths(self.data.texts, self.model.tokenizer), longest)
        self.clock.log(f"{length} tokens of each text are read: what covers 95% of them, at most {MOST_READ}")
        return length

    def build_learner(self, engine: ComputeChoice) -> TextLearner:
        spec, model = self.spec, self.model
        model.to(self.device)
        prefix, cut = None, self.cut
        if cut and (cut == model.num_blocks or (model.can_be_cut and self._is_cut_exact())):
            reading = identity_of_reading(self.data.texts, model.tokenizer, self.size)
            facts = f"{identity(model.net, model.config)}|{reading}"
            prefix = FrozenEncoder(model, cut, self.tokens, engine, facts, self.device, self.clock)
        class_weights = balanced_weights(self.data) if spec.class_weights else None
        return TextLearner(model, cut if prefix else 0, self.tokens, self.data, prefix, self.device, class_weights)

    def _is_cut_exact(self) -> bool:
        """Whether the layers above the cut give the same from the kept states as the whole network does.

        Measured, as networks differ in what their layers hand on beside the states.
        """
        batch = self.tokens(self.data.train[:_CHECKED_TEXTS], self.device)
        self.model.eval()
        with torch.inference_mode():
            whole = self.model.run(batch, 0)
            parts = self.model.run(batch.with_hidden(self.model.run_prefix(batch, self.cut)), self.cut)
        difference = float((whole - parts).abs().max() / whole.abs().max().clamp(min=1e-6))
        if difference > 1e-3:
            self.clock.log(f"The frozen layers cannot be run apart (difference {difference:.1e}): nothing is kept")
        return difference <= 1e-3

    def write_mistakes(self, folder: Path, rows: Ints, targets: Ints, probabilities: Floats) -> list[Mistake]:
        """The wrong answers the model was surest of."""
        predicted, data = probabilities.argmax(1), self.data
        return [
            {
                "row": int(rows[i]),
                "text": data.texts[rows[i]][:_SHOWN_CHARS],
                "true": data.labels[targets[i]],
                "predicted": data.labels[predicted[i]],
                "confidence": float(probabilities[i].max()),
            }
            for i in _worst(targets, probabilities)
        ]

    def write_more(self, folder: Path, trained: Ints) -> TaskReport:
        """Run the simple rival on the rows that were trained on, keep its answers, and say which is better."""
        from core.finetune.baseline import run_baseline  # here, as only texts need scikit-learn

        self.clock.phase("baseline")
        data, seed = self.data, self.spec.seed
        rival = run_baseline(data.texts, data.targets, trained, data.test, len(data.labels), seed)
        targets = data.targets[data.test]
        with replacing(folder / "baseline.parquet") as unfinished:
            write_predictions(unfinished, data.test, targets, rival.probabilities, data.leaked)
        lead = lead_over(folder / "predictions.parquet", folder / "baseline.parquet")
        is_better = better_of(lead)
        baseline: BaselineReport = {
            "kind": rival.name,
            "seconds": rival.seconds,
            "trained_on": rival.rows,
            **score_rival(targets, rival.probabilities, data.leaked),
            **lead,
            "better": None if is_better is None else "model" if is_better else "baseline",
        }
        return {"baseline": baseline}

    def save_model(self, folder: Path, **facts: Any) -> None:
        save_text_classifier(self.model, folder, max_length=self.size, **facts)

    def facts(self, report: FinetuneReport) -> TaskFacts:
        """What the summary says beside what is true of every task."""
        lengths = self.tokens.lengths[self.tokens.lengths > 0]
        return {
            "max_length": self.size,
            "tokens": {
                "median": int(np.median(lengths)),
                "mean": float(lengths.mean()),
                "share_cut": self.tokens.share_cut,
                "share_unknown": self.tokens.share_unknown,
            },
            "baseline": report["baseline"],
        }
