"""One variant of an optimization as a zip that works without Graft: model, preparation, script, samples, model card.

What is read, all below `run.folder/artifacts/`:

    report.json                            the report of the run; of it `conditions`, `original` and one of `variants`
    <variant["file"]>                      the model, most often `variants/NAME/model.onnx`, with what belongs to it
                                           beside it under the same stem (`model.onnx.data`); or a folder that holds
                                           it under the name `model` (OpenVINO's model.xml and model.bin)
    variants/NAME/preprocessing.json       `task`, `labels` and how a picture or text becomes the model's input;
                                           pictures: `image_size`, `resize_size`, `interpolation`, `mean`, `std`,
                                           `crop_mode`;
                                           texts: `max_length`, `pad_id`, `pad_to` (8 where it is not given)
    variants/NAME/tokenizer.json           of texts
    variants/NAME/expected.json            `labels` [n] and `logits` [n][C] of the file itself for each sample, asked
                                           one by one and read by `template(task)`; `tolerance` of a logit, if given
    samples/*.png or samples/texts.json    the samples in that order: pictures by their names (as numbers where they
                                           are), upright RGB; texts as a list of strings

What is written, all below `<run>-<variant>/`: the model (`model.onnx`), preprocessing.json, tokenizer.json,
labels.json, predict.py, requirements.txt, sample/ with expected.json, README.md and README.zh.md (one a language),
MODEL_CARD.json.
"""

from __future__ import annotations

import ast
import importlib.util
import json
import re
import sys
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

import numpy as np

from core.data import showing
from core.errors import GraftError, NotFoundError, RunError
from core.files import replacing, sha256, to_json
from core.i18n import LANGUAGES, SOURCE, Language
from core.markdown import markdown_translator
from core.measurement.runtimes import InputArrays
from core.optimize.bundle.card import card_facts, markdown_card
from core.optimize.outside import check_outside
from core.optimize.rows import OptimizeReport, VariantRow
from core.registry import looks
from core.registry.model_formats import BUNDLED, FORMATS, Format
from core.registry.passes import KINDS
from core.store import Run

TEMPLATES = Path(__file__).with_name("scripts")
_SCRIPTS = {"image-classification": "predict_image.py", "text-classification": "predict_text.py"}
# Phones' HEIC needs a package of its own beside Pillow.
_READERS = {
    "image-classification": ("pillow>=9.1", "pillow-heif>=0.13"),
    "text-classification": ("tokenizers>=0.20",),
}

_LEAST_SHARE = 1e-4


def template(task: str) -> Path:
    """What travels with a model of this task. That of texts is a module which holds `read_texts`."""
    return TEMPLATES / _SCRIPTS[task]


def load_reader(folder: Path) -> Callable[[list[Any]], InputArrays]:
    """What makes inputs of pictures (PIL) or texts for the file in a variant's folder, as its bundle's script does."""
    facts = json.loads((folder / "preprocessing.json").read_text(encoding="utf-8"))
    if "max_length" not in facts:
        return lambda pictures: {"pixels": np.stack([showing.read_picture(picture, facts) for picture in pictures])}
    path = template(facts["task"])
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    tokenizer = script.Tokenizer.from_file(str(folder / "tokenizer.json"))
    return lambda texts: dict(script.read_texts(texts, tokenizer, facts))


def write_bundle(run: Run, name: str, target: Path) -> Path:
    """Write one variant of an optimize run as a zip, into `target` if that is a folder. Returns its path.

    Raises `NotFoundError` for an unknown variant, `GraftError` for one that is not offered, `RunError` when its files
    are gone or the zip cannot be written.
    """
    artifacts = run.folder / "artifacts"
    try:
        report = OptimizeReport.from_dict(json.loads((artifacts / "report.json").read_text(encoding="utf-8")))
        carried = _carried(report, name)
        check_outside(run, carried.row)
        stem = f"{_slug(run.name)}-{_slug(name)}"
        target = target / f"{stem}.zip" if target.is_dir() else target
        files = _files(artifacts, carried)
        texts = _texts(artifacts, run, report, carried, files)
        _write(target, stem, files, texts)
    except (OSError, ValueError, KeyError) as error:
        detail = str(error) if isinstance(error, OSError) else f"{type(error).__name__}: {error}"
        raise RunError("run.cannot_export", id=run.id, detail=detail) from error
    return target


