"""The course of an optimization, from the spec to the recommended file; the report grows with every variant."""

from __future__ import annotations

import gc
import gzip
import importlib
import json
import shutil
import time
import traceback
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.clock import PhaseClock
from core.errors import DataError, GraftError, Problem, RunError, StoppedError, problems_of
from core.evaluate import wilson
from core.events import Reporter
from core.files import replacing, sha256, size_of, to_json, write_atomically
from core.hardware import describe_machine, usable_threads
from core.models import count_parameters
from core.optimize.checks import check_pass
from core.optimize.exporting import export_onnx
from core.optimize.gate import SAMPLES, check_file, take_samples
from core.optimize.int8 import answers
from core.optimize.subject import Ints, Network, load_subject
from core.optimize.timing import BATCH, BUSY, Stopwatch, race, speed_of, write_inputs
from core.optimize.variants import Variant, variants_of
from core.optimize.work import Made, Work
from core.optimize_spec import OptimizeSpec
from core.registry.model_formats import BUNDLED
from core.registry.passes import PASSES
from core.verdicts import conclude, judge, measure_loss, recommend, right

Logits = NDArray[np.float32]
Row = dict[str, Any]
# The original answers the test rows within this time; more rows would tell smaller differences.
TEST_S = 60.0
LEAST_TEST = 20
_TRIAL_ROWS = 128
# What a variant counts for the bar, as the original does: a training takes longer than writing a file. And how much
# of it is done when a step of it begins.
_WORK = {"file": 1.0, "learn": 4.0}
_BEGUN = {"make": 0.0, "gate": 0.3, "test": 0.35, "time": 0.6}


def optimize(spec: OptimizeSpec, folder: Path, reporter: Reporter, *, resume: bool) -> dict[str, Any]:
    """Make, check, test and time every variant into `folder`; returns the summary of the run.

    With `resume`, variants that are done are kept as they are. Raises `StoppedError` when the reporter asks to stop
    (what is done is kept), `DataError` when the test rows cannot be told or are too few, `WeightsError`, and
    `RunError` when no variant worked.
    """
    return _Course(spec, folder, reporter, resume=resume).run()


class _Named(PhaseClock):
    """A variant's own clock: its curves go by its name."""

    def __init__(self, clock: PhaseClock, name: str) -> None:
        super().__init__(clock)
        self._name = name

    def progress(self, done: float, total: float) -> None:
        """The bar counts variants, not the steps of one."""

    def begin_at(self, **pictures: int) -> None: ...

    def work(self, kind: str, pictures: int) -> None: ...

    def metrics(self, step: int, epoch: float, **values: float) -> None:
        super().metrics(step, epoch, **{f"{self._name}__{name}": value for name, value in values.items()})


