"""A model's published weights, fetched to this machine as a run: size and room first, then the bytes, then the sums.

torchvision's files go where torch hub keeps them, repositories of the Hugging Face hub into its library's cache,
where every other program finds them too. Of a repository only what is needed comes: configuration, tokenizer and
weights, as safetensors wherever there are any; never code.
"""

from __future__ import annotations

import re
import shutil
import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Lock, Thread

import filelock
import huggingface_hub as hub
from huggingface_hub import constants as hub_constants
from huggingface_hub import errors as hub_errors
from typing_extensions import TypedDict

from core import settings
from core.errors import GraftError, InputError, NotFoundError, RunError, StoppedError
from core.files import to_json, write_atomically
from core.models import hubs
from core.models.catalog import get_model
from core.models.file_download import Digest, NoAccessError, Wanted, fetch_file, sum_of, timed_out, unreachable
from core.models.spec import DownloadSpec
from core.problems import Problem
from core.progress import Reporter
from core.settings import hub_folder, torch_folder

SPARE_BYTES = 50_000_000  # left free beside what is fetched
_STOP_GRACE_S = 0.5
_TELL_EVERY_S = 1.0
_RATE_OVER_S = 5.0
_ASK_TIMEOUT_S = 20.0
# What a network of transformers or timm is built from, beside its weights.
_SMALL = re.compile(
    r"(config|generation_config|preprocessor_config|processor_config|tokenizer_config|tokenizer|special_tokens_map"
    r"|added_tokens|vocab|model_index|scheduler_config)\.json"
    r"|vocab\.txt|merges\.txt|(spiece|sentencepiece|sentencepiece\.bpe|spm|source|target)\.(model|spm)|README\.md"
)
# Weights by preference. Pickled ones are read as tensors alone (`weights_only`), and only where nothing safer is.
_WEIGHTS = (
    "model.safetensors", "diffusion_pytorch_model.safetensors", "open_clip_model.safetensors",
    "pytorch_model.bin", "diffusion_pytorch_model.bin", "open_clip_pytorch_model.bin",
)  # fmt: skip
_SUM = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_SMALL_BYTES = 64_000_000  # more is no configuration


@dataclass(frozen=True)
class Plan:
    """What is to be fetched for a model, the weights last. `repository`, `revision`: of the Hugging Face hub."""

    model: str
    folder: Path
    files: tuple[Wanted, ...]
    repository: str = ""
    revision: str = ""


FetchedFile = dict[str, str | int]  # name, bytes, and the sum by the name of its kind
Downloaded = TypedDict(  # "from" is a word of Python's
    "Downloaded",
    {
        "model": str,
        "folder": str,
        "repository": str,
        "revision": str,
        "from": str,
        "bytes": int,
        "fetched_bytes": int,
        "seconds": float,
    },
)


def download(spec: DownloadSpec, folder: Path, reporter: Reporter) -> Downloaded:
    """Fetch a model's weights; returns what came, from where, and how fast.

    It works in a thread of its own, so that a server that sends nothing does not keep a stop waiting; what came is
    kept then, and goes on from there. Raises `InputError`, `RunError`, `StoppedError`.
    """
    stop, outcome = Event(), list[tuple[Downloaded, list[FetchedFile]] | BaseException]()

    def work() -> None:
        try:
            outcome.append(_download(spec, reporter, stop))
        except BaseException as error:  # handed over to who waits
            outcome.append(error)

    thread = Thread(target=work, name="download", daemon=True)
    thread.start()
    while thread.is_alive():
        thread.join(0.1)
        if reporter.should_stop():
            stop.set()
            thread.join(_STOP_GRACE_S)
            if thread.is_alive():
                raise StoppedError
    result = outcome[0]
    if isinstance(result, BaseException):
        raise result
    summary, files = result
    write_atomically(folder / "artifacts" / "report.json", to_json({**summary, "files": files}))
    return summary


def _download(spec: DownloadSpec, reporter: Reporter, stop: Event) -> tuple[Downloaded, list[FetchedFile]]:
    """(summary, files): the report holds both."""
    began = time.monotonic()
    problems = [problem for problem in hubs.check_download(spec.model) if problem.severity == "error"]
    if problems:
        raise InputError(problems)
    lock = lock_of(spec.model)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        raise RunError("download.at_work", id=spec.model) from None
    try:
        plan = make_plan(spec.model, reporter)
        came = _fetch(plan, reporter, stop)
        if plan.repository:
            _link(plan, stop)
    finally:
        lock.release()
    seconds = time.monotonic() - began
    summary: Downloaded = {
        "model": plan.model,
        "folder": str(plan.folder),
        "repository": plan.repository,
        "revision": plan.revision,
        "from": hubs.host_of(plan.files[-1].url),
        "bytes": sum(_size(wanted.target) for wanted in plan.files),
        "fetched_bytes": came,
        "seconds": seconds,
    }
    return summary, [
        {"name": wanted.name, "bytes": _size(wanted.target), wanted.digest or "sha256": wanted.sum}
        for wanted in plan.files
    ]


