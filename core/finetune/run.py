"""Fine-tune a classifier: from a spec to a model, a report and everything measured on the way.

The Hugging Face Trainer does the training (optimizer, precision, checkpoints, resume with RNG and sampler
state); `core.finetune.tasks` gives it the data, the network and the frozen part's cache, for pictures or for texts.
The best epoch is chosen on the validation rows, in the arithmetic that trains. The test rows are read once, in the
one that the saved model answers with. A head alone is fitted to its optimum instead, and what learns more than a head
begins from a fitted one.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.cache import check_room
from core.data.record import keep_record
from core.evaluate import clean_scores, report_classification, write_predictions
from core.files import replacing, to_json, write_atomically
from core.finetune.autotune import (
    ComputeChoice,
    Timing,
    default_engine,
    engine_key,
    load_engine,
    pick_device,
    save_engine,
    time_training,
)
from core.finetune.checkpoints import Checkpoints
from core.finetune.disk import MOST_KEPT_BYTES
from core.finetune.fitting import FIT_UNITS, HeadFit, can_be_fitted
from core.finetune.image_features import FrozenPrefix
from core.finetune.learner import seed_everything
from core.finetune.passes import MAX_START_ROWS
from core.finetune.probe import keep_probe, report_probe
from core.finetune.reading import predict_rows
from core.finetune.recipe import as_in_0_1, learning_rate
from core.finetune.records import Beside, BestEpoch, FinetuneReport, FinetuneSummary, HeadReport, Scores
from core.finetune.spec import FinetuneSpec
from core.finetune.tasks import ImageTask, TextTask
from core.finetune.verdicts import without_leaks
from core.hardware import peak_resident_mb
from core.messages import explain
from core.models.catalog import get_model
from core.networks.heads import count_parameters
from core.progress import PhaseClock, Reporter
from core.registry.methods import METHODS

if TYPE_CHECKING:
    from core.finetune.loop import Loop


def finetune(spec: FinetuneSpec, folder: Path, reporter: Reporter, *, resume: bool) -> FinetuneSummary:
    """Train, test and save into `folder`; returns the summary of the run.

    With `resume`, goes on from the last complete checkpoint (from the beginning when there is none) and
    gives the same numbers as an uninterrupted run. Raises `StoppedError` after saving a checkpoint when the
    reporter asks to stop, `DataError` and `WeightsError` for inputs that cannot be used.
    """
    return Finetuning(spec, folder, reporter, resume=resume).run()


class Finetuning:
    """One training, step by step.

    With `engine` it computes as that says, not as is quickest here; without `resumable` it writes no checkpoints. With
    `is_of_0_1` rows are drawn and heads begin as in version 0.1; where nothing is said, as the checkpoints tell.
    """

    def __init__(
        self,
        spec: FinetuneSpec,
        folder: Path,
        reporter: Reporter,
        *,
        resume: bool,
        engine: ComputeChoice | None = None,
        resumable: bool = True,
        is_of_0_1: bool | None = None,
    ) -> None:
        self.spec, self.clock, self.resume = spec, PhaseClock(reporter), resume
        self.given_engine, self.resumable = engine, resumable
        self.artifacts = folder / "artifacts"
        self.checkpoints = Checkpoints(folder / "checkpoint")
        self.checkpoints.make_ready(self.clock.log, resume=resume)
        self.recipe = self.checkpoints.recipe()
        self.is_of_0_1 = self.recipe == 1 if is_of_0_1 is None else is_of_0_1
        if self.is_of_0_1:
            self.spec = spec = as_in_0_1(spec)
        self.card = get_model(spec.model.id)
        self.device = pick_device(spec.device)
        self.timings: list[Timing] = []
        kind = TextTask if self.card.is_text else ImageTask
        self.task: ImageTask | TextTask = kind(spec, self.card, self.device, self.clock)

    def run(self) -> FinetuneSummary:
        """Train, test, and keep model, report and everything measured."""
        self.artifacts.mkdir(parents=True, exist_ok=True)
        probabilities, best, loop = self.learn()
        report = self._write_report(probabilities, loop)
        self.clock.phase("save")
        self._save_model(report, best)
        self._keep_engine()
        return self._summary(report, best, loop)

    def learn(self) -> tuple[NDArray[np.float64], BestEpoch, Loop | HeadFit]:
        """Train and test: probabilities [N, C] of the test rows, what is known of the best epoch, the loop."""
        self.prepare()
        self.parameters = count_parameters(self.learner.model)  # before adapters are merged
        with self.learner.learning(self.recipe):
            loop, best = self._train()
        self.clock.phase("test")
        return self._test(loop.engine.exact()).double().softmax(1).numpy(), best, loop

    def prepare(self) -> None:
        """Read the data, build the network, and choose how it computes: what comes before anything is learned."""
        seed_everything(self.spec.seed)
        self.clock.phase("data")
        self.task.load_data(as_in_0_1=self.is_of_0_1)
        self.data = self.task.data
        if self.resumable:  # of a comparison's trainings it is kept once
            keep_record(self.data, self.artifacts, self.clock, resume=self.resume)
        self.clock.phase("model")
        self.task.build_model()
        self._pick_engine()
        self.learner = self.task.build_learner(self.engine)
        self._limit_cache()

    def _train(self) -> tuple[Loop | HeadFit, BestEpoch]:
        """Train, and let the network be as in its best epoch."""
        loop = self._loop()
        self._expect(loop)
        if not loop.is_finished:
            self._tune(loop)
            self._remember_engine()
            self._begin_fitted(loop)
            loop.train(resume=self.resume)
        return loop, loop.load_best()

    def _loop(self) -> Loop | HeadFit:
        """What trains: a fit where only the head learns and its features are kept, else steps over batches."""
        steps = (self.learner, self.spec, self.checkpoints, self.clock, self.engine)
        rows, only_head = len(self.data.train) + len(self.data.validation), METHODS[self.spec.method].only_head
        if only_head and self.learner.prefix is not None and not self.is_of_0_1 and can_be_fitted(self.learner, rows):
            return HeadFit(*steps)
        from core.finetune.loop import Loop  # here, as importing the Trainer takes longer than many a fit

        return Loop(*steps, resumable=self.resumable)

    @property
    def _begins_fitted(self) -> bool:
        rows = min(len(self.data.train), MAX_START_ROWS)
        is_old_or_random = self.is_of_0_1 or self.spec.model.weights == "random"
        return not is_old_or_random and can_be_fitted(self.learner, rows)

    def _begin_fitted(self, loop: Loop | HeadFit) -> None:
        """Let a training from its first step on begin with the head that fits the network as it is.

        That head counts as epoch 0 where the best epoch is chosen, and its answers for the test rows are kept.
        Random weights have nothing that a head could be fitted to.
        """
        if isinstance(loop, HeadFit) or not self._begins_fitted:
            return
        # A batch's own mean and variance would be far from those that the head was fitted with.
        self.learner.model.keeps_standard = True
        if self.resume and self.checkpoints.last() is not None:
            return
        facts = HeadFit(self.learner, self.spec, self.checkpoints, self.clock, loop.engine).begin()
        loop.validate(0, 0)
        if self.resumable:
            self.clock.phase("test")
            shares = self._test(loop.engine.exact()).double().softmax(1).numpy()
            data = self.data
            keep_probe(self.artifacts, facts, data.test, data.targets[data.test], shares, data.leaked)

    def _test(self, engine: ComputeChoice) -> Tensor:
        """Logits [N, C] of the test rows, as the saved model gives them."""
        learner, test = self.learner, self.data.test
        was_kept = learner.prefix is not None
        with learner.exactly():
            logits = predict_rows(learner, test, self.clock, self.spec.batch_size, engine)
            if was_kept and learner.prefix is None:  # these rows went through the frozen part too
                self.clock.work("prefix", len(test))
        return logits

    # -- making ready ------------------------------------------------------------------------------------
    def _pick_engine(self) -> None:
        """How to compute: as this run did before, as equal runs do, or a first guess."""
        spec, task = self.spec, self.task
        self.key = engine_key(spec.model.id, spec.model.weights, task.cut, task.size, spec.batch_size, self.device)
        if METHODS[spec.method].adds_layers:
            self.key += f"|{spec.method}"
        own = self._engine_of_run()
        if own is not None and self.given_engine is None:  # sums over other threads have other last digits
            torch.set_num_threads(own.threads)
        known = self.given_engine or own or load_engine(self.key)
        self.engine = known or default_engine(spec.precision, self.device, is_text=self.card.is_text)
        if task.cut == 0:
            self.engine = self.engine.replace(prefix="none")
        self.is_engine_known = known is not None

    def _limit_cache(self) -> None:
        """Do without the cache of the frozen part where it would fill the disk."""
        prefix = self.learner.prefix
        if prefix is None:
            return
        rows, test, exact = np.concatenate([self.data.train, self.data.validation]), self.data.test, prefix.exact()
        self.rows_kept = len(rows) + (len(test) if exact else 0)
        self.tests_ahead = exact.missing(test) if exact else len(test)
        prefix.rows_expected = prefix.missing(rows) + (self.tests_ahead if exact is prefix else 0)
        if prefix.rows_expected * prefix.row_bytes > MOST_KEPT_BYTES:
            self.clock.log(
                f"The frozen part's output would take {prefix.rows_expected * prefix.row_bytes} bytes: not kept"
            )
            self.learner.forgo_prefix()
            return
        check_room(prefix.rows_expected * prefix.row_bytes)

    def _expect(self, loop: Loop | HeadFit) -> None:
        """Tell the clock how much work lies ahead, in passes of one picture through the whole network."""
        data, prefix, model = self.data, self.learner.prefix, self.learner.model
        learning = 1 - self.task.cut / max(1, model.num_blocks)
        frozen = 1 - learning
        train, validation, test = len(data.train), len(data.validation), len(data.test)
        # The last term is the head's own work: little, but all there is when the frozen part is in the cache.
        kept = 0 if prefix else frozen
        cost = {"train": 3 * learning + kept + 1e-3, "predict": learning + kept + 1e-3, "prefix": frozen}
        per_epoch = train * cost["train"] + validation * cost["predict"]
        once = test * cost["predict"]
        if prefix is not None:
            once += frozen * (prefix.rows_expected + (0 if prefix.exact() is prefix else self.tests_ahead))
        if isinstance(loop, HeadFit):  # the fit takes about as long as fifty passes of each row through the head
            fit = 0.05 * (train + validation)
            per_row = (train + validation) * cost["predict"]
            self.clock.expect(once + per_row + fit, **cost, fit=fit / FIT_UNITS)
            return
        read = min(train, MAX_START_ROWS) + validation + (test if self.resumable else 0) if self._begins_fitted else 0
        self.clock.expect(once + read * cost["predict"] + self.spec.epochs * per_epoch, **cost)

    def _tune(self, loop: Loop | HeadFit) -> None:
        """Time candidates for the training steps, unless this engine is known or was asked for."""
        is_given = self.is_engine_known or self.spec.precision != "auto"
        if isinstance(loop, HeadFit) or is_given or self.task.cut == self.learner.model.num_blocks:
            return
        self.clock.phase("autotune")
        others = self.learner.candidates(self.engine)
        self.engine, table = time_training(
            loop.trial_step, self.engine, others, loop.batch_size, loop.total_steps, self.device
        )
        self.timings += table
        loop.use(self.engine)

    def _remember_engine(self) -> None:
        """Write down how this run computes before it does, and again when the frozen part's turn has come."""
        if not self.resumable:
            return
        self._keep_engine()
        if isinstance(self.learner.prefix, FrozenPrefix):
            self.learner.prefix.when_decided = self._keep_engine

    def _engine_of_run(self) -> ComputeChoice | None:
        """The engine this run used before it was interrupted."""
        try:
            return ComputeChoice(**json.loads((self.artifacts / "autotune.json").read_text(encoding="utf-8"))["engine"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    # -- keeping what came out ---------------------------------------------------------------------------
    def _write_report(self, probabilities: NDArray[np.float64], loop: Loop | HeadFit) -> FinetuneReport:
        rows, labels = self.data.test, list(self.data.labels)
        targets = self.data.targets[rows]
        with replacing(self.artifacts / "predictions.parquet") as unfinished:
            write_predictions(unfinished, rows, targets, probabilities, self.data.leaked)
        report: FinetuneReport = {
            **report_classification(targets, probabilities, labels),
            "mistakes": self.task.write_mistakes(self.artifacts, rows, targets, probabilities),
            **self.task.write_more(self.artifacts, loop.learned_rows),
            **self._of_head(loop),
            **self._beside(targets, probabilities),
        }
        write_atomically(self.artifacts / "report.json", to_json(report))
        return report

    def _beside(self, targets: NDArray[np.int64], probabilities: NDArray[np.float64]) -> Beside:
        """What is to be known beside the numbers, and these without the test rows that are trained on too."""
        if not self.data.leaked.any():
            return {"problems": [problem.as_dict() for problem in self.data.problems]}
        clean = clean_scores(targets, probabilities, self.data.leaked)
        told = without_leaks(clean, len(self.data.test))
        self.clock.log(f"warning: {explain(told)}")
        problems = [problem.as_dict() for problem in (*self.data.problems, told)]
        return {"problems": problems, "without_leaks": clean}

    def _of_head(self, loop: Loop | HeadFit) -> HeadReport:
        """How the head was fitted that is all that learned, or how the one did that the training began from."""
        if isinstance(loop, HeadFit):
            return {} if loop.facts is None else {"fit": loop.facts}
        probe = report_probe(self.artifacts)
        return {} if probe is None else {"probe": probe}

    def _save_model(self, report: FinetuneReport, best: BestEpoch) -> None:
        spec = self.spec
        self.task.save_model(
            self.artifacts / "model",
            method=spec.method,
            parent=spec.model.id,
            weights=spec.model.weights,
            data={"id": spec.data.id, "fingerprint": self.data.fingerprint},
            test=_scores(report),
            epoch=best["epoch"],
            seed=spec.seed,
        )

    def _keep_engine(self) -> None:
        """Keep the choice with the run, so that it goes on as it began, and for equal runs."""
        timings = list(self.timings)
        if self.learner.prefix is not None:
            timings += self.learner.prefix.timings
            frozen = self.learner.prefix.engine
            self.engine = self.engine.replace(prefix=frozen.prefix, prefix_precision=frozen.prefix_precision)
        # A prefix that was read from the cache has timed nothing: what others find out stays open.
        if self.engine.prefix != "auto" and self.spec.precision == "auto":
            save_engine(self.key, self.engine)
        kept = {
            "engine": dataclasses.asdict(self.engine),
            "timings": [dataclasses.asdict(timing) for timing in timings],
        }
        write_atomically(self.artifacts / "autotune.json", to_json(kept))

    def _summary(self, report: FinetuneReport, best: BestEpoch, loop: Loop | HeadFit) -> FinetuneSummary:
        data, engine, prefix = self.data, self.engine, self.learner.prefix
        return {
            "test": {**_scores(report), "loss": report["loss"]},
            "val": {"accuracy": best["accuracy"], "n": len(data.validation)},
            "best_epoch": best["epoch"],
            "epochs_done": loop.epochs_done,
            "train_seconds": self.clock.total(("features", "fit", "train", "validate", "compile", "autotune")),
            "images_per_s": loop.images_per_s,
            "parameters": self.parameters[0],
            "trainable_parameters": self.parameters[1],
            "peak_memory_mb": peak_memory_mb(self.device),
            "data": {
                "id": self.spec.data.id,
                "fingerprint": data.fingerprint,
                "labels": list(data.labels),
                "train": len(data.train),
                "validation": len(data.validation),
                "test": len(data.test),
            },
            "engine": {
                "precision": engine.precision,
                "layout": engine.layout,
                "threads": engine.threads,
                "device": self.device.type,
                "prefix": engine.prefix if prefix else "none",
                "prefix_precision": engine.prefix_precision if prefix else None,
                "cached_rows": self.rows_kept - prefix.rows_computed if prefix else 0,
                "computed_rows": prefix.rows_computed if prefix else 0,
                "features": prefix.key if prefix else None,
            },
            "task": self.card.task,
            "learning_rate": learning_rate(self.spec, len(data.train)),
            **self.task.facts(report),
            **self._of_head(loop),
            "phases": self.clock.seconds,
            "alone": self.clock.alone,
            "problems": report["problems"],
        }


def _scores(report: FinetuneReport) -> Scores:
    """The test as the model carries it along."""
    scores: Scores = {
        "accuracy": report["accuracy"],
        "interval": report["interval"],
        "n": report["n"],
        "macro_f1": report["macro_f1"],
    }
    if "without_leaks" in report:
        scores["without_leaks"] = report["without_leaks"]
    return scores


def peak_memory_mb(device: torch.device) -> float:
    """The most memory this process held so far: of the GPU when it computes there, else of the machine."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e6
    return peak_resident_mb()