class _Course:
    """One optimization."""

    def __init__(self, spec: OptimizeSpec, folder: Path, reporter: Reporter, *, resume: bool) -> None:
        self.spec, self.clock = spec, PhaseClock(reporter)
        self.artifacts, self.scratch = folder / "artifacts", folder / "checkpoint"
        self.plan = variants_of(spec.passes, combine=spec.combine)
        self.threads = spec.threads or usable_threads()
        self.networks: dict[str, Network] = {}  # what learned, by its chain of passes
        self.learned_facts: dict[str, Row] = {}
        self.rows = {variant.name: self._planned(variant) for variant in self.plan}
        self.original: Row | None = None
        self.conditions: Row = {}
        if resume:
            self._read_done()
        else:
            for kept in (self.artifacts / "variants", self.artifacts / "samples", self.scratch):
                shutil.rmtree(kept, ignore_errors=True)
        for made in (self.artifacts / "variants", self.scratch):
            made.mkdir(parents=True, exist_ok=True)

    def run(self) -> dict[str, Any]:
        self.subject = load_subject(self.spec, self.clock)
        self._refuse()
        self._report()
        self._measure_original()
        source = self._watch("eager", self.spec.model.id, self.scratch)
        with source as self.watch:
            self._time_original_alone()
            for number, variant in enumerate(self.plan):
                if self.rows[variant.name]["status"] == "waiting":
                    self._try(variant)
                    self.networks = {name: net for name, net in self.networks.items() if self._is_needed(name, number)}
                    gc.collect()
        self._note_memory()
        self._report()
        self._fail_if_nothing_worked()
        shutil.rmtree(self.scratch, ignore_errors=True)
        return self._summary()

    # -- the plan ----------------------------------------------------------------------------------------
    @staticmethod
    def _planned(variant: Variant) -> Row:
        return {
            "name": variant.name,
            "passes": list(variant.passes),
            "parent": variant.parent,
            "kind": variant.kind,
            "status": "waiting",
            "doing": None,
            "problems": [],
            "offered": False,
        }

    def _read_done(self) -> None:
        """Take over the variants that an earlier attempt finished, as long as its test rows are known."""
        if not self._kept_test.exists():
            return
        try:
            kept = json.loads((self.artifacts / "report.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return
        for row in kept.get("variants", []):
            if row["name"] in self.rows and row["status"] in ("done", "broken"):
                self.rows[row["name"]] = row

    def _refuse(self) -> None:
        """Note what speaks against each variant before any work: errors refuse it, warnings stay with it."""
        for variant in self.plan:
            row = self.rows[variant.name]
            if row["status"] != "waiting":
                continue
            card, device = self.subject.card, self.spec.device
            found = [problem for name in variant.passes for problem in check_pass(name, card, device)]
            row["problems"] = [problem.as_dict() for problem in found]
            if any(problem.severity == "error" for problem in found):
                row["status"] = "refused"

    def _is_needed(self, name: str, number: int) -> bool:
        """Whether a later variant starts from the network of this name."""
        return any(name in self._ancestors(variant) for variant in self.plan[number + 1 :])

    @staticmethod
    def _ancestors(variant: Variant) -> list[str]:
        return ["+".join(variant.learned[:count]) for count in range(1, len(variant.learned) + 1)]

    # -- the original ------------------------------------------------------------------------------------
    def _measure_original(self) -> None:
        self.clock.phase("original")
        subject, spec = self.subject, self.spec
        everything = subject.data.test
        self.test, self.original_logits = self._tested(everything)
        targets = subject.data.targets[self.test]
        self.is_labelled = subject.is_labelled
        self.original = {
            "name": "original",
            "kind": "original",
            "status": "running",
            "format": "eager",
            "n": len(self.test),
            "parameters": count_parameters(subject.model)[0],
            "gmacs": subject.card.gmacs,
            **self._scores(self.original_logits, targets),
            **self._original_size(),
        }
        self.conditions = {
            "task": subject.card.task,
            "test": len(self.test),
            "test_all": len(everything),
            "validation": len(subject.data.validation),
            "train": len(subject.data.train),
            "is_labelled": self.is_labelled,
            "threads": self.threads,
            "batch": BATCH,
            "limit": spec.max_drop,
            "device": spec.device,
            "processor": describe_machine().processor,
            "cores": describe_machine().cores,
            "data": {"id": spec.data.id, "fingerprint": subject.data.fingerprint},
            "labels": subject.labels,
            **subject.measures(self.test),
        }
        rng = np.random.default_rng(spec.seed)
        chosen = rng.choice(subject.data.validation, min(SAMPLES, len(subject.data.validation)), replace=False)
        self.samples = take_samples(subject, np.sort(chosen), self.artifacts / "samples")
        write_inputs(subject, self.test, self.scratch / "inputs.npz")
        self._report()

    def _test_rows(self, everything: Ints) -> Ints:
        """As many test rows as were asked for, or as the original answers within a minute."""
        if len(everything) < LEAST_TEST:
            values = {"n": len(everything), "least": LEAST_TEST}
            raise DataError([Problem("optimize.too_few_rows", field="data", values=values)])
        wanted = self.spec.test_size
        rng = np.random.default_rng(self.spec.seed)
        if wanted is None:
            trial = rng.choice(everything, min(_TRIAL_ROWS, len(everything)), replace=False)
            self.subject.logits(self.subject.model, trial[:32])
            began = time.perf_counter()
            self.subject.logits(self.subject.model, trial)
            rate = len(trial) / (time.perf_counter() - began)
            wanted = max(LEAST_TEST, int(rate * TEST_S) // 100 * 100)
        if wanted >= len(everything):
            return everything
        return np.sort(rng.choice(everything, wanted, replace=False))

    @property
    def _kept_test(self) -> Path:
        return self.scratch / "original.npz"

    def _tested(self, everything: Ints) -> tuple[Ints, Logits]:
        """The test rows and the original's logits for them, an earlier attempt's first: all variants share them."""
        if self._kept_test.exists():
            with np.load(self._kept_test) as kept:
                return kept["rows"], kept["logits"]
        rows = self._test_rows(everything)
        logits = self.subject.logits(self.subject.model, rows)
        with replacing(self._kept_test) as unfinished:
            np.savez(unfinished, rows=rows, logits=logits)
        return rows, logits

    def _original_size(self) -> Row:
        from safetensors.torch import save_file

        path = self.scratch / "original.safetensors"
        tensors = {name: tensor.clone().contiguous() for name, tensor in self.subject.model.state_dict().items()}
        save_file(tensors, path)
        found = _sizes(path)
        path.unlink()
        return found

    def _scores(self, logits: Logits, targets: Ints) -> Row:
        if not self.subject.is_labelled:
            return {"accuracy": None, "interval": None}
        hits = int(right(logits, targets).sum())
        return {"accuracy": hits / len(targets), "interval": list(wilson(hits, len(targets)))}

    def _time_original_alone(self) -> None:
        """A first look, so that the page has something to show; the races bring more."""
        for kind in ("one", "many"):
            self.watch.time(kind, 0.5, 5)
        self._note_original()

    def _note_original(self) -> None:
        assert self.original is not None
        self.original |= {**speed_of(self.watch), "status": "done"}
        self._report()

    def _note_memory(self) -> None:
        """The peak of the original's process is known when it has ended."""
        assert self.original is not None
        self.original["memory_mb"] = self.watch.peak_mb
        for row in self.rows.values():
            if row.get("memory_mb") and self.watch.peak_mb and "ratios" in row:
                row["ratios"]["memory"] = self.watch.peak_mb / row["memory_mb"]

    # -- one variant -------------------------------------------------------------------------------------
    def _try(self, variant: Variant) -> None:
        """Make, check, test and time one variant; what goes wrong stays with it."""
        row = self.rows[variant.name]
        row["status"] = "running"
        began = time.perf_counter()
        try:
            self._follow(variant, row)
        except StoppedError:
            row |= {"status": "waiting", "doing": None}
            self._report()
            raise
        except Exception as error:
            traceback.print_exc()
            if not isinstance(error, GraftError):
                self.clock.log(f"{variant.name}: {type(error).__name__}: {error}")
            row |= {"status": "failed", "problems": row["problems"] + [found.as_dict() for found in problems_of(error)]}
        row |= {"doing": None, "seconds": time.perf_counter() - began}
        self._report()

    def _follow(self, variant: Variant, row: Row) -> None:
        folder = self.artifacts / "variants" / variant.name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        self.clock.phase("make", **self._begin(row, "make"))
        network = self._learned(variant, row)
        work = self._work("+".join(variant.learned), network, folder, variant.name)
        last = variant.passes[-1]
        made = self._run_pass(last, work)
        assert made.path is not None
        facts = {**row.get("facts", {}), **made.facts}
        row |= {name: facts.pop(name) for name in ("search", "sensitivity") if name in facts}
        facts.setdefault("parameters", count_parameters(network)[0])
        row |= {
            "facts": facts,
            "format": made.format,
            **_sizes(made.path),
            "sha256": sha256(made.path) if made.path.is_file() else "",
        }
        row["file"] = made.path.relative_to(self.artifacts).as_posix()
        self.subject.write_preprocessing(folder)
        self.clock.phase("gate", **self._begin(row, "gate"))
        found, problems = check_file(work, made, self.samples, is_exact=not PASSES[last].rounds)
        row |= {"gate": found, "problems": row["problems"] + [problem.as_dict() for problem in problems]}
        if problems:
            row["status"] = "broken"
            return
        self.clock.phase("variant_test", **self._begin(row, "test"))
        self._test(work, made, row)
        self.clock.phase("time", **self._begin(row, "time"))
        self._time(made, row, folder)
        row |= {"verdict": judge(row, self.spec.max_drop), "status": "done"}
        row["offered"] = made.format in BUNDLED
        if not row["offered"]:
            values = {"name": last, "format": made.format, "known": ", ".join(BUNDLED)}
            row["problems"].append(Problem("optimize.no_bundle", "warning", values=values).as_dict())

    def _learned(self, variant: Variant, row: Row) -> Network:
        """The network that the file is made from: what its chain of passes learned, or the original."""
        network, start = self.subject.model, ""
        for name in self._ancestors(variant):
            if name not in self.networks:
                folder = self.scratch / name
                folder.mkdir(parents=True, exist_ok=True)
                made = self._run_pass(name.rpartition("+")[2], self._work(start, network, folder, name))
                assert made.network is not None
                self.networks[name], self.learned_facts[name] = made.network, made.facts
            network, start = self.networks[name], name
            row["facts"] = {**row.get("facts", {}), **self.learned_facts[name]}
        return network

    def _work(self, start: str, network: Network, folder: Path, name: str) -> Work:
        """A pass that starts from the network of the chain `start`, empty for the original; its curves go by `name`."""
        path = self.scratch / f"{start or 'original'}.onnx"

        def onnx() -> Path:
            if not path.exists():
                with replacing(path) as unfinished:
                    export_onnx(self.subject, network, unfinished)
            return path

        return Work(self.spec, self.subject, network, folder, _Named(self.clock, name), onnx)

    @staticmethod
    def _run_pass(name: str, work: Work) -> Made:
        found: Made = importlib.import_module(f"core.optimize.passes.{name}").run(work)
        return found

    def _test(self, work: Work, made: Made, row: Row) -> None:
        assert made.path is not None
        logits = answers(work, made.path, made.format, self.test)
        targets = self.subject.data.targets[self.test]
        same = np.asarray(logits.argmax(1) == self.original_logits.argmax(1))
        row |= {**self._scores(logits, targets), "agreement": float(same.mean()), "n": len(self.test)}
        row["interval_agreement"] = list(wilson(int(same.sum()), len(same)))
        if self.is_labelled:
            pair = right(self.original_logits, targets), right(logits, targets)
        else:
            pair = np.ones(len(same), dtype=bool), same
        row["loss"] = {**measure_loss(*pair, self.spec.max_drop), "of": "accuracy" if self.is_labelled else "agreement"}

    def _time(self, made: Made, row: Row, folder: Path) -> None:
        assert made.path is not None
        assert self.original is not None
        scratch = self.scratch / folder.name
        scratch.mkdir(parents=True, exist_ok=True)
        with self._watch(made.format, str(made.path), scratch) as watch:
            ratios, others = race(self.watch, watch, self.clock)
        row |= {**speed_of(watch), "memory_mb": watch.peak_mb}
        if others > BUSY:
            busy = Problem("optimize.machine_busy", "warning", values={"processors": f"{others:.1f}"})
            row["problems"].append(busy.as_dict())
        row["ratios"] = {**ratios, "size": self.original["size_mb"] / row["size_mb"]}
        self._note_original()

    def _watch(self, format: str, source: str, scratch: Path) -> Stopwatch:
        return Stopwatch(
            source, format, self.subject.input_names, self.scratch / "inputs.npz", scratch,
            threads=self.threads, device=self.spec.device,
        )  # fmt: skip

    # -- telling -----------------------------------------------------------------------------------------
    def _begin(self, row: Row, doing: str) -> dict[str, Any]:
        """Note what is done with a variant now; returns the values of the phase. Raises `StoppedError` on request."""
        self.clock.raise_if_stopped()
        row["doing"] = doing
        self._report()
        self._tell()
        done = sum(other["status"] not in ("waiting", "running") for other in self.rows.values())
        return {"name": row["name"], "done": done, "total": len(self.rows)}

    def _tell(self) -> None:
        """How far the whole is, the original counted as a variant that is done."""
        done, total = _WORK["file"], _WORK["file"]
        for variant in self.plan:
            row, share = self.rows[variant.name], _WORK["learn" if variant.learned else "file"]
            total += share
            is_begun = row["status"] in ("waiting", "running")
            done += share * (_BEGUN.get(row["doing"] or "make", 0.0) if is_begun else 1.0)
        self.clock.progress(done, total)

    def _report(self) -> None:
        rows = list(self.rows.values())
        name = recommend(rows)
        found = conclude(rows, name, self.spec.max_drop)
        if self.original is not None and not self.subject.is_labelled:
            found.append({"code": "optimize.labels_differ", "values": {"model": self.subject.card.name}})
        self.recommended, self.conclusions = name, found
        report: Row = {"original": self.original, "variants": rows, "conditions": self.conditions}
        report |= {"recommended": name, "conclusions": found}
        write_atomically(self.artifacts / "report.json", to_json(report))

    def _fail_if_nothing_worked(self) -> None:
        rows = list(self.rows.values())
        failed = [row for row in rows if row["status"] == "failed"]
        if failed and not any(row["status"] in ("done", "broken") for row in rows):
            first = [Problem.from_dict(problem) for problem in failed[0]["problems"] if problem["severity"] == "error"]
            raise RunError([Problem("optimize.all_failed", values={"n": len(failed)}), *first])

    def _summary(self) -> dict[str, Any]:
        assert self.original is not None
        best = self.rows.get(self.recommended or "")
        told = ("accuracy", "interval", "n", "latency_p50_ms", "throughput", "size_mb")
        return {
            "task": self.conditions["task"],
            "variants": len(self.rows),
            "done": sum(row["status"] == "done" for row in self.rows.values()),
            "recommended": self.recommended,
            "conclusions": self.conclusions,
            "original": {name: self.original.get(name) for name in told},
            "best": {name: best[name] for name in ("name", "ratios", "loss", "accuracy", "size_mb")} if best else None,
            "data": {**self.conditions["data"], "test": self.conditions["test"]},
            "phases": self.clock.seconds,
        }


def _sizes(path: Path) -> Row:
    """MB of a file as it lies there and compressed by gzip: zeros make only the second smaller."""
    parts = [path] if path.is_file() else sorted(part for part in path.rglob("*") if part.is_file())
    packed = sum(len(gzip.compress(part.read_bytes(), compresslevel=6)) for part in parts)
    return {"size_mb": size_of(path) / 1e6, "gzip_mb": packed / 1e6}
