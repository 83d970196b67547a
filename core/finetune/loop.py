"""The training loop: the Hugging Face Trainer, told what Graft's runs need of it.

A checkpoint is written when the user stops, at the end of an epoch (before it is validated) and at least
every half minute; the best epoch is chosen on the validation rows; every step is reported.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from core.errors import RunError, StoppedError
from core.files import write_atomically
from core.finetune import early_stopping
from core.finetune.autotune import ComputeChoice, autocast
from core.finetune.checkpoints import Checkpoints
from core.finetune.learner import Learner, Rows
from core.finetune.reading import predict_rows
from core.finetune.recipe import learning_rate
from core.finetune.records import BestEpoch
from core.finetune.spec import FinetuneSpec
from core.i18n import N_
from core.progress import PhaseClock

SAVE_EVERY_S = 30.0
# An epoch end is a good moment to save, but not one after another of a tenth of a second each.
SAVE_AT_MOST_EVERY_S = 3.0


class Loop:
    """Trains one learner as its spec says.

    `after_step(step, total_steps)` is called when the optimizer has moved the weights, before anything looks at them.
    """

    def __init__(
        self,
        learner: Learner,
        spec: FinetuneSpec,
        checkpoints: Checkpoints,
        clock: PhaseClock,
        engine: ComputeChoice,
        *,
        resumable: bool = True,
        after_step: Callable[[int, int], None] | None = None,
    ) -> None:
        self.resumable = resumable  # else only the best epoch is kept: nothing is saved to go on from
        self.after_step = after_step
        self.learner, self.spec, self.checkpoints, self.clock, self.engine = learner, spec, checkpoints, clock, engine
        data = learner.data
        self.rows = Rows(data.train, data.targets)
        self.batch_size = min(spec.batch_size, len(data.train))  # of a training step; answering takes `spec.batch_size`
        # A batch of one picture has no variance to normalise by; its picture comes in another epoch's batches.
        self.drop_last = len(data.train) % self.batch_size == 1
        steps = len(data.train) / self.batch_size
        self.steps_per_epoch = math.floor(steps) if self.drop_last else math.ceil(steps)
        self.total_steps = self.steps_per_epoch * spec.epochs
        self.epochs_done = 0
        self.images_per_s: float | None = None

    # -- before --------------------------------------------------------------------------------------
    def trial_step(self, engine: ComputeChoice) -> None:
        """One forward and backward pass as `engine` would do it; leaves the learner as it was."""
        self.use(engine)
        learner = self.learner
        before = learner.learned_state()
        batch = self.rows.collate([self.rows[i] for i in range(self.batch_size)])
        device = learner.device
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            learner.train()
            with autocast(engine, device):
                loss = learner(batch["rows"], batch["labels"].to(device))["loss"]
            loss.backward()
        learner.zero_grad(set_to_none=True)
        learner.load_learned_state(before)
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    def use(self, engine: ComputeChoice) -> None:
        """Compute as this engine says from now on."""
        self.engine = engine
        self.learner.use(engine)

    # -- training ------------------------------------------------------------------------------------
    @property
    def _finished(self) -> Path:
        return self.checkpoints.folder / "finished.json"

    @property
    def learned_rows(self) -> NDArray[np.int64]:
        """The rows that the saved network has learned from."""
        return self.rows.rows

    @property
    def is_finished(self) -> bool:
        """Whether all training was done in an earlier attempt."""
        try:
            kept = json.loads(self._finished.read_text(encoding="utf-8"))
        except (OSError, ValueError):  # not there, or damaged: what is done again comes out the same
            return False
        self.epochs_done, self.images_per_s = kept["epochs_done"], kept["images_per_s"]
        return True

    def train(self, *, resume: bool) -> None:
        """Train to the end, or until the user stops (`StoppedError`, after a checkpoint)."""
        last = self.checkpoints.last() if resume else None
        self.checkpoints.drop_unusable()
        if last is None or not self._is_over_after(last):
            self.clock.phase("model")  # made ready to learn: what the Trainer loads is no part of what came before
            listener = _Listener(self)
            trainer = _Trainer(self, listener)
            trainer.train(resume_from_checkpoint=str(last) if last else None)
            listener.flush()
            if listener.is_stopping:
                raise StoppedError()
        kept = {"epochs_done": self.epochs_done, "images_per_s": self.images_per_s}
        write_atomically(self._finished, json.dumps(kept))

    def _is_over_after(self, last: Path) -> bool:
        """Whether nothing is left to train after this checkpoint; validates its epoch if that was cut off."""
        epoch, rest = divmod(int(last.name.rpartition("-")[2]), self.steps_per_epoch)
        self.epochs_done = min(epoch, self.checkpoints.validated_epoch())
        if rest or epoch == 0 or not self.is_validated(epoch):
            return False
        if self.epochs_done < epoch:
            self.learner.load_learned_state(load_file(last / "model.safetensors"))
            self.validate(epoch * self.steps_per_epoch, epoch)
        return epoch == self.spec.epochs or self.is_patience_over(epoch)

    def is_validated(self, epoch: int) -> bool:
        """Whether an epoch is measured on the validation rows when it ends; the last one always is."""
        return epoch % self.spec.validate_every == 0 or epoch == self.spec.epochs

    def validate(self, step: int, epoch: int) -> dict[str, float]:
        """Measure on the validation rows, report, and keep the tensors if this epoch is the best."""
        self.clock.phase("validate")
        rows = self.learner.data.validation
        logits = predict_rows(self.learner, rows, self.clock, self.spec.batch_size, self.engine)
        targets = torch.from_numpy(self.learner.data.targets[rows])
        loss = float(F.cross_entropy(logits, targets))
        accuracy = float((logits.argmax(1) == targets).float().mean())
        self.clock.metrics(step, float(epoch), val__loss=loss, val__accuracy=accuracy)
        best = self.checkpoints.best_facts()
        if best is None or (accuracy, -loss) > (best["accuracy"], -best["loss"]):
            facts: BestEpoch = {"epoch": epoch, "step": step, "accuracy": accuracy, "loss": loss}
            self.checkpoints.save_best(self.learner.learned_state(), facts)
        self.checkpoints.note_validated(epoch)
        self.epochs_done = epoch
        return {"eval_accuracy": accuracy, "eval_loss": loss}

    def is_patience_over(self, epoch: int) -> bool:
        """Whether validation accuracy has not risen for as long as was asked for."""
        best = self.checkpoints.best_facts()
        best_epoch = None if best is None else best["epoch"]
        patience, least = self.spec.patience, self.spec.min_epochs
        return early_stopping.is_patience_over(epoch, best_epoch, patience=patience, min_epochs=least)

    def load_best(self) -> BestEpoch:
        """Give the learner the tensors of the best epoch; returns what is known of it."""
        facts = self.checkpoints.best_facts()
        if facts is None:
            raise RunError("run.best_epoch_lost", detail=N_("no epoch was finished"))
        self.learner.load_learned_state(self.checkpoints.load_best())
        return facts


class _Trainer(Trainer):
    """The Trainer with Graft's validation and with checkpoints of what learns only."""

    def __init__(self, loop: Loop, listener: _Listener) -> None:
        self.loop, self.listener = loop, listener
        super().__init__(
            model=loop.learner,
            args=_arguments(loop),
            train_dataset=loop.rows,
            eval_dataset=loop.rows,  # asked for by the Trainer; `evaluate` below reads the validation rows
            data_collator=loop.rows.collate,
            callbacks=[listener],
        )

    def _get_train_sampler(self, train_dataset: Any = None) -> torch.utils.data.Sampler[int] | None:
        own = self.loop.learner.sampler(self.loop.batch_size, self.loop.spec.seed)
        return own or super()._get_train_sampler(train_dataset)

    def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
        epoch = round(self.state.epoch or 0)
        # Before validating, which may take long: a crash in it loses no training.
        is_saved = self.listener.is_due(SAVE_AT_MOST_EVERY_S)
        if is_saved:
            self._save_now()
        try:
            measured = self.loop.validate(self.state.global_step, epoch)
        except StoppedError:
            if self.loop.resumable and not is_saved:
                self._save_now()
            raise
        if self.loop.is_patience_over(epoch):
            self.control.should_training_stop = True
        return measured

    def _save_now(self) -> None:
        self._save_checkpoint(self.loop.learner, trial=None)
        self.listener.note_saved(self.state.global_step)

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        folder = Path(output_dir or self.args.output_dir or ".")
        folder.mkdir(parents=True, exist_ok=True)
        save_file(self.loop.learner.learned_state(), folder / "model.safetensors")

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        self.loop.learner.load_learned_state(load_file(Path(resume_from_checkpoint) / "model.safetensors"))


