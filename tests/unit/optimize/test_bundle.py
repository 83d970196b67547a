"""A variant carried away: the zip is complete, tells nothing of this machine, and works without Graft."""

from __future__ import annotations

import json
import os
import re
import struct
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pillow_heif
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from core.errors import GraftError, NotFoundError, RunError
from core.optimize.bundle.write import script, write_bundle
from core.registry.model_formats import FORMATS
from core.store import Run
from tests.fixtures.bundles import LABELS, load, make_run, onnx_logits, tiny_onnx
from tests.fixtures.pictures import exif_of, picture


def unpack(run: Run, folder: Path) -> Path:
    with zipfile.ZipFile(write_bundle(run, "static_int8", folder / "x.zip")) as archive:
        archive.extractall(folder)
    return folder / "lite0-my-pets-static_int8"


def ask(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """predict.py from elsewhere; `-I` keeps Graft out of reach."""
    command = [sys.executable, "-I", str(folder / "predict.py"), *arguments]
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "GRAFT"))}
    return subprocess.run(command, cwd=folder.parent, capture_output=True, text=True, timeout=100, env=plain)


# -- the zip -----------------------------------------------------------------------------------------------


def test_bundle_of_pictures_is_complete_and_answers_as_expected(tmp_path: Path) -> None:
    run, _ = make_run()
    folder = unpack(run, tmp_path)
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert found == {
        "model.onnx", "preprocessing.json", "labels.json", "predict.py", "requirements.txt", "README.md",
        "README.zh.md", "MODEL_CARD.json", "sample/expected.json", *(f"sample/{i}.png" for i in range(11)),
    }  # fmt: skip
    assert json.loads((folder / "sample/expected.json").read_text())["inputs"][9:] == ["9.png", "10.png"]
    checked = ask(folder, "sample")
    assert (checked.returncode, checked.stdout) == (0, "ok: 11 of 11 samples as expected\n"), checked.stderr
    picture = str(folder / "sample" / "3.png")
    asked = ask(folder, "--json", picture, "nothing.jpg")
    good, bad = json.loads(asked.stdout)
    assert asked.returncode == 1
    assert good["label"] == json.loads((folder / "sample/expected.json").read_text())["labels"][3]
    assert sum(one["probability"] for one in good["top"]) == pytest.approx(1, abs=1e-4)
    assert "cannot be read" in bad["error"]


def test_bundle_reads_what_people_bring_and_tells_what_is_odd(tmp_path: Path) -> None:
    """Phones' HEIC, EXIF that Pillow stumbles over, PNGs with large texts, deep pictures; one that is broken."""
    run, _ = make_run()
    folder = unpack(run, tmp_path)
    assert "pillow-heif" in (folder / "requirements.txt").read_text()
    kept = picture(1, (40, 30))
    pillow_heif.from_pillow(kept).save(tmp_path / "phone.heic")
    for name, turn in (("turned.jpg", 6), ("nine.jpg", 9)):
        exif = exif_of(3, struct.pack("<HH", turn, 0), (0x0100, 9, 1, struct.pack("<i", -5)))
        kept.save(tmp_path / name, exif=exif)
    words = PngInfo()
    words.add_text("note", "a" * 2**21, zip=True)
    kept.save(tmp_path / "words.png", pnginfo=words)
    Image.fromarray(np.arange(1200, dtype=np.uint16).reshape(30, 40)).save(tmp_path / "faint.tif")
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8 no more")
    names = ["phone.heic", "turned.jpg", "nine.jpg", "words.png", "faint.tif", "broken.jpg"]
    asked = ask(folder, "--json", *[str(tmp_path / name) for name in names])
    answers = json.loads(asked.stdout)
    assert [len(one.get("top", [])) for one in answers] == [3, 3, 3, 3, 3, 0]
    assert [bool(one.get("remarks")) for one in answers] == [False, False, True, False, True, False]
    assert asked.returncode == 1
    assert [name for name in names if name in asked.stderr] == ["nine.jpg", "faint.tif", "broken.jpg"]
    assert "cannot identify image file" in answers[-1]["error"]


