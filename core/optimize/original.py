"""The network that everything is measured beside: its test rows, its answers to them, its size, samples to check by."""

from __future__ import annotations

import gzip
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

from core.errors import DataError
from core.evaluate import CleanScores, right, wilson
from core.files import replacing, size_of
from core.finetune.verdicts import without_leaks
from core.hardware import describe_machine
from core.measurement.timing import BATCH
from core.networks.heads import count_parameters
from core.optimize.rows import Conditions, OriginalRow
from core.optimize.trained_model import Ints, TrainedModel, write_inputs
from core.optimize.verify import SAMPLES, take_samples
from core.problems import Problem
from core.registry.passes import PASSES

Logits = NDArray[np.float32]
# The original answers the test rows within this time; more rows would tell smaller differences.
TEST_S = 60.0
LEAST_TEST = 20
_TRIAL_ROWS = 128


class Score(TypedDict):
    """Right answers as a share, with its 95% interval; None where the data has other labels."""

    accuracy: float | None
    interval: list[float] | None


class Size(TypedDict):
    """MB of a file as it lies there and compressed by gzip: zeros make only the second smaller."""

    size_mb: float
    gzip_mb: float


@dataclass(frozen=True)
class Original:
    """What the variants are compared with, known before the first of them is made."""

    row: OriginalRow
    conditions: Conditions
    test: Ints  # the rows that are tested on
    logits: Logits  # [test rows, C], the original's
    validation: Ints  # the rows that choose between variants
    validation_logits: Logits  # [validation rows, C], the original's
    samples: list[Any]  # pictures or texts that each file is checked by
    size_mb: float


def measure_original(trained: TrainedModel, artifacts: Path, scratch: Path, threads: int) -> Original:
    """Test the original and lay out what is timed and checked.

    An earlier attempt's test rows and answers in `scratch` are taken again. Raises `DataError` when the test rows are
    too few, `StoppedError` on request.
    """
    trained.clock.phase("original")
    spec, data = trained.spec, trained.data
    test, logits, validation_logits = _tested(trained, kept_test(scratch))
    size = _size_of_original(trained, scratch)
    rng = np.random.default_rng(spec.seed)
    chosen = rng.choice(data.validation, min(SAMPLES, len(data.validation)), replace=False)
    samples = take_samples(trained, np.sort(chosen), artifacts / "samples")
    write_inputs(trained, test, scratch / "inputs.npz")
    row = OriginalRow(
        name="original",
        kind="original",
        status="running",
        format="eager",
        n=len(test),
        parameters=count_parameters(trained.model)[0],
        gmacs=trained.card.gmacs,
        **score_of(trained, logits, data.targets[test]),
        **size,
    )
    conditions = _conditions(trained, test, threads)
    return Original(row, conditions, test, logits, data.validation, validation_logits, samples, size["size_mb"])


def kept_test(scratch: Path) -> Path:
    """Where test rows and the original's answers are kept for another attempt."""
    return scratch / "original.npz"


def _conditions(trained: TrainedModel, test: Ints, threads: int) -> Conditions:
    spec, data, machine = trained.spec, trained.data, describe_machine()
    conditions: Conditions = {
        "task": trained.card.task,
        "test": len(test),
        "test_all": len(data.test),
        "validation": len(data.validation),
        "train": len(data.train),
        "is_labelled": trained.is_labelled,
        "threads": threads,
        "batch": BATCH,
        "limit": spec.max_drop,
        "device": spec.device,
        "processor": machine.processor,
        "cores": machine.cores,
        "data": {"id": spec.data.id, "fingerprint": data.fingerprint},
        "labels": trained.labels,
        **trained.measures(test),
    }
    return conditions


def _tested(trained: TrainedModel, kept: Path) -> tuple[Ints, Logits, Logits]:
    """The test rows, the original's logits for them and for the validation rows: all variants share them.

    An earlier attempt's are taken again.
    """
    if kept.exists():
        with np.load(kept) as arrays:
            if "validation" in arrays.files:
                return arrays["rows"], arrays["logits"], arrays["validation"]
    rows = _test_rows(trained)
    logits = trained.logits(trained.model, rows)
    validation = trained.logits(trained.model, trained.data.validation)
    with replacing(kept) as unfinished:
        np.savez(unfinished, rows=rows, logits=logits, validation=validation)
    return rows, logits, validation


