"""`python -m core finetune`, `compare` and `optimize`: a spec from options, checked, submitted and waited for."""

from __future__ import annotations

import sys
from pathlib import Path

from core.cli.meant import checked_output
from core.cli.progress import end_with, follow, wait
from core.cli.spec_options import Asked, command
from core.compare.spec import CompareSpec
from core.data.token_lengths import MOST_READ, covering_length
from core.errors import InputError
from core.finetune.spec import FinetuneSpec
from core.messages import explain
from core.models.catalog import get_model
from core.optimize.spec import OptimizeSpec
from core.problems import Problem
from core.runs import submit
from core.runs.kinds import check_spec
from core.runs.manage import latest_import
from core.store import Run, find_report, read_report


def _start(spec: Asked, json_: bool, detach: bool) -> None:
    """Start what was asked for and wait for its end."""
    follow(_submit(spec), json_, detach)


def _optimize(spec: OptimizeSpec, json_: bool, detach: bool, *, bundle: Path | None) -> None:
    """The same, and write what is recommended as a bundle."""
    if bundle is None:
        _start(spec, json_, detach)
        return
    if detach:
        raise InputError("optimize.bundle_detached")
    bundle = checked_output(bundle, may_be_folder=True, makes_folders=True)
    run = wait(_submit(spec), quiet=False)
    name = (read_report(run.id) or {}).get("recommended")
    if run.status != "done" or not name:
        reason = Problem("optimize.nothing_recommended", values={"id": run.id})
        end_with(run, json_, failed=[] if run.error else [reason])
    from core.optimize.bundle.write import write_bundle

    bundle.parent.mkdir(parents=True, exist_ok=True)
    path = write_bundle(run, str(name), bundle)
    end_with(run, json_, bundle=str(path))


def _submit(spec: Asked) -> Run:
    """Check what was asked for and put it into the queue; warnings go to stderr."""
    problems = check_spec(spec)
    if any(problem.severity == "error" for problem in problems):
        raise InputError(problems)
    for problem in problems:
        print(f"warning: {explain(problem)}", file=sys.stderr)
    _tell_length(spec)
    return submit.submit(spec)


def _tell_length(spec: Asked) -> None:
    """How much of each text will be read where nothing was said, as far as these texts were looked into."""
    card = get_model(spec.model.id)
    if isinstance(spec, OptimizeSpec) or spec.max_length is not None or not card.is_text:
        return
    run = latest_import(spec.data.model_dump(mode="json"))
    lengths = ((find_report(run.id) or {}).get("tokens") or {}).get("lengths") if run else None
    if lengths:
        length = covering_length(lengths, card.reading.max_length)
        share = sum(one <= length for one in lengths) / len(lengths)
        words = f"about {length} tokens of each text are read, which covers {share:.0%} of the texts"
    else:
        words = f"as many tokens of each text are read as cover 95% of the texts, at most {MOST_READ}"
    print(f"{words}; --max-length says otherwise", file=sys.stderr)


finetune = command(FinetuneSpec, _start)
compare = command(CompareSpec, _start)
optimize = command(OptimizeSpec, _optimize)