class _OneDevice(TrainingArguments):
    """One process trains on one device, however many there are: copies on several would see other batches each."""

    @property
    def n_gpu(self) -> int:
        return 1


def _arguments(loop: Loop) -> TrainingArguments:
    spec, device = loop.spec, loop.learner.device
    return _OneDevice(
        output_dir=str(loop.checkpoints.folder),
        per_device_train_batch_size=loop.batch_size,
        num_train_epochs=spec.epochs,
        learning_rate=learning_rate(spec, len(loop.rows)),
        lr_scheduler_type="cosine" if spec.schedule == "cosine" else "constant",
        warmup_steps=round(0.1 * loop.total_steps) if spec.schedule == "cosine" else 0,
        weight_decay=spec.weight_decay,
        max_grad_norm=spec.max_grad_norm,
        optim="adamw_torch" if device.type == "mps" else "adamw_torch_fused",
        bf16=loop.engine.precision == "bf16",
        fp16=loop.engine.precision == "fp16",
        use_cpu=device.type == "cpu",
        seed=spec.seed,
        data_seed=spec.seed,
        eval_strategy="epoch",
        save_strategy="no",  # the listener says when
        save_total_limit=2,
        logging_strategy="no",
        report_to=[],
        disable_tqdm=True,
        dataloader_num_workers=0,  # rows are numbers; reading them is the learner's work, on whole batches
        dataloader_pin_memory=False,
        dataloader_drop_last=loop.drop_last,
        remove_unused_columns=False,
        label_names=["labels"],
    )