def lock_of(model_id: str) -> filelock.BaseFileLock:
    """Held by who fetches a model: one lock for all ids of the same files."""
    name = re.sub(r"[^\w.-]", "-", hubs.repository_of(model_id) or get_model(model_id).id)
    return filelock.FileLock(settings.folder("cache") / f"download-{name}.lock")


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


# -- what there is to fetch --------------------------------------------------------------------------------


def make_plan(model_id: str, reporter: Reporter) -> Plan:
    """Find out which files a model needs, how large they are and what their sums are."""
    repository = hubs.repository_of(model_id)
    if repository:
        reporter.phase("ask", host=hubs.host_of(hubs.hub_endpoint()))
        return _plan_of_hub(model_id, repository)
    card = get_model(model_id)
    folder = torch_folder() / "hub" / "checkpoints"
    wanted = Wanted(
        hubs.torch_address(card),
        folder / card.file_name,
        card.file_name,
        digest="sha256" if card.sha256 else "",
        sum=card.sha256,
        mirror="GRAFT_TORCH_MIRROR",
    )
    return Plan(model_id, folder, (wanted,))


def _plan_of_hub(model_id: str, repository: str) -> Plan:
    endpoint = hubs.hub_endpoint()
    if hub_constants.is_offline_mode():
        raise InputError("download.offline", id=model_id, switch="HF_HUB_OFFLINE")
    api = hub.HfApi(endpoint=endpoint)
    try:
        info = api.model_info(repository, files_metadata=True, timeout=_ASK_TIMEOUT_S)
    except Exception as error:  # the library's and its client's own families, told apart below
        raise _explained(error, model_id, repository) from error
    try:
        preferred = get_model(model_id).file_name
    except NotFoundError:
        preferred = ""
    sizes = {one.rfilename: one.size or 0 for one in info.siblings or []}
    names = needed_files(sizes, preferred)
    if not names:
        raise RunError("download.no_weights", repository=repository)
    folder = hub_folder() / f"models--{repository.replace('/', '--')}"
    siblings = {one.rfilename: one for one in info.siblings or []}
    token = hub.get_token()  # the environment's, else the library's own file
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    files = []
    for name in names:
        one = siblings[name]
        kind: Digest = "sha256" if one.lfs else "git"
        total = str(one.lfs.sha256 if one.lfs else one.blob_id)
        if not _SUM.fullmatch(total):  # it becomes a file's name
            raise RunError("download.no_sums", host=hubs.host_of(endpoint), repository=repository)
        url = hub.hf_hub_url(repository, name, revision=info.sha, endpoint=endpoint)
        files.append(Wanted(url, folder / "blobs" / total, name, one.size, kind, total, headers))
    return Plan(model_id, folder, tuple(files), repository, info.sha or "")


def needed_files(sizes: dict[str, int], preferred: str = "") -> list[str]:
    """Of the files of a repository, those a model is built from: small ones first, its weights last.

    `sizes`: bytes by name; `preferred`: the file of the weights that the catalogue names. Empty where there are no
    weights that Graft reads. Folders count only where `model_index.json` names them (diffusers).
    """
    is_several = "model_index.json" in sizes
    folders: dict[str, list[str]] = {}
    for name in sizes:
        folder, _, last = name.rpartition("/")
        if not folder or (is_several and re.fullmatch(r"\w+", folder)):
            folders.setdefault(folder, []).append(last)
    small: list[str] = []
    large: list[str] = []
    for folder, names in sorted(folders.items()):
        prefix = f"{folder}/" if folder else ""
        small += [prefix + name for name in names if _SMALL.fullmatch(name) and sizes[prefix + name] <= _SMALL_BYTES]
        large += [prefix + name for name in _weights(names, preferred if not folder else "")]
    return sorted(small) + large if large else []


def _weights(names: Sequence[str], preferred: str) -> list[str]:
    """The weights among the files of a folder: one file, or an index and its parts."""
    order = [name for name in _WEIGHTS if name.endswith(".safetensors")]
    order += [preferred] if preferred else []
    order += [name for name in _WEIGHTS if name not in order]
    for name in order:
        if name in names:
            return [name]
        stem, _, ending = name.rpartition(".")
        parts = sorted(one for one in names if re.fullmatch(rf"{re.escape(stem)}-\d+-of-\d+\.{ending}", one))
        if parts:
            index = [f"{name}.index.json"] if f"{name}.index.json" in names else []
            return index + parts
    return []


# -- fetching ----------------------------------------------------------------------------------------------


