"""Nothing leaves unchecked: every file is opened again in its own runtime and asked about real samples.

The samples go through the preparation that travels with the file (`core.optimize.bundle`), as its user's will. A file
that is exactly the network must answer as the network does; a rounded one (int8, 16 bits) must answer the same through
both preparations, and its distance from the network is what the test measures.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import torch

from core.files import replacing, to_json, write_atomically
from core.measurement.runtimes import InputArrays, Session, open_file
from core.networks.exportable import exportable
from core.optimize.bundle.write import load_reader
from core.optimize.passes.base import PassContext
from core.optimize.rows import Gate
from core.optimize.trained_model import Ints, TrainedModel
from core.problems import Problem

SAMPLES = 16
_SAMPLE_PX = 640  # more of a picture no network sees
# Of logits around 10; other kernels add in another order.
TOLERANCE = 2e-3


def check_file(
    context: PassContext, path: Path, format: str, samples: list[Any], *, is_exact: bool
) -> tuple[Gate, list[Problem]]:
    """What the gate found, and what speaks against the file; writes `expected.json` beside it.

    `samples` are pictures (PIL) or texts; a file that `is_exact` claims to be the network itself.
    """
    session = open_file(str(path), format, threads=context.threads, device=context.spec.device)
    asked = [context.trained.prepare([raw]) for raw in samples]
    theirs = _prepared(session, context, samples)
    wanted = np.concatenate([session.run(inputs) for inputs in asked]) if not is_exact else _network(context, asked)
    tolerance = TOLERANCE * max(1.0, float(np.abs(wanted).max()) / 10)
    difference = float(np.abs(theirs - wanted).max())
    equal = int((theirs.argmax(1) == wanted.argmax(1)).sum())
    values = {"difference": f"{difference:.2g}", "tolerance": f"{tolerance:.2g}", "equal": equal, "n": len(samples)}
    problems = []
    if not np.isfinite(theirs).all() or not np.isfinite(session.run(context.trained.prepare(samples))).all():
        problems.append(Problem("optimize.gate_not_finite"))
    elif difference > tolerance:
        code = "optimize.gate_differs" if is_exact else "optimize.gate_preprocessing"
        problems.append(Problem(code, values=values))
    _write_expected(context, theirs, tolerance)
    gate: Gate = {
        "samples": len(samples),
        "max_difference": difference,
        "tolerance": tolerance,
        "labels_equal": equal,
        "beside": "network" if is_exact else "file",
        "passed": not problems,
    }
    return gate, problems


def _network(context: PassContext, asked: list[InputArrays]) -> Any:
    module = exportable(context.network).eval()
    with torch.inference_mode():
        logits = [module(*(torch.from_numpy(inputs[name]) for name in context.trained.input_names)) for inputs in asked]
    return torch.cat(logits).float().numpy()


def _prepared(session: Session, context: PassContext, samples: list[Any]) -> Any:
    """Answers to the samples as they were brought, through the preparation that travels with the file."""
    read = load_reader(context.folder)
    # One by one: rounded files answer a batch as its widest member needs.
    return np.concatenate([session.run(read([raw])) for raw in samples])


def _write_expected(context: PassContext, logits: Any, tolerance: float) -> None:
    labels = [context.trained.labels[place] for place in logits.argmax(1)]
    kept = {"labels": labels, "logits": np.round(logits.astype(float), 6).tolist(), "tolerance": tolerance}
    write_atomically(context.folder / "expected.json", to_json(kept))


def take_samples(trained: TrainedModel, rows: Ints, folder: Path) -> list[Any]:
    """Real pictures (upright RGB, large ones made smaller) or texts; kept in `folder` too, as png or json."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    if trained.card.is_text:
        texts: list[Any] = trained.raw(rows)
        write_atomically(folder / "texts.json", json.dumps(texts, ensure_ascii=False, indent=1))
        return texts
    pictures = trained.raw(rows)
    for place, picture in enumerate(pictures):
        picture.thumbnail((_SAMPLE_PX, _SAMPLE_PX))
        with replacing(folder / f"{place:02}.png") as unfinished:
            picture.save(unfinished)
    return pictures