def _test_rows(trained: TrainedModel) -> Ints:
    """As many test rows as were asked for, or as the original answers within a minute.

    Few are enough where no pass rounds or learns: such files answer exactly as the original, which needs no interval.
    """
    everything = clean_test(trained)
    measures_loss = any(PASSES[name].rounds or PASSES[name].learns for name in trained.spec.passes)
    least = LEAST_TEST if measures_loss else 1
    if len(everything) < least:
        values = {"n": len(everything), "least": least}
        raise DataError([Problem("optimize.too_few_rows", field="data", values=values)])
    wanted = trained.spec.test_size
    rng = np.random.default_rng(trained.spec.seed)
    if wanted is None:
        trial = rng.choice(everything, min(_TRIAL_ROWS, len(everything)), replace=False)
        trained.logits(trained.model, trial[:32])
        began = time.perf_counter()
        trained.logits(trained.model, trial)
        rate = len(trial) / (time.perf_counter() - began)
        wanted = max(LEAST_TEST, int(rate * TEST_S) // 100 * 100)
    if wanted >= len(everything):
        return everything
    return np.sort(rng.choice(everything, wanted, replace=False))


def clean_test(trained: TrainedModel) -> Ints:
    """The test rows without those that are trained on too, as long as the others are enough to judge by."""
    data = trained.data
    clean = data.test[~data.leaked]
    return clean if len(clean) >= LEAST_TEST else data.test


def beside(trained: TrainedModel, tested: Ints, logits: Logits) -> list[Problem]:
    """Everything odd about the data, and what was done about test rows that are trained on too.

    Where they stay, with what the original says of the others: its `logits` [N, C] for the `tested` rows [N].
    """
    data = trained.data
    problems = list(data.problems)
    if data.leaked.any():
        left_out = len(clean_test(trained)) < len(data.test)
        code = "optimize.leaks_left_out" if left_out else "optimize.leaks_stay"
        values = {"n": int((~data.leaked).sum()), "leaked": int(data.leaked.sum()), "least": LEAST_TEST}
        problems.append(Problem(code, "warning", "data", values))
        is_clean = ~np.isin(tested, data.test[data.leaked])
        if trained.is_labelled and not is_clean.all():
            problems.append(without_leaks(_clean_scores(data.targets[tested], logits, is_clean), len(tested)))
    return problems


def _clean_scores(targets: Ints, logits: Logits, is_clean: NDArray[np.bool_]) -> CleanScores | None:
    n = int(is_clean.sum())
    if not n:
        return None
    hits = int(right(logits, targets)[is_clean].sum())
    return {"accuracy": hits / n, "interval": list(wilson(hits, n)), "n": n}


def _size_of_original(trained: TrainedModel, scratch: Path) -> Size:
    from safetensors.torch import save_file

    path = scratch / "original.safetensors"
    save_file({name: tensor.clone().contiguous() for name, tensor in trained.model.state_dict().items()}, path)
    size = size_on_disk(path)
    path.unlink()
    return size


def score_of(trained: TrainedModel, logits: Logits, targets: Ints) -> Score:
    """How many of the rows [N] are answered right, from logits [N, C]."""
    if not trained.is_labelled:
        return {"accuracy": None, "interval": None}
    hits = int(right(logits, targets).sum())
    return {"accuracy": hits / len(targets), "interval": list(wilson(hits, len(targets)))}


def size_on_disk(path: Path) -> Size:
    """The size of a file, or of a folder with all its files."""
    parts = [path] if path.is_file() else sorted(part for part in path.rglob("*") if part.is_file())
    packed = sum(len(gzip.compress(part.read_bytes(), compresslevel=6)) for part in parts)
    return {"size_mb": size_of(path) / 1e6, "gzip_mb": packed / 1e6}
