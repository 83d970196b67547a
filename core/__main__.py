"""`python -m core …`: everything the pages do, by the same specs.

With `--json` one JSON document goes to stdout and nothing else; progress goes to stderr. Exit status: 0
done, 1 failed, 2 bad input, 130 stopped. Long verbs wait and show their progress unless `--detach`.
"""

from __future__ import annotations

import inspect
import json
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn, TypeVar, get_args, get_origin

import typer

from core import asking_commands, hubs, jobs, model_commands, outcome, runs
from core.answers import answers_csv
from core.errors import GraftError, InputError, Problem
from core.export import metric_rows, run_facts
from core.files import replacing, to_json
from core.kinds import check_spec
from core.messages import explain, explain_phase
from core.options import option_name
from core.registry.formats import asked_suffixes
from core.specs import (
    SENTIMENT,
    CompareSpec,
    DataRef,
    FinetuneSpec,
    ImportSpec,
    ModelRef,
    OptimizeSpec,
    PredictSpec,
    metadata,
    parse_spec,
)
from core.store import Run, open_store

app = typer.Typer(
    name="core",
    help="Graft: adapt pretrained models to your own data, and know what it brought.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]
TextColumn = Annotated[str | None, typer.Option(help="The column of the texts, where it is not the one found.")]
LabelColumn = Annotated[str | None, typer.Option(help="The column of the labels, where it is not the one found.")]
DetachOption = Annotated[bool, typer.Option("--detach", help="Start and return at once.")]
_POLL_S = 0.25
_COUNTED = 10  # classes whose number of answers is told
_SEES = "bundled/efficientnet_lite0"
_WHO_ANSWERS = f"run/RUN-ID, or a published model. Default: {_SEES} for pictures, {SENTIMENT} for texts."
Asked = FinetuneSpec | CompareSpec | OptimizeSpec
A = TypeVar("A", FinetuneSpec, CompareSpec, OptimizeSpec)
_BESIDE: dict[type[Asked], tuple[str, ...]] = {OptimizeSpec: ("bundle",)}  # options that are no field of the spec


def main() -> None:
    """Run the command line; what Graft can explain is told in a sentence."""
    hubs.pass_to_libraries()
    try:
        app(prog_name="python -m core")
    except GraftError as error:
        _tell_problems(error, as_json="--json" in sys.argv)
        raise SystemExit(error.exit_code) from None
    except BrokenPipeError:  # the reader of a pipe had enough
        raise SystemExit(0) from None


def _tell_problems(error: GraftError, *, as_json: bool) -> None:
    if as_json:
        problems = [{**problem.as_dict(), "sentence": explain(problem)} for problem in error.problems]
        print(to_json({"error": problems}))
    for problem in error.problems:
        print(f"{problem.severity}: {explain(problem)}", file=sys.stderr)


def _print(value: Any, as_json: bool, text: str) -> None:
    print(to_json(value) if as_json else text)


# -- reading -----------------------------------------------------------------------------------------------


@app.command()
def data(
    data_id: Annotated[str, typer.Argument(metavar="ID")],
    text_column: TextColumn = None,
    label_column: LabelColumn = None,
    json_: JsonOption = False,
) -> None:
    """Read a data set and say what is in it: classes, splits, problems."""
    ref = {"id": data_id, "text_column": text_column, "label_column": label_column}
    spec = parse_spec(ImportSpec, {"data": ref})
    run = runs.submit(spec)
    ended = _wait(run, quiet=json_)
    report = runs.read_report(ended.id) or {}
    if ended.status != "done":
        _end(ended, json_)
    told = [{**problem, "sentence": outcome.sentence(problem)} for problem in report.get("problems", [])]
    counts = report.get("counts", {})
    lines = [f"{report.get('name', data_id)}: {report.get('num_images', 0)} examples, {len(report['labels'])} classes"]
    lines += [f"  {split:11} {sum(numbers):7}  {numbers}" for split, numbers in counts.items()]
    lines += [f"  {problem['sentence']}" for problem in told]
    _print({**report, "problems": told, "run": ended.id, "status": ended.status}, json_, "\n".join(lines))


@app.command(name="runs")
def list_runs(
    kind: Annotated[str, typer.Option(help="Only this kind: finetune, import.")] = "",
    limit: Annotated[int, typer.Option(help="At most this many, the newest first.", min=1)] = 50,
    json_: JsonOption = False,
) -> None:
    """List the runs, the newest first."""
    jobs.pump()
    found = open_store().list_runs(kind=kind or None, limit=limit)
    rows = [run_facts(run) for run in found]
    lines = [f"{run.id}  {run.status:11}  {_accuracy(run):>6}  {run.name}" for run in found]
    _print(rows, json_, "\n".join(lines))


def _accuracy(run: Run) -> str:
    accuracy = (run.summary.get("test") or run.summary.get("best") or {}).get("accuracy")
    return "" if accuracy is None else f"{accuracy:.1%}"


# -- one run -----------------------------------------------------------------------------------------------


@app.command(name="run")
def one_run(
    run_id: Annotated[str, typer.Argument(metavar="ID")],
    verb: Annotated[
        Literal["show", "log", "stop", "kill", "resume", "repeat", "export", "delete"],
        typer.Argument(help="What to do with it."),
    ] = "show",
    json_: JsonOption = False,
    detach: DetachOption = False,
) -> None:
    """Show, stop, resume, repeat, export or delete a run."""
    jobs.pump()
    run = open_store().get_run(run_id)
    if verb == "show":
        _show(run, json_)
    elif verb == "log":
        _print({"run": run.id, "log": runs.read_log(run.id)}, json_, runs.read_log(run.id))
    elif verb in ("stop", "kill"):
        run = jobs.stop_run(run_id) if verb == "stop" else jobs.kill_run(run_id)
        _print({"run": run.id, "status": run.status}, json_, f"{run.id} {run.status}, asked to {verb}")
    elif verb in ("resume", "repeat"):
        again = runs.resume_run(run_id) if verb == "resume" else runs.repeat_run(run_id)
        _follow(again, json_, detach)
    elif verb == "export":
        path = runs.export_run(run_id)
        _print({"run": run_id, "path": str(path), "bytes": path.stat().st_size}, json_, str(path))
    else:
        size = runs.run_size(run_id)
        runs.delete_run(run_id)
        _print({"run": run_id, "deleted": True, "bytes": size}, json_, f"{run_id} deleted, {size / 1e6:.1f} MB")


def _show(run: Run, as_json: bool) -> None:
    store = open_store()
    artifacts = [
        {"name": a.name, "kind": a.kind, "bytes": a.bytes, "sha256": a.sha256, "path": str(run.folder / a.path)}
        for a in store.list_artifacts(run.id)
    ]
    facts = {**run_facts(run), "run": run.id, **outcome.results(run)}
    if as_json:
        print(to_json({**facts, "metrics": metric_rows(run.id, store), "artifacts": artifacts}))
        return
    print(f"{run.id}  {run.status}  {run.name}")
    for problem in run.error or []:
        print(f"  {outcome.sentence(problem)}")
    for finding in facts.get("conclusions", []):
        print(f"  {finding['sentence']}")
    print("".join(f"  {line}\n" for line in outcome.lines(facts)), end="")
    print(f"  {runs.command_line(runs.spec_of(run))}")
    for artifact in artifacts:
        print(f"  {artifact['bytes']:>12,}  {artifact['name']}")


# -- fine-tuning -------------------------------------------------------------------------------------------


def command(kind: type[A], start: Callable[..., None]) -> Callable[..., None]:
    """A verb whose options are the fields of a spec: `start` gets the spec, `json`, `detach`, and what comes beside it.

    typer reads a function's signature; this one's is told by the spec, so that a new field is an option at once.
    """

    def verb(json: bool, detach: bool, **options: Any) -> None:
        beside = {name: options.pop(name) for name in _BESIDE.get(kind, ()) if name in options}
        start(_spec_of(kind, options), json, detach, **beside)

    typed: Any = verb
    typed.__signature__ = _signature(kind)
    return verb


def _spec_of(kind: type[A], options: dict[str, Any]) -> A:
    """The spec that options ask for. Raises `InputError` with every option that is wrong."""
    given = {name: value for name, value in options.items() if value is not None}
    columns = {name: given.pop(name) for name in ("text_column", "label_column") if name in given}
    weights = {"weights": given.pop("weights")} if "weights" in given else {}
    values = {
        **{name: _value_of(kind.model_fields[name].default, value) for name, value in given.items()},
        "model": {"id": given["model"], **weights},
        "data": {"id": given["data"], **columns},
    }
    return parse_spec(kind, values)


def _value_of(default: Any, value: Any) -> Any:
    """An option as the spec wants it: a list is written with commas, and "none" empties what has a default."""
    if isinstance(default, tuple):
        return [part.strip() for part in str(value).split(",") if part.strip()]
    return None if default is not None and value == "none" else value


def _start(spec: Asked, json_: bool, detach: bool) -> None:
    """Start what was asked for and wait for its end."""
    _follow(_submit(spec), json_, detach)


def _optimize(spec: OptimizeSpec, json_: bool, detach: bool, *, bundle: Path | None) -> None:
    """The same, and write what is recommended as a bundle."""
    if bundle is None:
        _start(spec, json_, detach)
        return
    if detach:
        raise InputError("optimize.bundle_detached")
    run = _wait(_submit(spec), quiet=False)
    name = (runs.read_report(run.id) or {}).get("recommended")
    if run.status != "done" or not name:
        reason = Problem("optimize.nothing_recommended", values={"id": run.id})
        _end(run, json_, failed=[] if run.error else [reason])
    from core.bundle import write_bundle

    bundle.absolute().parent.mkdir(parents=True, exist_ok=True)
    path = write_bundle(run, str(name), bundle)
    _end(run, json_, bundle=str(path))


def _submit(spec: Asked) -> Run:
    """Check what was asked for and put it into the queue; warnings go to stderr."""
    problems = check_spec(spec)
    if any(problem.severity == "error" for problem in problems):
        raise InputError(problems)
    for problem in problems:
        print(f"warning: {explain(problem)}", file=sys.stderr)
    return runs.submit(spec)


def _signature(kind: type[Asked]) -> inspect.Signature:
    """The options of a spec: one for each field, with the field's help, range and default."""
    parameters = [_option("model", str, ..., "Model id; `models` lists them.")]
    if kind is FinetuneSpec:
        weights = Literal["pretrained", "random"]
        parameters.append(_option("weights", weights, "pretrained", "Published weights, or random ones."))
    parameters += [
        _option("data", str, ..., "Data set id: builtin/digits, upload/NAME, hub/ORG/NAME, path:/folder-or-file."),
        _option("text_column", str | None, None, "The column of the texts, where it is not the one found."),
        _option("label_column", str | None, None, "The column of the labels, where it is not the one found."),
    ]
    for name, field in kind.model_fields.items():
        if field.annotation in (ModelRef, DataRef):
            continue
        unit = metadata(field).get("unit")
        text = (field.description or "") + (f" In {unit}." if unit else "")
        default, annotation = field.default, field.annotation
        if isinstance(default, tuple):
            known = f" of {', '.join(choices)}" if (choices := metadata(field).get("choices")) else ""
            default, annotation, text = ",".join(map(str, default)), str, f"{text} Separated by commas{known}."
        elif default is not None and type(None) in get_args(annotation):  # a number that may be "none"
            default, annotation = str(default), str
        parameters.append(_option(name, annotation, default, text))
    if kind is OptimizeSpec:
        text = "Write the recommended variant there as a zip that needs no Graft."
        parameters.append(_option("bundle", Path | None, None, text))
    parameters += [
        inspect.Parameter("json", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=JsonOption),
        inspect.Parameter("detach", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=DetachOption),
    ]
    return inspect.Signature(parameters)


def _option(name: str, kind: Any, default: Any, text: str) -> inspect.Parameter:
    option = typer.Option(_flag(name, kind), help=text, show_default=default is not None)
    if get_origin(kind) is not Literal and type(None) in get_args(kind):
        kind = next(part for part in get_args(kind) if part is not type(None)) | None
    value = inspect.Parameter.empty if default is ... else default
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=value, annotation=Annotated[kind, option])