def test_bundle_of_texts_answers_as_expected(tmp_path: Path) -> None:
    run, _ = make_run(is_text=True)
    folder = unpack(run, tmp_path)
    checked = ask(folder, "sample")
    assert (checked.returncode, checked.stdout) == (0, "ok: 4 of 4 samples as expected\n"), checked.stderr
    asked = ask(folder, "a good film", " <br> ")
    assert re.fullmatch(r"(cat|dog|cow)  \d+\.\d%  a good film\n", asked.stdout)
    assert (asked.returncode, "nothing to read" in asked.stderr) == (1, True)


def test_samples_tell_when_the_model_is_another(tmp_path: Path) -> None:
    run, _ = make_run()
    folder = unpack(run, tmp_path)
    tiny_onnx(folder / "model.onnx", is_text=False, seed=5)
    checked = ask(folder, "sample")
    assert (checked.returncode, checked.stdout) == (1, "model.onnx is not the file that was measured\n")
    expected = json.loads((folder / "sample/expected.json").read_text())
    (folder / "sample/expected.json").write_text(json.dumps({**expected, "sha256": {}}))
    checked = ask(folder, "sample")
    assert checked.returncode == 1
    assert "is expected" in checked.stdout or "is allowed" in checked.stdout
    (folder / "model.onnx").write_bytes(b"nothing")
    checked = ask(folder, "--json", "sample")
    assert checked.returncode == 1
    assert "cannot be used here" in json.loads(checked.stdout)["wrong"][0]


def test_labels_decide_where_numbers_are_rounded(tmp_path: Path) -> None:
    run, _ = make_run(kind="int8")
    folder = unpack(run, tmp_path)
    path = folder / "sample" / "expected.json"
    expected = json.loads(path.read_text())
    assert expected["labels_decide"]
    logits = [[value + 3 for value in row] for row in expected["logits"]]
    path.write_text(json.dumps({**expected, "logits": logits}))
    carried = load(folder / "predict.py")
    assert carried.check_samples() == []
    turned = [LABELS[(LABELS.index(label) + 1) % 3] for label in expected["labels"]]
    path.write_text(json.dumps({**expected, "labels": turned, "logits": [row[2:] + row[:2] for row in logits]}))
    assert len(carried.check_samples()) > 5
    path.write_text(json.dumps({**expected, "logits": logits, "labels_decide": False}))
    assert all("is allowed" in line for line in carried.check_samples())


def test_nothing_of_this_machine_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/grace hopper")
    data = "path:/home/ada lovelace/my data/pets"
    warning = {"code": "some.code", "severity": "warning", "field": None, "values": {"path": "/srv/ada/x/notes.txt"}}
    facts = {"note": "read from /home/ada lovelace/my data/pets/a.png", "teacher": "/home/grace hopper/models/big"}
    run, _ = make_run(data=data, problems=[warning], facts=facts)
    with zipfile.ZipFile(write_bundle(run, "static_int8", tmp_path)) as archive:
        texts = {one: archive.read(one).decode() for one in archive.namelist() if not one.endswith((".png", ".onnx"))}
    for name, text in texts.items():
        for word in ("ada", "lovelace", "grace", "/home", "/srv", str(Path.home()), str(run.folder)):
            assert word not in text.replace("readable", ""), (name, word)
    card = json.loads(next(text for name, text in texts.items() if name.endswith("MODEL_CARD.json")))
    assert card["data"]["id"] == "path:pets"
    assert card["remarks"][0]["values"]["path"] == "notes.txt"