@dataclass(frozen=True)
class Carried:
    """The variant that is carried away: where its file lies, and what opens it."""

    row: VariantRow
    file: str  # below the run's artifacts
    format: Format
    runtime: str  # that it was measured with


def _carried(report: OptimizeReport, name: str) -> Carried:
    row = report.row(name)
    if row is None:
        raise NotFoundError("optimize.no_variant", name=name, known=", ".join(one.name for one in report.variants))
    if not row.offered or row.file is None or row.runtime is None:
        raise GraftError("optimize.not_offered", name=name)
    if row.format not in BUNDLED:
        raise GraftError("optimize.no_bundle", name=name, format=row.format, known=", ".join(BUNDLED))
    return Carried(row, row.file, FORMATS[row.format], row.runtime)


def _slug(text: str) -> str:
    """A name as a part of a file's name."""
    return re.sub(r"[^\w.]+", "-", text.lower())[:60].strip("-._") or "model"


# -- what goes in ------------------------------------------------------------------------------------------


def _files(artifacts: Path, carried: Carried) -> dict[str, Path]:
    """What is copied, by its name in the bundle."""
    folder, model = artifacts / "variants" / carried.row.name, artifacts / carried.file
    ending, *companions = carried.format.endings
    model = model / f"model{ending}" if model.is_dir() else model
    files = {f"model{ending}": model, "preprocessing.json": folder / "preprocessing.json"}
    beside = {ending: model.with_name(model.name.removesuffix(model.suffix) + ending) for ending in companions}
    files |= {f"model{ending}": path for ending, path in beside.items() if path.is_file()}
    if (folder / "tokenizer.json").is_file():
        files["tokenizer.json"] = folder / "tokenizer.json"
        files["sample/texts.json"] = artifacts / "samples" / "texts.json"
    else:
        pictures = sorted((artifacts / "samples").glob("*.png"), key=_by_number)
        files |= {f"sample/{path.name}": path for path in pictures}
    return files


def _by_number(path: Path) -> tuple[int, str]:
    return (int(path.stem) if path.stem.isdecimal() else 0, path.name)


def _texts(
    artifacts: Path, run: Run, report: OptimizeReport, carried: Carried, files: Mapping[str, Path]
) -> dict[str, str]:
    """What is written, by its name in the bundle."""
    how = json.loads(files["preprocessing.json"].read_text(encoding="utf-8"))
    expected = json.loads((artifacts / "variants" / carried.row.name / "expected.json").read_text(encoding="utf-8"))
    sums = {name: sha256(path) for name, path in files.items() if name.startswith("model.")}
    packages = requirements(carried.format, carried.runtime, how["task"])
    facts = card_facts(run, report, carried.row, how, sums, packages)
    return {
        "labels.json": to_json(how["labels"]),
        "predict.py": script(how["task"], carried.format),
        "requirements.txt": "\n".join([f"# Measured with {carried.runtime}.", *packages]) + "\n",
        "sample/expected.json": to_json(_expected(expected, carried.row, files, sums)),
        **{_readme(row): markdown_card(facts, markdown_translator(row.id)) for row in LANGUAGES.values()},
        "MODEL_CARD.json": to_json(facts),
    }


def _readme(language: Language) -> str:
    """The model card's file in a language: English is what hubs show first."""
    return "README.md" if language is SOURCE else f"README.{language.code}.md"


def script(task: str, format: Format) -> str:
    """predict.py for a variant: the reader of its task, what is the same for all, and what opens its format."""
    reader, shared = (path.read_text(encoding="utf-8") for path in (template(task), TEMPLATES / "answering.py"))
    if task == "image-classification":
        reader = _with_preparation(reader, Path(showing.__file__).read_text(encoding="utf-8"))
    else:
        reader = _with_looks(reader, Path(looks.__file__).read_text(encoding="utf-8"))
    text = _with_imports_of(reader, shared).rstrip() + "\n\n\n" + shared[shared.index("# -- from here on") :]
    text = _guarded(text, shared[shared.index("def end_in_words") : shared.index("HERE =")])
    if not format.opener:
        return text
    lines = (TEMPLATES / format.opener).read_text(encoding="utf-8")
    lines = lines[lines.index("def open_model") :].rstrip().replace('"f32"', f'"{format.precision}"')
    start = text.index("def open_model")
    return text[:start] + lines + text[text.index("\n\n\n", start) :]


