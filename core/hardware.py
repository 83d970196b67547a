"""What this machine has: processor, memory, accelerators, and which number formats it computes natively.

No torch: flags come from the operating system, an NVIDIA GPU from `nvidia-smi`.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import psutil


@dataclass(frozen=True)
class Accelerator:
    """A GPU; `precisions` are the formats it computes natively. Not usable: torch was installed without it."""

    device: str  # "cuda", "mps"
    name: str
    memory_mb: float | None
    precisions: tuple[str, ...]
    usable: bool = True


@dataclass(frozen=True)
class Precision:
    """A number format on a device: native, or emulated and slow."""

    device: str
    name: str
    native: bool


@dataclass(frozen=True)
class MachineCard:
    """One machine. `devices` are what a spec may ask for here."""

    host: str
    system: str
    processor: str
    cores: int  # physical
    threads: int
    usable_threads: int  # what this process may use (containers, taskset)
    memory_mb: float
    free_memory_mb: float
    accelerators: tuple[Accelerator, ...]
    precisions: tuple[Precision, ...]
    devices: tuple[str, ...]

    def is_native(self, precision: str, device: str = "cpu") -> bool:
        """Whether the device computes in this format without emulating it."""
        return any(p.native for p in self.precisions if p.name == precision and p.device == device)


def describe_machine() -> MachineCard:
    """This machine as it is now; everything but the free memory is looked up once."""
    cores, accelerators = _fixed_facts()
    total, free = memory_mb()
    native_bf16 = bool(_cpu_flags() & {"avx512_bf16", "amx_bf16", "bf16", "svebf16", "feat_bf16"})
    native_int8 = bool(_cpu_flags() & {"avx512_vnni", "avx_vnni", "amx_int8", "asimddp", "i8mm", "feat_dotprod"})
    formats = _cpu_formats(native_bf16, native_int8)
    on_cpu = [Precision(device="cpu", name=name, native=native) for name, native in formats]
    on_gpu = [
        Precision(device=gpu.device, name=name, native=name in gpu.precisions)
        for gpu in accelerators
        for name in ("fp32", "bf16", "fp16")
    ]
    return MachineCard(
        host=platform.node(),
        system=f"{platform.system()} {platform.release()}",
        processor=_processor_name(),
        cores=cores,
        threads=psutil.cpu_count() or 1,
        usable_threads=usable_threads(),
        memory_mb=total,
        free_memory_mb=free,
        accelerators=accelerators,
        precisions=tuple(on_cpu + on_gpu),
        devices=("cpu", *dict.fromkeys(gpu.device for gpu in accelerators if gpu.usable)),
    )


def _cpu_formats(native_bf16: bool, native_int8: bool) -> list[tuple[str, bool]]:
    # fp16 on a CPU is a hundred times slower than fp32 where torch has no kernel for it: never called native.
    # int8 without products of bytes summed in 32 bits (VNNI) saturates, and gains little.
    return [("fp32", True), ("bf16", native_bf16), ("fp16", False), ("int8", native_int8)]


def this_host() -> str:
    """The name under which this machine claims runs."""
    return platform.node() or "localhost"


def keep_freed_memory() -> bool:
    """Let glibc keep freed memory instead of returning it to the kernel after every layer.

    EfficientNet-Lite0 at batch 32 trains 2 to 7 times faster for it. Call it before torch allocates
    anything, in batch workers only: at batch 1 the effect is mixed. Returns whether it took effect.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    libc = ctypes.CDLL("libc.so.6", use_errno=False)
    trim_threshold, top_pad, mmap_max = -1, -2, -4  # malloc.h
    largest = 2**31 - 1
    settings = ((mmap_max, 0), (trim_threshold, largest), (top_pad, 256 * 1024 * 1024))
    return all(libc.mallopt(name, value) == 1 for name, value in settings)