def _flag(name: str, kind: Any) -> str:
    option = option_name(name)
    return f"{option}/--no-{option[2:]}" if kind is bool else option


finetune = command(FinetuneSpec, _start)
compare = command(CompareSpec, _start)
optimize = command(OptimizeSpec, _optimize)
app.command(name="finetune", help="Adapt a pretrained classifier to your own data.")(finetune)
app.command(
    name="compare",
    help="Measure what pretraining buys: from scratch against pretrained, over data-set sizes and seeds.",
)(compare)
app.command(
    name="optimize",
    help="Make a trained model smaller and faster, and measure on your own data what each way costs.",
)(optimize)


def _follow(run: Run, as_json: bool, detach: bool) -> None:
    if detach:
        _print({"run": run.id, "status": run.status}, as_json, run.id)
        return
    _end(_wait(run, quiet=False), as_json)


def _wait(run: Run, *, quiet: bool) -> Run:
    """Wait for a run's end, with its progress on stderr. Ctrl-C asks it to stop; twice leaves it alone."""
    store = open_store()
    show = _Progress(quiet)
    try:
        while run.is_active:
            jobs.pump(store)
            run = store.get_run(run.id)
            show(run)
            time.sleep(_POLL_S)
    except KeyboardInterrupt:
        jobs.stop_run(run.id, store)
        print(f"\nstopping {run.id}; what was done so far is kept", file=sys.stderr)
        while (run := store.get_run(run.id)).is_active:
            jobs.pump(store)
            time.sleep(_POLL_S)
    show.close()
    return run


