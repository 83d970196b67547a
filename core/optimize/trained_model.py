"""The model that is optimized, with its data, as the passes take it."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from core import settings
from core.data.images import ImageData, load_images
from core.data.picture import fit_image
from core.data.text_cleaning import clean_texts
from core.data.texts import TextData, load_texts
from core.data.token_lengths import MOST_READ
from core.errors import DataError, RunError
from core.files import to_json, write_atomically
from core.finetune.learner import ImageLearner, Learner, TextLearner
from core.measurement.runtimes import InputArrays
from core.measurement.timing import BATCH, save_inputs
from core.models.card import ModelCard
from core.models.catalog import get_model
from core.models.weight_files import model_folder
from core.networks.exportable import Network, build_network, exportable
from core.networks.image import ImageClassifier
from core.networks.text import TextClassifier
from core.networks.tokens import Tokens
from core.networks.transforms import Batcher
from core.optimize.rows import Measures
from core.optimize.spec import OptimizeSpec
from core.problems import Problem
from core.progress import PhaseClock
from core.store import open_store

Ints = NDArray[np.int64]
_CPU = torch.device("cpu")


class SplitFields(TypedDict, total=False):
    """What draws the same rows of data again; a number that is not given stands for all."""

    seed: int
    train_size: int | None
    test_size: int | None


class TrainedModel(ABC):
    """What is optimized. `labels` are the network's own; `is_labelled`: the data speaks of the same ones."""

    data: ImageData | TextData
    input_names: tuple[str, ...]

    def __init__(self, spec: OptimizeSpec, card: ModelCard, clock: PhaseClock) -> None:
        self.spec, self.card, self.clock = spec, card, clock
        self.size = 0  # px of a picture's edge, or tokens of a text
        self._fingerprint: str | None = None  # of the data as the model was trained on it

    @property
    def labels(self) -> list[str]:
        """The classes that the network answers with."""
        return list(self.model.labels)

    @property
    def is_labelled(self) -> bool:
        """Whether the data's classes are the network's: otherwise only agreement can be measured."""
        return list(self.data.labels) == self.labels

    @cached_property
    def model(self) -> Network:
        """The original network, fp32 on the CPU, not to be changed: passes work on `fresh()`."""
        return self.fresh()

    def fresh(self) -> Network:
        """Another copy of the original network, to be changed."""
        return build_network(self.spec.model.id)

    @abstractmethod
    def load(self) -> None:
        """Read data and network. Raises `DataError` when the data is not what the model was trained on any more."""

    @abstractmethod
    def inputs(self, rows: Ints) -> InputArrays:
        """What an exported file is given for these rows."""

    @abstractmethod
    def batches(self, rows: Ints, batch_size: int) -> Iterator[tuple[Ints, InputArrays]]:
        """(places within `rows`, inputs), in the order in which answering is quickest."""

    @abstractmethod
    def dynamic_shapes(self) -> dict[str, dict[int, Any]]:
        """Which axes of the inputs may have any length, for torch.export."""

    @abstractmethod
    def learner(
        self, network: Network, teacher: Tensor | None = None, weight: float = 0.0, heat: float = 1.0
    ) -> Learner:
        """The network ready to train on the training rows, from `teacher` logits [rows of the data, C] too if given."""

    @abstractmethod
    def raw(self, rows: Ints) -> list[Any]:
        """The pictures (PIL) or texts of rows, as a user would bring them."""

    @abstractmethod
    def prepare(self, raw: list[Any]) -> InputArrays:
        """What an exported file is given for pictures or texts as they were brought: as Predict prepares them."""

    @abstractmethod
    def measures(self, rows: Ints) -> Measures:
        """How large what the network reads is, for these rows: pixels, or tokens."""

    @abstractmethod
    def write_preprocessing(self, folder: Path) -> None:
        """Write `preprocessing.json` (and a text's `tokenizer.json`): what a file needs to read pictures or texts."""

    # -- shared ------------------------------------------------------------------------------------------
    def _split_of_parent(self) -> SplitFields:
        """train_size, test_size and seed of the run that made the model, if it was trained on this data."""
        if self.card.source != "run":
            return {}
        run = open_store().get_run(self.card.id.partition("/")[2])
        asked, known = run.spec.get("data") or {}, run.summary.get("data") or {}
        if asked.get("id") != self.spec.data.id and known.get("id") != self.spec.data.id:
            return {}
        if not known.get("fingerprint"):
            raise DataError([Problem("optimize.no_split", field="data", values={"id": self.card.id})])
        self._fingerprint = known["fingerprint"]
        sizes: SplitFields = {"train_size": run.spec.get("train_size"), "test_size": run.spec.get("test_size")}
        return {**sizes, "seed": run.spec["seed"]}

    def split(self) -> SplitFields:
        """What draws the same rows from the same data again: seed and, if given, the numbers of rows."""
        return {"seed": self.spec.seed, **self._split_of_parent()}

    def _check_fingerprint(self) -> None:
        if self._fingerprint not in (None, self.data.fingerprint):
            values = {"id": self.spec.data.id, "model": self.card.name}
            raise DataError([Problem("optimize.data_changed", field="data", values=values)])
        kept = settings.folder("runs") / self.card.id.partition("/")[2] / "artifacts" / "predictions.parquet"
        if self._fingerprint is None or not kept.is_file():
            return
        import pandas as pd

        try:
            tested = pd.read_parquet(kept, columns=["row"])["row"].to_numpy()
        except (OSError, ValueError) as error:
            raise RunError("run.predictions_damaged", id=kept.parents[1].name, path=str(kept)) from error
        if not np.array_equal(np.sort(tested), np.sort(self.data.test)):
            values = {"id": self.spec.data.id, "model": self.card.name}
            raise DataError([Problem("optimize.split_changed", field="data", values=values)])

    @torch.inference_mode()
    def logits(self, network: nn.Module, rows: Ints, batch_size: int = 32) -> NDArray[np.float32]:
        """Logits [n, C] of rows by a torch network, in fp32. Raises `StoppedError` between batches."""
        module = exportable(network).eval()
        answers = np.zeros((len(rows), len(self.labels)), dtype=np.float32)
        for places, inputs in self.batches(rows, batch_size):
            self.clock.raise_if_stopped()
            tensors = [torch.from_numpy(inputs[name]) for name in self.input_names]
            answers[places] = module(*tensors).float().numpy()
        return answers