class _Gauge:
    """How far the whole download is, and how fast it goes, told once a second."""

    def __init__(self, reporter: Reporter, total: int) -> None:
        self._reporter, self._total = reporter, total
        self._before = 0  # bytes of the files that are done
        self._seen: deque[tuple[float, int]] = deque()
        self._told_at, self._lock = 0.0, Lock()

    def tell(self, name: str, done: int, total: int | None) -> None:
        now = time.monotonic()
        done_all, total_all = self._before + done, max(self._total, self._before + (total or 0))
        self._seen.append((now, done_all))
        while now - self._seen[0][0] > _RATE_OVER_S and len(self._seen) > 2:
            self._seen.popleft()
        if now - self._told_at < _TELL_EVERY_S and done != total:
            return
        self._told_at = now
        then, had = self._seen[0]
        values = {"done_mb": round(done_all / 1e6, 1), "total_mb": round(total_all / 1e6, 1)}
        rate = max(0.0, done_all - had) / (now - then) if now > then else 0.0
        self._reporter.phase("fetch", file=name, rate_mb=round(rate / 1e6, 2), **values)
        self._reporter.progress(done_all, total_all)

    def finish(self, size: int) -> None:
        self._before += size


def _fetch(plan: Plan, reporter: Reporter, stop: Event) -> int:
    """Fetch what is missing; returns the bytes that came over the network."""
    missing = [wanted for wanted in plan.files if not _is_here(wanted, reporter)]
    there = sum(_size(wanted.part) for wanted in missing)
    need = sum(wanted.size or 0 for wanted in missing) - there
    _make_room(plan, need)
    gauge = _Gauge(reporter, sum(wanted.size or 0 for wanted in missing))
    came = 0
    for wanted in missing:
        if stop.is_set():
            raise StoppedError
        name = wanted.name

        def tell(done: int, total: int | None, name: str = name) -> None:
            gauge.tell(name, done, total)

        try:
            came += fetch_file(wanted, tell, stop, lambda size: _make_room(plan, size))
        except NoAccessError as error:
            if not plan.repository:
                raise
            raise _no_access(plan.model, plan.repository) from error
        gauge.finish(_size(wanted.target))
    return came


def _is_here(wanted: Wanted, reporter: Reporter) -> bool:
    """Whether a file lies at its place already, with the right sum; one with a wrong sum is removed."""
    if not wanted.target.is_file():
        return False
    reporter.phase("verify", file=wanted.name)
    if not wanted.digest or sum_of(wanted.target, wanted.digest).startswith(wanted.sum):
        return True
    reporter.log(f"{wanted.target} is damaged: fetched anew")
    wanted.target.unlink()
    return False


def _make_room(plan: Plan, need: int) -> None:
    """Refuse before a disk runs full. Raises `RunError`."""
    place = next(folder for folder in (plan.folder, *plan.folder.parents) if folder.exists())
    free = shutil.disk_usage(place).free
    if need + SPARE_BYTES > free:
        values = {"need": _mb(need + SPARE_BYTES), "free": _mb(free), "folder": str(plan.folder)}
        raise RunError("download.no_room", id=plan.model, **values)


def _mb(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"


def _link(plan: Plan, stop: Event) -> None:
    """Give the files their names in the library's cache: it finds their content there and fetches nothing."""
    for wanted in plan.files:
        if stop.is_set():
            raise StoppedError
        try:
            hub.hf_hub_download(
                plan.repository,
                wanted.name,
                cache_dir=hub_folder(),
                endpoint=hubs.hub_endpoint(),
                etag_timeout=_ASK_TIMEOUT_S,
            )
        except OSError as error:
            if error.errno is not None and not isinstance(error, ConnectionError):  # the disk, not the network
                raise
            raise _explained(error, plan.model, plan.repository) from error
        except Exception as error:
            raise _explained(error, plan.model, plan.repository) from error


def _no_access(model_id: str, repository: str) -> GraftError:
    return RunError("download.gated", id=model_id, page=f"{hubs.HUB}/{repository}")


def _explained(error: BaseException, model_id: str, repository: str) -> GraftError:
    """What the hub's library met, in Graft's words."""
    host = hubs.server_of(hubs.hub_endpoint(), "HF_ENDPOINT")
    chain = list(_causes(error))
    if any(isinstance(one, hub_errors.GatedRepoError) for one in chain):
        return _no_access(model_id, repository)
    if any(isinstance(one, hub_errors.RepositoryNotFoundError) for one in chain):
        return RunError("download.no_repository", host=host, repository=repository)
    if any(isinstance(one, hub_errors.OfflineModeIsEnabled) for one in chain):
        return InputError("download.offline", id=model_id, switch="HF_HUB_OFFLINE")
    status = next((one.response.status_code for one in chain if isinstance(one, hub_errors.HfHubHTTPError)), 0)
    if status in (401, 403):
        return _no_access(model_id, repository)
    if status == 404:
        return RunError("download.no_repository", host=host, repository=repository)
    if status:
        refused = Problem("download.refused", values={"host": host, "file": repository, "status": status})
        return RunError([refused, *hubs.ways_to(hubs.hub_endpoint())])
    if any("Timeout" in type(one).__name__ for one in chain):
        return timed_out(hubs.hub_endpoint(), _ASK_TIMEOUT_S)
    return unreachable(hubs.hub_endpoint(), chain[-1])


def _causes(error: BaseException) -> Iterable[BaseException]:
    """An error and what it came from, the outermost first."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__