class _Progress:
    """One line on a terminal that is written over; a line for each phase elsewhere."""

    def __init__(self, quiet: bool) -> None:
        self._quiet, self._last, self._on_terminal = quiet, "", sys.stderr.isatty()

    def __call__(self, run: Run) -> None:
        phase = run.phase or {"code": run.status, "values": {}}
        words = explain_phase(phase["code"], phase["values"]) if run.status == "running" else run.status
        if self._on_terminal:
            words += "" if run.progress is None else f"  {run.progress:4.0%}"
            words += "" if run.eta_s is None else f"  {run.eta_s:.0f} s left"
        if self._quiet or words == self._last:
            return
        self._last = words
        end = "" if self._on_terminal else "\n"
        start = "\r\x1b[2K" if self._on_terminal else ""
        print(f"{start}{run.id}  {words}", end=end, file=sys.stderr, flush=True)

    def close(self) -> None:
        if self._on_terminal and self._last:
            print(file=sys.stderr)


def _end(run: Run, as_json: bool, failed: Sequence[Problem] = (), **more: Any) -> NoReturn:
    """Say how a run ended and leave with its exit status; `failed` is what went wrong after it."""
    values: dict[str, Any] = {"run": run.id, "status": run.status, **outcome.results(run), **more}
    errors = [*(run.error or []), *(problem.as_dict() for problem in failed)]
    if errors:
        values["error"] = [{**problem, "sentence": outcome.sentence(problem)} for problem in errors]
        for problem in values["error"]:
            print(problem["sentence"], file=sys.stderr)
    test = run.summary.get("test")
    text = f"{run.id} {run.status}{outcome.download_words(run)}"
    if test:
        low, high = test["interval"]
        text += f": {test['accuracy']:.1%} of {test['n']} test examples (95%: {low:.1%} to {high:.1%})"
    if run.kind == "predict" and run.status == "done":
        counted = ", ".join(f"{label or 'empty'} {n}" for label, n in list(run.summary["counts"].items())[:_COUNTED])
        text += f": {run.summary['rows']} {run.summary['kind']}: {counted}"
    text += "".join(f"\n  {finding['sentence']}" for finding in values.get("conclusions", []))
    text += "".join(f"\n{line}" for line in outcome.lines(values))
    _print(values, as_json, text)
    raise SystemExit({"done": int(bool(failed)), "stopped": 130, "interrupted": 1}.get(run.status, 1))