class TrainedImageModel(TrainedModel):
    """A network for pictures: `pixels` float32 [n, 3, size, size], normalised."""

    input_names = ("pixels",)
    data: ImageData

    def load(self) -> None:
        spec, how = self.spec, self.card.vision
        self.size = how.image_size
        self.data = load_images(spec.data, how, reporter=self.clock, **self.split())
        self._check_fingerprint()
        self.clock.phase("model")
        self._batcher = Batcher(how, self.size, _CPU, channels_last=False)

    def inputs(self, rows: Ints) -> InputArrays:
        return {"pixels": self._batcher(self.data.pixels.read(rows)).numpy()}

    def batches(self, rows: Ints, batch_size: int) -> Iterator[tuple[Ints, InputArrays]]:
        for start in range(0, len(rows), batch_size):
            part = rows[start : start + batch_size]
            yield np.arange(start, start + len(part)), self.inputs(part)

    def dynamic_shapes(self) -> dict[str, dict[int, Any]]:
        return {"pixels": {0: torch.export.Dim("batch", min=1, max=4096)}}

    def learner(
        self, network: Network, teacher: Tensor | None = None, weight: float = 0.0, heat: float = 1.0
    ) -> Learner:
        assert isinstance(network, ImageClassifier)
        batcher = Batcher(self.card.vision, self.size, _CPU, channels_last=True)
        network.to(memory_format=torch.channels_last)
        learner = ImageLearner(network, 0, batcher, self.data, None)
        learner.learn_from(teacher, weight, heat)
        return learner

    def measures(self, rows: Ints) -> Measures:
        return {"image_size": self.size}

    def raw(self, rows: Ints) -> list[Image.Image]:
        return self.data.pixels.pictures(rows)

    def prepare(self, raw: list[Any]) -> InputArrays:
        pixels = [fit_image(picture, self.card.vision.at(self.size)) for picture in raw]
        return {"pixels": self._batcher(np.stack(pixels)).numpy()}

    def write_preprocessing(self, folder: Path) -> None:
        assert isinstance(self.model, ImageClassifier)
        how = self.model.preprocessing
        facts = {"task": self.card.task, "labels": self.labels, "input": "pixels", **how.model_dump(mode="json")}
        write_atomically(folder / "preprocessing.json", to_json(facts))