def _with_preparation(reader: str, preparation: str) -> str:
    """The reader of pictures with Graft's own preparation in the place of what stands for it."""
    lines = preparation.splitlines(keepends=True)
    body = "".join(lines[_imports_in(preparation)[1] :]).strip()
    text = _with_imports_of(reader, preparation)
    start, stop = text.index("def open_decoded"), text.index("# -- asking")
    return text[:start] + body + "\n\n\n" + text[stop:]


def _with_looks(reader: str, cleaning: str) -> str:
    """The reader of texts with Graft's own cleaning in the place of its import."""
    body = "".join(cleaning.splitlines(keepends=True)[_imports_in(cleaning)[1] :]).strip()
    text = _with_imports_of(reader.replace("from core.registry.looks import clean\n", ""), cleaning)
    start = text.index("def read_texts")
    return text[:start] + body + "\n\n\n" + text[start:]


def _with_imports_of(text: str, other: str) -> str:
    """A module's text that imports what the other one imports too."""
    lines, start, end = text.splitlines(keepends=True), *_imports_in(text)
    first, last = _imports_in(other)
    wanted = {line for line in [*lines[start:end], *other.splitlines(keepends=True)[first:last]] if line.strip()}
    known = {line for line in wanted if line.split()[1].partition(".")[0] in sys.stdlib_module_names}
    groups = [sorted(group, key=lambda line: (line.startswith("from"), line)) for group in (known, wanted - known)]
    return "".join([*lines[:start], *groups[0], "\n", *groups[1], *lines[end:]])


def _guarded(text: str, guard: str) -> str:
    """A script with what tells of errors before the first package that may be missing."""
    packages = (
        one.lineno - 1
        for one in ast.parse(text).body
        if (isinstance(one, ast.Import) and one.names[0].name.partition(".")[0] not in sys.stdlib_module_names)
        or (isinstance(one, ast.ImportFrom) and str(one.module).partition(".")[0] not in sys.stdlib_module_names)
    )
    lines, first = text.splitlines(keepends=True), next(packages)
    return "".join([*lines[:first], "\n", guard, *lines[first:]])


def _imports_in(text: str) -> tuple[int, int]:
    """The lines from the first import at a module's head to the last, without that of `__future__`."""
    statements = [one for one in ast.parse(text).body if isinstance(one, ast.Import | ast.ImportFrom)]
    return statements[1].lineno - 1, statements[-1].end_lineno or statements[-1].lineno


def requirements(format: Format, runtime: str, task: str) -> list[str]:
    """The lines of requirements.txt."""
    version = re.search(r"\d+(\.\d+)+", runtime)
    packages = [one.format(version=version[0] if version else 0) for one in format.packages]
    return [*packages, "numpy>=1.24", *_READERS[task]]


class Expected(TypedDict):
    """What `predict.py sample` compares with: sample/expected.json."""

    inputs: list[str]
    labels: list[str]
    logits: list[list[float]]
    tolerance: float
    labels_decide: bool
    sha256: dict[str, str]


def _expected(
    answered: Mapping[str, Any], row: VariantRow, files: Mapping[str, Path], sums: Mapping[str, str]
) -> Expected:
    """What `predict.py sample` compares with."""
    logits, kind = answered["logits"], KINDS[row.kind]
    samples = [name.removeprefix("sample/") for name in files if name.startswith("sample/")]
    if samples != ["texts.json"] and len(samples) != len(logits):
        raise ValueError(f"{len(samples)} samples, {len(logits)} answers")
    spread = sum(max(one) - min(one) for one in logits) / max(1, len(logits))
    given = answered.get("tolerance") or (row.gate["tolerance"] if row.gate else 0.0) or 1e-3
    return {
        "inputs": samples,
        "labels": answered["labels"],
        "logits": logits,
        "tolerance": max(float(given), (kind.logit_share or _LEAST_SHARE) * spread),
        "labels_decide": kind.is_rounded,
        "sha256": dict(sums),
    }


def _write(target: Path, stem: str, files: Mapping[str, Path], texts: Mapping[str, str]) -> None:
    with replacing(target) as unfinished, zipfile.ZipFile(unfinished, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in texts.items():
            archive.writestr(f"{stem}/{name}", text)
        for name, path in files.items():
            packed = zipfile.ZIP_STORED if path.suffix == ".png" else zipfile.ZIP_DEFLATED
            archive.write(path, f"{stem}/{name}", compress_type=packed)