class _Listener(TrainerCallback):
    """Reports every step, and decides when to save and when to stop."""

    def __init__(self, loop: Loop) -> None:
        self.loop = loop
        self.is_stopping = False
        self._saved_at = time.monotonic()
        self._began, self._pictures, self._seconds = 0.0, 0, 0.0
        self._pending: list[tuple[int, float, Tensor, Tensor, int, float, float]] = []
        self._flushed_at = 0.0

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """A resumed run is already so far: what its checkpoint holds counts as done."""
        epochs, steps = divmod(state.global_step, self.loop.steps_per_epoch)
        if state.global_step:
            trained = epochs * len(self.loop.rows) + steps * self.loop.batch_size
            self.loop.clock.begin_at(train=trained, predict=epochs * len(self.loop.learner.data.validation))

    def on_epoch_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self.loop.clock.phase("train", epoch=int(state.epoch or 0) + 1, epochs=self.loop.spec.epochs)

    def on_step_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self._began = time.perf_counter()

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **context: Any
    ) -> None:
        loop, learner = self.loop, self.loop.learner
        if loop.after_step is not None:
            loop.after_step(state.global_step, loop.total_steps)
        seconds = time.perf_counter() - self._began
        pictures = loop.batch_size
        if state.global_step % loop.steps_per_epoch == 0 and not loop.drop_last:
            pictures = len(loop.rows) - (loop.steps_per_epoch - 1) * loop.batch_size
        self._pictures, self._seconds = self._pictures + pictures, self._seconds + seconds
        loop.images_per_s = self._pictures / self._seconds
        rate = context["lr_scheduler"].get_last_lr()[0]
        step = (state.global_step, state.epoch or 0.0, learner.last_loss, learner.last_right)
        self._pending.append((*step, pictures, seconds, rate))
        if time.monotonic() - self._flushed_at > 0.2:
            self.flush()
        loop.clock.work("train", pictures)
        if loop.clock.should_stop():
            self.is_stopping = True
        # At an epoch's last step the epoch is validated first: a checkpoint before that would skip it.
        if state.global_step % loop.steps_per_epoch:
            control.should_training_stop = control.should_training_stop or self.is_stopping
            control.should_save = self.is_due(SAVE_EVERY_S)

    def on_epoch_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self.flush()
        epoch, rest = divmod(state.global_step, self.loop.steps_per_epoch)
        if rest:
            control.should_evaluate = False  # stopped in mid-epoch, and saved already
            return
        if not self.loop.is_validated(epoch):  # else it is saved before it is measured
            control.should_evaluate = False
            control.should_save = self.is_due(SAVE_EVERY_S)
        if self.is_stopping:
            control.should_training_stop = True

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self.note_saved(state.global_step)

    def is_due(self, seconds: float) -> bool:
        """Whether to save now: asked to stop, or nothing was saved for so long."""
        return self.loop.resumable and (self.is_stopping or time.monotonic() - self._saved_at > seconds)

    def note_saved(self, step: int) -> None:
        self.loop.checkpoints.mark_complete(step)
        self._saved_at = time.monotonic()

    def flush(self) -> None:
        """Report the steps since the last time: reading a loss from a GPU waits for it, so not at each step."""
        for step, epoch, loss, right, pictures, seconds, rate in self._pending:
            value = float(loss)
            if not math.isfinite(value):
                raise RunError("run.diverged", step=step, lr=learning_rate(self.loop.spec, len(self.loop.rows)))
            self.loop.clock.metrics(
                step,
                epoch,
                train__loss=value,
                train__accuracy=float(right) / pictures,
                train__images_per_s=pictures / max(seconds, 1e-9),
                train__lr=rate,
            )
        self._pending.clear()
        self._flushed_at = time.monotonic()