class TrainedTextModel(TrainedModel):
    """A network for texts: `input_ids` and `attention_mask` int64 [n, T]."""

    input_names = ("input_ids", "attention_mask")
    data: TextData

    @property
    def network(self) -> TextClassifier:
        """The original, which brings the tokenizer."""
        assert isinstance(self.model, TextClassifier)
        return self.model

    def load(self) -> None:
        spec = self.spec
        self.data = load_texts(spec.data, **self.split())
        self._check_fingerprint()
        self.clock.phase("model")
        self.size = min(MOST_READ, self.network.max_length)
        if self.card.source == "run":
            facts = json.loads((model_folder(self.card) / "model.json").read_text(encoding="utf-8"))
            self.size = int(facts["max_length"])
        data = self.data
        self.clock.phase("tokens")
        rows = np.unique(np.concatenate([data.train, data.validation, data.test]))
        self.tokens = Tokens(data.texts, rows, self.network.tokenizer, self.size, self.clock)

    def inputs(self, rows: Ints) -> InputArrays:
        batch = self.tokens(rows)
        return {"input_ids": batch.ids.numpy(), "attention_mask": batch.mask.numpy()}

    def batches(self, rows: Ints, batch_size: int) -> Iterator[tuple[Ints, InputArrays]]:
        order = np.argsort(self.tokens.lengths[rows], kind="stable")
        for start in range(0, len(rows), batch_size):
            places = order[start : start + batch_size]
            yield places, self.inputs(rows[places])

    def dynamic_shapes(self) -> dict[str, dict[int, Any]]:
        batch = torch.export.Dim("batch", min=1, max=4096)
        length = torch.export.Dim("length", min=2, max=self.network.max_length)
        return {name: {0: batch, 1: length} for name in self.input_names}

    def learner(
        self, network: Network, teacher: Tensor | None = None, weight: float = 0.0, heat: float = 1.0
    ) -> Learner:
        assert isinstance(network, TextClassifier)
        learner = TextLearner(network, 0, self.tokens, self.data, None, _CPU)
        learner.learn_from(teacher, weight, heat)
        return learner

    def measures(self, rows: Ints) -> Measures:
        return {"max_length": self.size, "median_tokens": int(np.median(self.tokens.lengths[rows]))}

    def raw(self, rows: Ints) -> list[str]:
        return [self.data.texts[row] for row in rows.tolist()]

    def prepare(self, raw: list[Any]) -> InputArrays:
        texts = clean_texts(raw).texts
        batch = Tokens(texts, np.arange(len(texts)), self.network.tokenizer, self.size, None)(np.arange(len(texts)))
        return {"input_ids": batch.ids.numpy(), "attention_mask": batch.mask.numpy()}

    def write_preprocessing(self, folder: Path) -> None:
        tokenizer = self.network.tokenizer
        tokenizer.backend_tokenizer.save(str(folder / "tokenizer.json"))
        facts = {
            "task": self.card.task,
            "labels": self.labels,
            "max_length": self.size,
            "pad_id": self.tokens.pad,
            "pad_to": 1,  # as `Tokens` pads on a processor
        }
        write_atomically(folder / "preprocessing.json", to_json(facts))


def load_trained_model(spec: OptimizeSpec, clock: PhaseClock) -> TrainedModel:
    """The model and data of a spec. Raises `NotFoundError`, `WeightsError`, `DataError`, `InputError`."""
    card = get_model(spec.model.id)
    clock.phase("data")
    trained: TrainedModel = (
        TrainedTextModel(spec, card, clock) if card.is_text else TrainedImageModel(spec, card, clock)
    )
    trained.load()
    return trained


# Inputs of one call that take turns: texts differ in length, and so in time.
_ONES, _MANYS = 16, 2


def write_inputs(trained: TrainedModel, rows: Ints, path: Path) -> None:
    """Keep what is timed: single examples in turn, and whole batches, of real test rows."""
    rng = np.random.default_rng(0)
    ones = [np.array([row]) for row in rng.choice(rows, min(_ONES, len(rows)), replace=False)]
    manys = [rng.choice(rows, BATCH, replace=len(rows) < BATCH) for _ in range(_MANYS)]
    kinds = {"one": ones, "many": manys}
    save_inputs(path, {kind: [trained.inputs(chosen) for chosen in sets] for kind, sets in kinds.items()})
