"""`python -m bench finetune`, `text`, `sentiment`, `live` …: race or measure, print a table, save it as JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from core.messages import explain
from core.paths import check_writable
from core.registry.methods import METHODS

RESULTS = Path(__file__).with_name("results")  # not kept with the project: every machine has its own


def _writable(path: Path) -> Path:
    """Where a table is to be saved, tried before it is measured."""
    for problem in check_writable(path):
        raise typer.BadParameter(explain(problem))
    return path


_OUT = typer.Option(help="Where the table is saved.", callback=_writable)
app = typer.Typer(no_args_is_help=True, add_completion=False)


@app.command()
def finetune(
    data: Annotated[str, typer.Option(help="Images in hub layout to race on (CIFAR-10).")],
    out: Annotated[Path, _OUT] = RESULTS / "finetune.json",
    train: Annotated[int, typer.Option(help="Training images.")] = 2000,
    epochs: Annotated[int, typer.Option(help="Epochs that times are extrapolated to.")] = 5,
    steps: Annotated[int, typer.Option(help="Timed steps of a contender in a round.")] = 8,
    rounds: Annotated[int, typer.Option(help="Rounds.")] = 3,
    accuracy: Annotated[bool, typer.Option(help="Compare accuracy too, once, at 96 px.")] = True,
    cut: Annotated[bool, typer.Option(help="Race the last blocks from a cached cut against the head, 128 px.")] = True,
) -> None:
    """Fine-tuning EfficientNet-Lite0: the tutorial's loop, plain Trainer, Lightning and Graft."""
    from bench.finetune import race

    race(data, out, train=train, epochs=epochs, steps=steps, rounds=rounds, accuracy=accuracy, cut=cut)


@app.command()
def small(
    images: Annotated[str, typer.Option(help="Pictures in hub layout (CIFAR-10).")],
    texts: Annotated[str, typer.Option(help="Labelled sentences in hub layout (SST-2).")],
    out: Annotated[Path, _OUT] = RESULTS / "small.json",
    pictures: Annotated[str, typer.Option(help="Numbers of pictures, separated by commas.")] = "40,100,200,400",
    sentences: Annotated[str, typer.Option(help="Numbers of sentences.")] = "100",
    full: Annotated[str, typer.Option(help="Numbers of pictures on which all layers learn; empty: none.")] = "",
    draws: Annotated[int, typer.Option(help="How often each number is drawn.", min=1)] = 4,
) -> None:
    """Few examples: what is learned from a folder of 40 to 400 pictures or 100 texts, on fresh ones."""
    from bench.small import measure

    sizes = {
        name: [int(n) for n in asked.split(",") if n]
        for name, asked in (("pictures", pictures), ("sentences", sentences), ("full", full))
    }
    measure(images, texts, out, **sizes, draws=draws)


@app.command()
def text(
    data: Annotated[str, typer.Option(help="Labelled sentences in hub layout to race on (SST-2).")],
    out: Annotated[Path, _OUT] = RESULTS / "text.json",
    steps: Annotated[int, typer.Option(help="Timed steps of the usual way in a round.")] = 12,
    rounds: Annotated[int, typer.Option(help="Rounds.")] = 3,
    accuracy: Annotated[bool, typer.Option(help="Train the usual way whole too, once, for its accuracy.")] = True,
) -> None:
    """Fine-tuning MiniLM-L6 on 5,000 sentences: padded to 128 tokens by the plain Trainer, and Graft."""
    from bench.texts import race

    race(data, out, steps=steps, rounds=rounds, accuracy=accuracy)


@app.command(name="make-sentiment")
def make_sentiment(
    sst2: Annotated[str, typer.Option(help="SST-2 in hub layout.")],
    hotel: Annotated[str, typer.Option(help="ChnSentiCorp hotel reviews in hub layout.")],
    run: Annotated[str | None, typer.Option(help="An English run made before, instead of training it.")] = None,
) -> None:
    """Make the sentiment model that comes with Graft: about half an hour on 2 cores."""
    from bench.sentiment import make

    make(sst2, hotel, run)


@app.command()
def sentiment(
    sst2: Annotated[str, typer.Option(help="SST-2 in hub layout.")],
    hotel: Annotated[str, typer.Option(help="ChnSentiCorp hotel reviews in hub layout.")],
    imdb: Annotated[str | None, typer.Option(help="IMDB reviews in hub layout: texts from elsewhere.")] = None,
    out: Annotated[Path, _OUT] = RESULTS / "sentiment.json",
    card: Annotated[bool, typer.Option(help="Write the scores onto the model's card.")] = False,
) -> None:
    """What the sentiment model that comes with Graft scores on rows it never saw."""
    from bench.sentiment import measure

    measure(sst2, hotel, imdb, out, card=card)


@app.command()
def predict(
    data: Annotated[str, typer.Option(help="Sentences to answer, in hub layout (SST-2).")],
    out: Annotated[Path, _OUT] = RESULTS / "predict.json",
    sentences: Annotated[int, typer.Option(help="Sentences in a round.")] = 2000,
    rounds: Annotated[int, typer.Option(help="Rounds.")] = 3,
) -> None:
    """Answering sentences: the transformers pipeline at its best batch size, and Graft."""
    from bench.answering import race

    race(data, out, sentences=sentences, rounds=rounds)