def test_card_tells_origin_numbers_and_limits_in_both_languages(tmp_path: Path) -> None:
    run, _ = make_run(kind="int8")
    folder = unpack(run, tmp_path)
    english, chinese = (folder / name for name in ("README.md", "README.zh.md"))
    told = english.read_text(encoding="utf-8")
    for text in (
        "ONNX answers 2.4 times faster here, 0.2 points lost (at most 0.3; limit 1): take it.",
        "Apache-2.0", "`bundled/efficientnet_lite0`", "`abc123`", "Made from: the original",
        "| Accuracy | 78.7% (76.0% to 81.0%) | 78.7% (76.0% to 81.0%) | −0.2 points (−0.8 to +0.4) |", "AMD EPYC",
        "| Time for one example, median | 0.91 ms | 0.91 ms | 9.6× (9.1 to 10) |", "Not measured: Peak memory.",
        "on 1,000 test examples", "differ between processors",
    ):  # fmt: skip
        assert text in told, told
    assert "{" not in told
    other = chinese.read_text(encoding="utf-8")
    assert "快 2.4 倍" in other
    assert len(other.splitlines()) == len(told.splitlines())
    headings = [line for line in other.splitlines() if line.startswith("##")]
    assert not any(re.search(r"[a-z]{3}", line) for line in headings), headings
    assert json.loads((folder / "MODEL_CARD.json").read_text())["model"]["licence"] == "Apache-2.0"


def test_what_is_not_offered_is_not_carried_away(tmp_path: Path) -> None:
    run, variant = make_run(offered=False)
    with pytest.raises(GraftError) as refused:
        write_bundle(run, "static_int8", tmp_path / "x.zip")
    assert refused.value.code == "optimize.not_offered"
    with pytest.raises(NotFoundError, match="static_int8"):
        write_bundle(run, "half", tmp_path / "x.zip")
    report = json.loads((run.folder / "artifacts/report.json").read_text())
    for change, code in (
        ({"format": "tflite"}, "optimize.no_bundle"),
        ({"file": "variants/static_int8/gone.onnx"}, "run.cannot_export"),
    ):
        report["variants"] = [{**variant, "offered": True, **change}]
        (run.folder / "artifacts/report.json").write_text(json.dumps(report))
        with pytest.raises(GraftError) as refused:
            write_bundle(run, "static_int8", tmp_path / "x.zip")
        assert refused.value.code == code
    assert list(tmp_path.iterdir()) == []
    assert isinstance(refused.value, RunError)


def test_files_of_openvino_are_taken_from_their_folder(tmp_path: Path) -> None:
    def write(folder: Path) -> Any:
        (folder / "openvino").mkdir()
        for name in ("model.xml", "model.bin"):
            (folder / "openvino" / name).write_text(name)
        return onnx_logits(folder / "model.onnx")

    run, _ = make_run(write=write, format="openvino_bf16", file="variants/static_int8/openvino", kind="16bit")
    folder = unpack(run, tmp_path)
    assert [(folder / name).read_text() for name in ("model.xml", "model.bin")] == ["model.xml", "model.bin"]
    assert set(json.loads((folder / "sample/expected.json").read_text())["sha256"]) == {"model.xml", "model.bin"}


# -- other formats -----------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:`torch.jit:FutureWarning")
@pytest.mark.parametrize("format", ["pt2", "torchscript"])
def test_bundle_opens_what_torch_runs(format: str, tmp_path: Path) -> None:
    import torch

    network = torch.nn.Sequential(torch.nn.AvgPool2d(24), torch.nn.Flatten(), torch.nn.Linear(3, 3)).eval()
    ending = FORMATS[format].endings[0]

    def write(folder: Path) -> Any:
        example = torch.zeros(2, 3, 24, 24)
        if format == "pt2":
            shapes = ({0: torch.export.Dim("n", min=1, max=64)},)
            torch.export.save(torch.export.export(network, (example,), dynamic_shapes=shapes), folder / "model.pt2")
        else:
            jit: Any = torch.jit
            jit.trace(network, example).save(str(folder / "model.ts"))
        return lambda arrays: network(torch.from_numpy(arrays["pixels"])).detach().numpy()

    file = f"variants/static_int8/model{ending}"
    run, _ = make_run(write=write, format=format, file=file, runtime="PyTorch 2.14.1")
    folder = unpack(run, tmp_path)
    assert (folder / f"model{ending}").is_file()
    assert "onnx" not in script("image-classification", FORMATS[format])
    assert "torch>=2" in (folder / "requirements.txt").read_text()
    module = load(folder / "predict.py")  # this process has torch in memory already
    assert module.main(["sample"]) == 0