# -- asking ------------------------------------------------------------------------------------------------


@app.command()
def predict(
    pictures: Annotated[list[Path] | None, typer.Argument(help="The same as --image.")] = None,
    model_id: Annotated[str, typer.Option("--model", help=_WHO_ANSWERS, show_default=False)] = "",
    image: Annotated[list[Path] | None, typer.Option(help="A picture, or a folder or zip; may be given often.")] = None,
    text: Annotated[list[str] | None, typer.Option(help="A text; may be given several times.")] = None,
    file: Annotated[Path | None, typer.Option(help="A table of texts, or a folder or zip of pictures.")] = None,
    out: Annotated[Path | None, typer.Option(help="The csv to write: what was asked, with its answers.")] = None,
    text_column: TextColumn = None,
    top: Annotated[int, typer.Option(help="How many answers for each picture or text.", min=1)] = 5,
    json_: JsonOption = False,
    detach: DetachOption = False,
) -> None:
    """Ask a model what is in pictures, or what class texts belong to; `sentiment` is the model that comes along."""
    paths = [*(pictures or []), *(image or [])]
    if file is None and not paths and not text:
        raise InputError("predict.nothing")
    model_id = model_id or (_SEES if paths else SENTIMENT)
    many = [path for path in paths if path.is_dir() or path.suffix.lower() in asked_suffixes("pictures")]
    if many and (len(paths) > 1 or file is not None):
        raise InputError("predict.one_folder", path=str(many[0]))
    if many or file is not None:
        asked = {"model": model_id, "file": str(file or many[0]), "text_column": text_column}
        _answer_file(asked, out, json_, detach)
        return
    if paths and text:
        raise InputError("predict.both")
    from core.asked import ask_pictures, ask_texts

    told = ask_pictures(model_id, paths, top) if paths else ask_texts(model_id, text or [], top)
    if out is not None:
        with replacing(out) as unfinished:
            unfinished.write_bytes(answers_csv(told.rows))
    _print(told.values, json_, "\n".join(told.lines))


def _answer_file(values: dict[str, Any], out: Path | None, json_: bool, detach: bool) -> None:
    if out is None and not detach:
        raise InputError("predict.out_missing")
    run = runs.submit(parse_spec(PredictSpec, values))
    if detach:
        _follow(run, json_, detach)
        return
    ended = _wait(run, quiet=False)
    if ended.status == "done" and out is not None:
        with replacing(out) as unfinished:
            shutil.copyfile(ended.folder / "artifacts" / "answers.csv", unfinished)
    _end(ended, json_)


@app.command()
def doctor(
    calibrate: Annotated[bool, typer.Option(help="Time this machine, about 20 s, for estimates.")] = True,
    json_: JsonOption = False,
) -> None:
    """Say what this machine has, what is reachable, and how fast it is."""
    from core.doctor import examine

    report = examine(calibrate=calibrate, tell=lambda text: print(text, file=sys.stderr))
    lines = [
        f"{name:22} {value if not isinstance(value, dict | list) else json.dumps(value)}"
        for name, value in report.items()
    ]
    _print(report, json_, "\n".join(lines))


asking_commands.add_commands(app, _print)
model_commands.add_commands(app, _follow, _print)


if __name__ == "__main__":
    main()