@app.command()
def answers(
    images: Annotated[str, typer.Option(help="Small pictures that photos are made of, in hub layout (CIFAR-10).")],
    texts: Annotated[str, typer.Option(help="Sentences to answer, in hub layout (SST-2).")],
    out: Annotated[Path, _OUT] = RESULTS / "answers.json",
    photos: Annotated[int, typer.Option(help="Photos of 500 × 375; 0: none.")] = 1000,
    sentences: Annotated[int, typer.Option(help="Sentences; 0: none.")] = 10_000,
    rounds: Annotated[int, typer.Option(help="Rounds.")] = 3,
) -> None:
    """Answering a folder of photos and a table of sentences: the command line, and decode plus the best runtime."""
    from bench.jobs import race

    race(images, texts, out, photos=photos, sentences=sentences, rounds=rounds)


@app.command()
def optimize(
    images: Annotated[str, typer.Option(help="Pictures in hub layout to calibrate on (CIFAR-10).")],
    texts: Annotated[str, typer.Option(help="Labelled sentences in hub layout (SST-2).")],
    out: Annotated[Path, _OUT] = RESULTS / "optimize.json",
    only: Annotated[str, typer.Option(help="Networks, separated by commas; empty: all four.")] = "",
    compiled: Annotated[bool, typer.Option(help="Race torch.compile too: it compiles for a minute.")] = True,
) -> None:
    """Answering on this machine: eager torch, torch.compile, plain ONNX Runtime, OpenVINO and Graft's int8."""
    from bench.optimize import race_all

    race_all(images, texts, out, only=[name for name in only.split(",") if name], compiled=compiled)


@app.command()
def distill(
    data: Annotated[str, typer.Option(help="Labelled sentences in hub layout (SST-2).")],
    teacher: Annotated[str, typer.Option(help="A fine-tuned text model: run/RUN.")],
    out: Annotated[Path, _OUT] = RESULTS / "distill.json",
    seeds: Annotated[int, typer.Option(help="Students of each kind.", min=2)] = 3,
    epochs: Annotated[int, typer.Option(help="Epochs of each student.")] = 2,
) -> None:
    """Half the layers, taught by the whole network and by the labels alone: what the teacher brings."""
    from bench.distill import measure

    measure(data, teacher, out, seeds=seeds, epochs=epochs)


@app.command()
def live(
    out: Annotated[Path, _OUT] = RESULTS / "live.json",
    chromium: Annotated[str, typer.Option(help="The browser.")] = "/usr/bin/chromium",
    seconds: Annotated[float, typer.Option(help="Seconds of each measurement.")] = 60.0,
) -> None:
    """The live page: from a point in the store to the drawn curve, and what viewers cost the trainer."""
    from bench.live import race

    race(out, chromium=chromium, seconds=seconds)


@app.command()
def fair(
    out: Annotated[Path, _OUT] = RESULTS / "fair.json",
    rounds: Annotated[int, typer.Option(help="Rounds.", min=1)] = 3,
    seconds: Annotated[float, typer.Option(help="Seconds of each measurement.")] = 4.0,
    runs: Annotated[bool, typer.Option("--runs", help="Whole runs of the command line instead of steps.")] = False,
) -> None:
    """Beside others: how fast networks are computed alone, and beside one and two busy processes."""
    if runs:
        from bench.fair_runs import measure as measure_runs

        measure_runs(out.with_stem("fair-runs"), rounds=rounds)
        return
    from bench.fair import measure

    measure(out, rounds=rounds, seconds=seconds)


@app.command()
def start(
    out: Annotated[Path, _OUT] = RESULTS / "start.json",
    chromium: Annotated[str, typer.Option(help="The browser.")] = "/usr/bin/chromium",
    times: Annotated[int, typer.Option(help="Trainings that are started.", min=1)] = 10,
) -> None:
    """From the click on Start training to the first curve, and the memory of the idle app."""
    from bench.start import measure

    measure(out, chromium=chromium, times=times)


@app.command()
def many(
    out: Annotated[Path, _OUT] = RESULTS / "many.json",
    runs: Annotated[int, typer.Option(help="Runs in the store.", min=2)] = 10_000,
    points: Annotated[int, typer.Option(help="Points of all their curves.")] = 1_000_000,
    rounds: Annotated[int, typer.Option(help="Looks at each.", min=1)] = 5,
) -> None:
    """Home, Runs, a long curve and `core runs` over a store of very many runs."""
    from bench.many import measure

    measure(out, runs=runs, points=points, rounds=rounds)


