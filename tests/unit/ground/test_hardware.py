"""The machine card, on this machine and on machines made up from what their tools print."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import FrozenInstanceError
from pathlib import Path

import psutil
import pytest

from core import hardware
from core.hardware import Accelerator, best_device, describe_machine, free_disk_mb, memory_mb, usable_threads
from tests.fixtures.processes import ROOT


@pytest.fixture(autouse=True)
def _look_anew() -> Iterator[None]:
    looked_up = (hardware._fixed_facts, hardware._cpu_flags, hardware._processor_name, hardware.torch_has_cuda)
    for lookup in looked_up:
        lookup.cache_clear()
    yield
    for lookup in looked_up:
        lookup.cache_clear()


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What the files of the operating system say; a file that is not here does not exist."""
    found: dict[str, str] = {}
    monkeypatch.setattr(hardware, "_read", lambda path: found.get(path, ""))
    return found


@pytest.fixture
def smi(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The lines of nvidia-smi, with a torch that can use the GPU."""
    lines: list[str] = []
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(hardware.shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(hardware, "_output", lambda command: "\n".join(lines))
    monkeypatch.setattr(hardware, "torch_has_cuda", lambda: True)
    # The fixture above clears the real lookup at the end.
    monkeypatch.setattr(hardware.torch_has_cuda, "cache_clear", lambda: None, raising=False)
    return lines


def test_this_machine_is_described() -> None:
    machine = describe_machine()
    assert 1 <= machine.cores <= machine.threads
    assert 1 <= machine.usable_threads <= machine.threads
    assert 0 < machine.free_memory_mb <= machine.memory_mb <= psutil.virtual_memory().total / 1e6
    assert machine.processor
    assert machine.devices[0] == "cpu"
    assert best_device() in machine.devices
    assert machine.is_native("fp32")
    assert not machine.is_native("fp16"), "a processor is never called native there"
    assert not machine.is_native("fp32", "tpu")


@pytest.mark.parametrize(
    ("cpuinfo", "native"),
    [
        ("processor: 0\nflags\t\t: fpu avx2 avx512f avx512_bf16\n", True),
        ("flags\t\t: fpu avx2 amx_bf16\n", True),
        ("flags\t\t: fpu avx2 avx512f\n", False),
        ("Features\t: fp asimd bf16 i8mm\n", True),
        ("Features\t: fp asimd\n", False),
        ("", False),
    ],
)
def test_bf16_is_native_when_the_flags_say_so(cpuinfo: str, native: bool, files: dict[str, str]) -> None:
    files["/proc/cpuinfo"] = cpuinfo
    assert describe_machine().is_native("bf16") is native


@pytest.mark.parametrize(
    ("quota", "wanted"),
    [
        ("max 100000", 8),
        ("200000 100000", 2),
        ("250000 100000", 2),
        ("10000 100000", 1),
        ("1600000 100000", 8),
        ("", 8),
    ],
)
def test_threads_are_those_a_container_may_use(
    quota: str, wanted: int, files: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    files["/sys/fs/cgroup/cpu.max"] = quota
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)))
    assert usable_threads() == wanted


def test_threads_are_counted_where_there_is_no_affinity(files: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(psutil, "cpu_count", lambda logical=True: 6)
    assert usable_threads() == 6


def test_memory_is_the_limit_of_a_container_when_that_is_lower(files: dict[str, str]) -> None:
    total = psutil.virtual_memory().total
    files["/sys/fs/cgroup/memory.max"], files["/sys/fs/cgroup/memory.current"] = "1000000000", "400000000"
    assert memory_mb() == (1000.0, 600.0)
    files["/sys/fs/cgroup/memory.current"] = "1200000000"
    assert memory_mb() == (1000.0, 0.0)
    for unlimited in ("max", str(2**62), ""):
        files["/sys/fs/cgroup/memory.max"] = unlimited
        assert memory_mb()[0] == total / 1e6


def test_graphics_cards_are_told_with_what_they_compute(smi: list[str]) -> None:
    smi += ["NVIDIA H100 80GB HBM3, 81559, 9.0", "Tesla T4, 15360, 7.5", "Tesla K80, 11441, 3.7"]
    cards = describe_machine().accelerators
    assert [card.name for card in cards] == ["NVIDIA H100 80GB HBM3", "Tesla T4", "Tesla K80"]
    assert cards[0].memory_mb == pytest.approx(81559 * 1.048576)
    assert [card.precisions for card in cards] == [("fp32", "fp16", "bf16"), ("fp32", "fp16"), ("fp32",)]
    machine = describe_machine()
    assert machine.devices == ("cpu", "cuda")
    assert best_device() == "cuda"
    assert machine.is_native("bf16", "cuda")


@pytest.mark.parametrize(
    "lines", [[], ["NVIDIA-SMI has failed because it couldn't communicate"], [", , "], ["x, [N/A], 9"]]
)
def test_no_graphics_card_is_made_up_from_an_error(lines: list[str], smi: list[str]) -> None:
    smi += lines
    assert describe_machine().accelerators == ()
    assert best_device() == "cpu"


def test_graphics_card_is_told_but_not_used_when_torch_was_installed_without_it(
    smi: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    smi.append("Tesla T4, 15360, 7.5")
    monkeypatch.setattr(hardware, "torch_has_cuda", lambda: False)
    monkeypatch.setattr(hardware.torch_has_cuda, "cache_clear", lambda: None, raising=False)
    machine = describe_machine()
    assert [card.usable for card in machine.accelerators] == [False]
    assert machine.devices == ("cpu",)
    assert best_device() == "cpu"


@pytest.mark.parametrize("hidden", ["", "-1"])
def test_graphics_card_is_not_seen_when_it_is_hidden(
    hidden: str, smi: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    smi.append("Tesla T4, 15360, 7.5")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", hidden)
    assert describe_machine().accelerators == ()


def test_apple_chip_is_an_accelerator_without_bf16(monkeypatch: pytest.MonkeyPatch, files: dict[str, str]) -> None:
    monkeypatch.setattr(hardware.platform, "system", lambda: "Darwin")
    monkeypatch.setattr(hardware.platform, "machine", lambda: "arm64")
    monkeypatch.setattr(hardware.shutil, "which", lambda name: None)
    answers = {"machdep.cpu.brand_string": "Apple M2\n", "hw.optional.arm.FEAT_BF16": "1\n"}
    monkeypatch.setattr(hardware, "_output", lambda command: answers.get(command[-1], ""))
    machine = describe_machine()
    assert [card.name for card in machine.accelerators] == ["Apple M2"]
    assert (machine.devices, best_device()) == (("cpu", "mps"), "mps")
    assert machine.is_native("bf16")
    assert not machine.is_native("bf16", "mps")


@pytest.mark.parametrize(
    ("version", "wanted"),
    [
        ("__version__ = '2.14.0+cu130'\ncuda: Optional[str] = '13.0'\nhip = None\n", True),
        ("cuda = '12.8'\n", True),
        ("cuda: Optional[str] = None\n", False),
        ("", False),
    ],
)
def test_cuda_of_torch_is_read_from_its_version_file(
    version: str, wanted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hardware, "_read", lambda path: version if path.endswith("torch/version.py") else "")
    assert hardware.torch_has_cuda() is wanted


def test_failing_tool_says_nothing() -> None:
    assert hardware._output(["/no/such/tool"]) == ""
    assert hardware._output(["sh", "-c", "echo yes"]) == "yes\n"
    assert hardware._read("/no/such/file") == ""


def test_free_disk_is_that_of_the_folder(tmp_path: Path) -> None:
    wanted = psutil.disk_usage(str(tmp_path)).free / 1e6
    assert free_disk_mb(tmp_path) == pytest.approx(wanted, rel=0.05)


def test_card_is_frozen() -> None:
    card = Accelerator(device="cuda", name="x", memory_mb=None, precisions=())
    with pytest.raises(FrozenInstanceError):
        card.name = "y"  # type: ignore[misc]


@pytest.mark.parametrize(("libc", "wanted"), [("glibc", True), ("musl", False)])
def test_freed_memory_is_kept_only_where_glibc_is(libc: str, wanted: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[int, int]] = []

    class _Libc:
        @staticmethod
        def mallopt(name: int, value: int) -> int:
            calls.append((name, value))
            return 1

    monkeypatch.setattr(hardware.platform, "libc_ver", lambda: (libc, "2.36"))
    monkeypatch.setattr(hardware.ctypes, "CDLL", lambda *_, **__: _Libc())
    assert hardware.keep_freed_memory() is wanted
    assert dict(calls) == ({-4: 0, -1: 2**31 - 1, -2: 256 * 1024 * 1024} if wanted else {})


def test_others_count_only_while_they_have_been_at_work_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hardware, "_BETWEEN_LOOKS_S", 0.0)
    monkeypatch.setattr(hardware, "_read", lambda _path: "0.00 0.00 0.00 4/300 77\n")
    for minute, told in ((0.0, 0.0), (0.4, 0.4), (9.0, 3.0)):
        monkeypatch.setattr(hardware.psutil, "getloadavg", lambda minute=minute: (minute, 0.0, 0.0))
        assert hardware.others_at_work() == told


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells which pages were written")
def test_pages_that_are_given_back_are_read_again_and_what_was_written_stays() -> None:
    script = """
import numpy as np
from scipy import linalg
from core.hardware import resident_mb, unmap_file_pages

def work():
    matrix = np.random.default_rng(0).random((50, 50))
    return float(linalg.svdvals(matrix).sum())

before, held = work(), resident_mb()
freed = unmap_file_pages()
assert freed > 5, freed
assert resident_mb() < held - freed / 2
assert work() == before
"""
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True)