def unmap_file_pages() -> float:
    """Give back the pages of libraries that were read while they were loaded; returns their MB (0: not Linux).

    Most hold what the loader needed once. They stay in the kernel's cache, which may drop them, and are mapped again
    where they are read. Only mappings are let go of which nothing was written: what was cannot be read again.
    """
    if sys.platform != "linux":
        return 0.0
    madvise = ctypes.CDLL(None, use_errno=True).madvise
    madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    freed_kb = 0
    for mapping in re.findall(r"^[0-9a-f]+-[0-9a-f]+ r-.p .*/.*\n(?:[A-Z]\w+:.*\n)+", _read("/proc/self/smaps"), re.M):
        sizes = {name: int(kb) for name, kb in re.findall(r"^(\w+): +(\d+) kB$", mapping, re.M)}
        if sizes["Anonymous"] == sizes["Private_Dirty"] == sizes["Shared_Dirty"] == sizes["Swap"] == 0:
            begin, end = (int(place, 16) for place in mapping.split(None, 1)[0].split("-"))
            freed_kb += sizes["Rss"] if madvise(begin, end - begin, _MADV_DONTNEED) == 0 else 0
    return freed_kb * 1024 / 1e6


_MADV_DONTNEED = 4  # mman.h


def best_device() -> str:
    """The device that "auto" means here."""
    _, accelerators = _fixed_facts()
    return next((gpu.device for gpu in accelerators if gpu.usable), "cpu")


def usable_threads() -> int:
    """Processors this process may use: its affinity and, in a container, its share of time."""
    try:
        count = len(os.sched_getaffinity(0))
    except AttributeError:  # macOS, Windows
        count = psutil.cpu_count() or 1
    quota = _read("/sys/fs/cgroup/cpu.max").split()
    if len(quota) == 2 and quota[0].isdigit() and quota[1].isdigit():
        count = min(count, max(1, round(int(quota[0]) / int(quota[1]))))
    return max(1, count)


def memory_mb() -> tuple[float, float]:
    """Memory in all and free, in MB; a container's limit counts where it is lower."""
    memory = psutil.virtual_memory()
    total, free = float(memory.total), float(memory.available)
    limit, used = _read("/sys/fs/cgroup/memory.max"), _read("/sys/fs/cgroup/memory.current")
    if limit.isdigit() and int(limit) < total:
        total = float(limit)
        free = min(free, total - float(used)) if used.isdigit() else min(free, total)
    return total / 1e6, max(0.0, free) / 1e6


def resident_mb() -> float:
    """The memory this process holds now, in MB."""
    return float(psutil.Process().memory_info().rss) / 1e6