@app.command()
def large(
    out: Annotated[Path, _OUT] = RESULTS / "large.json",
    pictures: Annotated[str, typer.Option(help="Numbers of pictures, separated by commas.")] = "1000,10000,100000",
    texts: Annotated[str, typer.Option(help="Numbers of texts.")] = "1000,10000,100000,1000000",
    kinds: Annotated[str, typer.Option(help="Pictures: images (parquet), folder; texts: csv, jsonl, parquet.")] = (
        "images,csv"
    ),
    methods: Annotated[str, typer.Option(help=f"{', '.join(METHODS)}.")] = "head,full",
    folder: Annotated[Path | None, typer.Option(help="Where made rows are kept, for another time. Empty: nowhere.")] = (
        None
    ),
) -> None:
    """Many rows: seconds of a row by part, memory above the model's own, and disk, from 1,000 rows to 1,000,000."""
    from bench.large import measure

    sizes = {
        name: [int(n) for n in asked.split(",") if n] for name, asked in (("pictures", pictures), ("texts", texts))
    }
    measure(out, **sizes, kinds=kinds.split(","), methods=methods.split(","), folder=folder)


@app.command()
def library(
    out: Annotated[Path, _OUT] = RESULTS / "library.json",
    chromium: Annotated[str, typer.Option(help="The browser.")] = "/usr/bin/chromium",
    rounds: Annotated[int, typer.Option(help="How often the words are typed.", min=1)] = 3,
) -> None:
    """The Models page: from the last keystroke of a search to the narrowed table."""
    from bench.library import race

    race(out, chromium=chromium, rounds=rounds)


@app.command(name="inspect")
def inspect_all(
    out: Annotated[Path, _OUT] = RESULTS / "inspect.json",
    memory: Annotated[bool, typer.Option(help="Estimate memory too.")] = True,
) -> None:
    """Every classifier of torchvision taken apart: parameters and multiply-adds beside the published ones."""
    from bench.inspect import walk

    walk(out, memory=memory)


@app.command()
def memory(
    out: Annotated[Path, _OUT] = RESULTS / "memory.json",
    models: Annotated[str, typer.Option(help="Model ids, separated by commas; empty: the usual three.")] = "",
    ways: Annotated[str, typer.Option(help=f"inference, {', '.join(METHODS)}.")] = "inference,full",
    batches: Annotated[str, typer.Option(help="Batch sizes: 1, 8, 32, 128.")] = "8,32",
    precisions: Annotated[str, typer.Option(help="fp32, bf16.")] = "fp32",
) -> None:
    """What the memory model tells beside the peaks of processes that really answer and learn."""
    from bench.memory import MODELS, compare

    sizes = [int(size) for size in batches.split(",")]
    compare(out, models.split(",") if models else list(MODELS), ways.split(","), sizes, precisions.split(","))


@app.command()
def nulls(
    out: Annotated[Path, _OUT] = RESULTS / "nulls.json",
    tries: Annotated[int, typer.Option(help="Simulated cases of each kind.", min=1)] = 400,
) -> None:
    """How often the tests of Compare and Optimize, and the intervals of speeds, find what is not there: at most 5%."""
    from bench.nulls import simulate

    simulate(out, tries=tries)


@app.command()
def estimates(
    out: Annotated[Path, _OUT] = RESULTS / "estimates.json",
    runs: Annotated[int, typer.Option(help="So many of the twenty trainings.", min=1, max=20)] = 20,
    doctor: Annotated[bool, typer.Option(help="Time the machine first, as a newcomer is advised to.")] = True,
) -> None:
    """Time and memory of twenty small trainings as told before, beside what happened."""
    from bench.estimates import measure

    measure(out, runs=runs, doctor=doctor)


@app.command()
def kills(
    out: Annotated[Path, _OUT] = RESULTS / "kills.json",
    tries: Annotated[int, typer.Option(help="How often something is killed.", min=1)] = 60,
    seed: Annotated[int, typer.Option(help="What is killed, and when.")] = 0,
    only: Annotated[str, typer.Option(help="Kinds of job, separated by commas; empty: all.")] = "",
    folder: Annotated[Path | None, typer.Option(help="Where all is kept, for another seed. Empty: nowhere.")] = None,
) -> None:
    """Worker, server or both killed at random moments: records, numbers and processes afterwards."""
    from bench.kills import measure

    measure(out, tries=tries, seed=seed, only=[name for name in only.split(",") if name], folder=folder)


@app.command()
def strange(
    out: Annotated[Path, _OUT] = RESULTS / "strange.json",
    verbs: Annotated[str, typer.Option(help="What is asked about each file.")] = "data,predict,finetune,optimize",
    kinds: Annotated[str, typer.Option(help="Kinds of files, separated by commas; empty: all ten.")] = "",
    lines: Annotated[bool, typer.Option(help="Try the hostile command lines too.")] = True,
) -> None:
    """Ten strange files of each kind and hostile command lines: no traceback anywhere, every refusal a sentence."""
    from bench.strange import walk

    is_sound = walk(
        out, verbs=[v for v in verbs.split(",") if v], kinds=[k for k in kinds.split(",") if k], lines=lines
    )
    raise typer.Exit(int(not is_sound))


if __name__ == "__main__":
    RESULTS.mkdir(exist_ok=True)
    app()
