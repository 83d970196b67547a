"""Hostile command lines: what is mistyped, pasted, too long, empty, of another kind, or meant to break something."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

_LONG, _VERY_LONG = "a" * 3000, "a" * 200_000
_TEXTS, _PICTURES = "bundled/minilm-l6", "bundled/efficientnet_lite0"


def command_lines(place: Path) -> Iterator[list[str]]:
    """The words of each command; `place` is a folder where they may find something."""
    here = place / "words"
    here.mkdir()
    table = here / "table.csv"
    table.write_text("text,label\n" + "good film,up\nbad film,down\n" * 6, encoding="utf-8")
    (here / "circle").symlink_to(here / "circle")
    os.mkfifo(here / "pipe.csv")
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(os.path.relpath(here / "socket"))  # its name may be short only
    yield from _of_paths(here, table)
    yield from _of_outputs(here, table)
    yield from _of_names()
    yield from _of_numbers(table)
    yield from _of_verbs(table)


def _of_paths(here: Path, table: Path) -> Iterator[list[str]]:
    odd = [
        "/dev/zero", "/dev/null", "/dev/stdin", "/dev/full", "/proc/self/mem", "/proc/self/environ", "/etc/shadow",
        f"{here}/circle", f"{here}/circle/x", f"{here}/pipe.csv", f"{here}/socket", f"{table}/x", f"{here}/*.csv",
        f"/{_LONG}", "/" + "a/" * 3000, _VERY_LONG, "", " ", ".", "..", "~", "~nobody", "-", "--",
        "\udcff\udcfe", "a\nb", "\x1b[31mred",
        r"C:\Users\me\pets", "https://example.org/pets.zip", "file:///nowhere", "'", '""', "$HOME", "\0",
    ]  # fmt: skip
    for path in odd:
        yield ["data", f"path:{path}"]
    for path in odd:
        yield ["predict", "--file", path, "--out", str(here / "answers.csv")]
    for path in odd:
        yield ["predict", "--image", path]
    for path in (
        str(table),
        "/dev/zero",
        f"{here}/pipe.csv",
        f"{here}/circle",
        f"/{_LONG}",
        str(here),
        "nowhere",
        "\0",
    ):
        yield ["run-import", path]
        yield ["weights", "--model", "torchvision/resnet18", "--import", path]
        yield ["weights", "--model", "hub/google-bert/bert-base-chinese", "--import", path]
        yield ["ask", "--task", "image-to-text", "--image", path]
        yield ["ask", "--task", "fill-mask", "--text", "a [MASK]", "--model", f"path:{path}"]


def _of_outputs(here: Path, table: Path) -> Iterator[list[str]]:
    for out in (str(here), "/dev/null", "/dev/full", "/proc/x", f"{table}/x", f"{here}/no/x", f"{here}/circle",
                f"/{_LONG}", "", str(table), f"{here}/pipe.csv", "\0", "\udcff.csv"):  # fmt: skip
        yield ["predict", "--file", str(table), "--out", out]
        yield ["predict", "--text", "good", "--out", out]
        yield ["optimize", "--model", _PICTURES, "--data", "builtin/digits", "--bundle", out, "--passes", "nothing"]


def _of_names() -> Iterator[list[str]]:
    for name in ("", " ", "resnet18", "'", "run/", "run/..", "run/../../etc", "run/\0", "hub/", "hub/a", "hub/../..",
                 _LONG, _VERY_LONG, "\udcff", "x/y/z", "path:/", "/etc/passwd", "https://huggingface.co/", "😀", "a\nb",
                 "%s%n", "{id}"):  # fmt: skip
        yield ["model", name]
        yield ["measure", name]
        yield ["download", name]
        yield ["finetune", "--model", name, "--data", "builtin/digits"]
        yield ["weights", "--delete", name]
        yield ["predict", "--model", name, "--text", "good"]
        yield ["run", name]
    for name in (
        "",
        "builtin/",
        "builtin/nothing",
        "hub/",
        "hub/a/b:c:d",
        "upload/../x",
        "upload/\0",
        "torchvision/",
        "x/y",
        "hub/a b",
    ):
        yield ["data", name]
        yield ["compare", "--model", _PICTURES, "--data", name]


def _of_numbers(table: Path) -> Iterator[list[str]]:
    for option in (
        "--epochs",
        "--lr",
        "--batch-size",
        "--train-size",
        "--seed",
        "--image-size",
        "--device",
        "--precision",
    ):
        for value in ("", "-1", "0", "nan", "inf", "1e999", "9" * 400, "x", "1,5", "１", "none"):
            yield ["finetune", "--model", _PICTURES, "--data", "builtin/nothing", option, value]
    for sizes in ("", ",", "0", "-5", "x", "10,10", "9" * 400, "1e5"):
        yield ["compare", "--model", _PICTURES, "--data", "builtin/nothing", "--sizes", sizes]
    for column in ("", "nothing", "a,b", _LONG, "\udcff", "\0", "text"):
        yield ["data", f"path:{table}", "--label-column", column]
        yield ["predict", "--file", str(table), "--text-column", column, "--out", str(table) + ".answers.csv"]


def _of_verbs(table: Path) -> Iterator[list[str]]:
    yield from (
        [],
        ["nothing"],
        ["--nothing"],
        ["data"],
        ["data", "a", "b"],
        ["models", "--limit", "0"],
        ["models", "\udcff"],
    )
    yield from (
        ["models", _VERY_LONG],
        ["models", "--source", "x"],
        ["models", "--max-parameters-m", "nan"],
        ["models", "(["],
    )
    yield from (
        ["runs", "--kind", "\udcff"],
        ["runs", "--limit", "-1"],
        ["run", "a", "explode"],
        ["ask", "--task", "x"],
    )
    yield from (
        ["ask", "--task", "fill-mask"],
        ["ask", "--task", "fill-mask", "--set", "="],
        ["ask", "--text", "\udcff"],
    )
    yield from (
        ["predict"],
        ["predict", "--text", ""],
        ["predict", "--text", "\udcff\0"],
        ["predict", "--text", "good " * 40_000],
    )
    yield from (["predict", "--text", "good", "--image", "x"], ["predict", "--text", "good", "--top", "9" * 30])
    yield from (["predict", "--file", str(table), "--out", "x", "--detach"], ["data", f"path:{table}", "--json"])
    yield from (
        ["weights", "--import", str(table)],
        ["optimize", "--model", _TEXTS, "--data", f"path:{table}", "--passes", "onnx,,"],
    )