def peak_resident_mb() -> float:
    """The most memory that this program held so far."""
    if sys.platform == "win32":
        return float(psutil.Process().memory_info().peak_wset) / 1e6
    try:  # of this program alone: what getrusage tells on Linux counts who started it, too
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
        return next(float(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024 / 1e6
    except (OSError, StopIteration):
        pass
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6


@dataclass(frozen=True)
class Turns:
    """Seconds that the threads of this process ran, and waited for a processor that others had."""

    ran: float
    waited: float

    def alone(self, seconds: float, before: Turns) -> float:
        """How long that which took so many seconds since `before` takes without the others."""
        ran, waited = max(0.0, self.ran - before.ran), max(0.0, self.waited - before.waited)
        return seconds * ran / (ran + waited) if ran + waited > 0 else seconds


def turns() -> Turns:
    """As Linux counts them; elsewhere nobody tells, and nothing counts as waited for."""
    ran = waited = 0
    for path in Path("/proc/self/task").glob("*/schedstat"):
        numbers = _read(str(path)).split()
        if len(numbers) == 3:  # else the thread has just ended
            ran, waited = ran + int(numbers[0]), waited + int(numbers[1])
    return Turns(ran / 1e9, waited / 1e9)


_LOOKS, _BETWEEN_LOOKS_S = 8, 0.02


def others_at_work() -> float:
    """How many threads of others want a processor: now, for some tenth of a second, and on average of the last minute.

    The less of both counts: a page that is drawn is soon done, and what had run until now is over.
    """
    seen = []
    for _ in range(_LOOKS):
        running = _read("/proc/loadavg").split()[3:4]
        if not running:  # not Linux: processors that are busy, at most all of them
            return psutil.cpu_percent(interval=_LOOKS * _BETWEEN_LOOKS_S) / 100 * (psutil.cpu_count() or 1)
        seen.append(max(0, int(running[0].partition("/")[0]) - 1))  # without this one, which looks
        time.sleep(_BETWEEN_LOOKS_S)
    return min(statistics.median(seen), psutil.getloadavg()[0])


def free_disk_mb(folder: Path) -> float:
    """Free space where this folder lies, in MB."""
    return shutil.disk_usage(folder).free / 1e6


@lru_cache(maxsize=1)
def _fixed_facts() -> tuple[int, tuple[Accelerator, ...]]:
    return psutil.cpu_count(logical=False) or psutil.cpu_count() or 1, (*_nvidia(), *_apple())


def _nvidia() -> tuple[Accelerator, ...]:
    if os.environ.get("CUDA_VISIBLE_DEVICES") in {"", "-1"} or shutil.which("nvidia-smi") is None:
        return ()
    rows = _output(["nvidia-smi", "--query-gpu=name,memory.total,compute_cap", "--format=csv,noheader,nounits"])
    accelerators = []
    for row in rows.splitlines():
        name, memory, capability = ([part.strip() for part in row.split(",")] + ["", "", ""])[:3]
        if not name or not memory.replace(".", "").isdigit():
            continue
        generation = float(capability) if capability.replace(".", "", 1).isdigit() else 0.0
        formats = ["fp32", *(["fp16"] if generation >= 5.3 else []), *(["bf16"] if generation >= 8.0 else [])]
        accelerators.append(
            Accelerator(
                device="cuda",
                name=name,
                memory_mb=float(memory) * 1.048576,
                precisions=tuple(formats),
                usable=torch_has_cuda(),
            )
        )
    return tuple(accelerators)


@lru_cache(maxsize=1)
def torch_has_cuda() -> bool:
    """Whether the installed torch was built for NVIDIA GPUs, read from its version file without importing it."""
    package = importlib.util.find_spec("torch")
    if package is None or package.origin is None:
        return False
    version = _read(str(Path(package.origin).with_name("version.py")))
    return re.search(r"^cuda\b[^=]*=\s*['\"]", version, flags=re.MULTILINE) is not None


def _apple() -> tuple[Accelerator, ...]:
    if platform.system() != "Darwin" or platform.machine() != "arm64":
        return ()
    total = psutil.virtual_memory().total / 1e6  # shared with the processor
    return (Accelerator(device="mps", name=_processor_name(), memory_mb=total, precisions=("fp32", "fp16")),)


@lru_cache(maxsize=1)
def _cpu_flags() -> frozenset[str]:
    if platform.system() == "Darwin":
        named = {"bf16": "FEAT_BF16", "feat_dotprod": "FEAT_DotProd"}
        return frozenset(
            flag for flag, name in named.items() if _output(["sysctl", "-n", f"hw.optional.arm.{name}"]).strip() == "1"
        )
    for line in _read("/proc/cpuinfo").splitlines():
        if line.lower().startswith(("flags", "features")):  # x86, arm
            return frozenset(line.partition(":")[2].split())
    return frozenset()


@lru_cache(maxsize=1)
def _processor_name() -> str:
    if platform.system() == "Darwin":
        return _output(["sysctl", "-n", "machdep.cpu.brand_string"]).strip() or platform.processor()
    for line in _read("/proc/cpuinfo").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def _output(command: list[str]) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=5, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""
