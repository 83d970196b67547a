"""One file over HTTP: goes on where an earlier attempt broke off, checked before it counts, stopped at once.

What comes is written to `NAME.part` beside its place and renamed when it is whole and right. The hub's library
would fetch too, but throws away what came when a process ends (2.4), and asks nobody whether to stop.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import socket
import ssl
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import IO, Any, Literal
from urllib.parse import unquote, urlsplit

from core import settings
from core.errors import RunError, StoppedError, first_line
from core.files import sha256
from core.models.hubs import host_of, server_of, ways_to
from core.problems import Problem

TIMEOUT_S = 20.0  # without a single byte
ATTEMPTS = 4  # in a row that bring nothing new
PAUSE_S = 1.0  # before the next attempt
_CHUNK = 1 << 20
_AGAIN = {408, 429, 500, 502, 503, 504}
Digest = Literal["sha256", "git", ""]


@dataclass(frozen=True)
class Wanted:
    """A file to fetch: where from, where to, its size and checksum as far as they are published.

    `digest` says what `sum` is: a sha256 or the beginning of one, or git's own ("git").
    """

    url: str
    target: Path
    name: str  # as it is told
    size: int | None = None  # bytes
    digest: Digest = ""
    sum: str = ""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)  # may hold a token
    mirror: str = "HF_ENDPOINT"  # the setting that names another server

    @property
    def part(self) -> Path:
        """What came so far. Its name stays the same, unlike those of other unfinished files: a later process goes on
        with it. Nobody else writes it: of each model one process fetches at a time, under a lock."""
        return self.target.with_name(self.target.name + ".part")

    @property
    def mark(self) -> Path:
        """What the server called the version that came so far."""
        return self.target.with_name(self.target.name + ".part.etag")


def fetch_file(
    wanted: Wanted, tell: Callable[[int, int | None], None], stop: Event, make_room: Callable[[int], None]
) -> int:
    """Fetch a file to its place; returns the bytes that came over the network.

    `tell(done, total)` is called with bytes as they come, `make_room(bytes)` once the size is known and before
    anything is written. Raises `RunError` with its reason, `StoppedError` when `stop` is set.
    """
    wanted.target.parent.mkdir(parents=True, exist_ok=True)
    came, furthest, misses = 0, 0, 0
    while True:
        try:
            for size in _stream(wanted, tell, stop, make_room):
                came += size
            break
        except _Broken as broken:
            reached = _bytes(wanted.part)
            misses = 1 if reached > furthest else misses + 1
            furthest = max(furthest, reached)
            if misses >= ATTEMPTS:
                raise broken.reason from broken
            if stop.wait(PAUSE_S):
                raise StoppedError from None
    check_file(wanted)
    wanted.mark.unlink(missing_ok=True)
    wanted.part.replace(wanted.target)
    return came


class _Whole(Exception):
    """Nothing is missing any more."""


class _Broken(Exception):
    """An attempt that may be repeated, with what to say if it is not."""

    def __init__(self, reason: RunError) -> None:
        super().__init__(reason)
        self.reason = reason


def _stream(
    wanted: Wanted, tell: Callable[[int, int | None], None], stop: Event, make_room: Callable[[int], None]
) -> Any:
    """Append to the part what is missing of it; yields the bytes of each piece that came."""
    have = _bytes(wanted.part)
    if wanted.size is not None and have == wanted.size > 0:
        return
    version = wanted.mark.read_text(encoding="utf-8") if wanted.mark.is_file() else ""
    if have and not version and not wanted.sum:  # nothing would tell whether the rest belongs to it
        have = 0
    try:
        opened = _open(wanted, have, version)
    except _Whole:
        return
    with opened as response:
        if response.status != 206:
            have = 0
        length = response.headers.get("Content-Length")
        total = have + int(length) if length and length.isdigit() else wanted.size
        make_room(max(0, (total or 0) - have))
        wanted.mark.write_text(_version(response), encoding="utf-8")
        with wanted.part.open("ab" if have else "wb") as file:
            tell(have, total)
            while piece := _read(response, wanted):
                file.write(piece)
                have += len(piece)
                tell(have, total)
                yield len(piece)
                if stop.is_set():
                    raise StoppedError
    if total is not None and have < total:
        raise _Broken(_broken_off(wanted))


def _bytes(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _version(response: Any) -> str:
    """What `If-Range` takes: a strong ETag, or the time of the last change."""
    tag = str(response.headers.get("ETag") or "")
    return tag if tag and not tag.startswith("W/") else str(response.headers.get("Last-Modified") or "")


def _read(response: Any, wanted: Wanted) -> bytes:
    try:
        piece: bytes = response.read1(_CHUNK)
    except TimeoutError:
        raise _Broken(_timeout(wanted)) from None
    except (http.client.HTTPException, OSError):
        raise _Broken(_broken_off(wanted)) from None
    return piece


def _broken_off(wanted: Wanted) -> RunError:
    return _failed("download.broken_off", wanted.url, wanted.mirror, file=wanted.name, times=ATTEMPTS)


def _timeout(wanted: Wanted) -> RunError:
    return timed_out(wanted.url, TIMEOUT_S, wanted.mirror)


def _open(wanted: Wanted, have: int, version: str) -> Any:
    url, login = _split_login(wanted.url)
    headers = {"Accept-Encoding": "identity", "User-Agent": "graft", **login, **wanted.headers}
    if have:
        headers["Range"] = f"bytes={have}-"
        if version:
            headers["If-Range"] = version
    request = urllib.request.Request(url, headers=headers)
    try:
        return urllib.request.build_opener(urllib.request.ProxyHandler(settings.proxies()), _Redirects).open(
            request, timeout=TIMEOUT_S
        )
    except urllib.error.HTTPError as error:
        error.close()
        raise _refusal(wanted, error) from None
    except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        if isinstance(reason, TimeoutError):
            raise _Broken(_timeout(wanted)) from None
        if isinstance(reason, ConnectionResetError | http.client.HTTPException):
            raise _Broken(_broken_off(wanted)) from None
        raise unreachable(wanted.url, reason, wanted.mirror) from None


def _split_login(url: str) -> tuple[str, dict[str, str]]:
    """An address without the user and password of a mirror, and the header that tells them.

    >>> _split_login("https://ann:s%40t@mirror.example/file")
    ('https://mirror.example/file', {'Authorization': 'Basic YW5uOnNAdA=='})
    """
    login, at, _host = urlsplit(url).netloc.rpartition("@")
    if not at:
        return url, {}
    told = base64.b64encode(unquote(login).encode()).decode()
    return url.replace(f"{login}@", "", 1), {"Authorization": f"Basic {told}"}


def unreachable(url: str, reason: object, mirror: str = "HF_ENDPOINT") -> RunError:
    """That a server cannot be reached at all: no network, a wrong name, a refused connection, a bad certificate."""
    return _failed("download.no_network", url, mirror, detail=_plain(reason), setting=mirror)


def timed_out(url: str, seconds: float, mirror: str = "HF_ENDPOINT") -> RunError:
    """That a server, or what lies between, said nothing for so long."""
    return _failed("download.timeout", url, mirror, seconds=round(seconds))


def _failed(code: str, url: str, mirror: str, **values: str | int) -> RunError:
    """What failed, with the mirror and the proxy that it went by."""
    return RunError([Problem(code, values={"host": server_of(url, mirror), **values}), *ways_to(url)])


def _plain(reason: object) -> str:
    if isinstance(reason, socket.gaierror):
        return "its name is not known here"
    if isinstance(reason, ssl.SSLError):
        return f"its certificate is not accepted ({reason.reason})"
    if isinstance(reason, OSError) and reason.strerror:
        return reason.strerror
    return first_line(reason)


def _refusal(wanted: Wanted, error: urllib.error.HTTPError) -> Exception:
    """What a status other than success means."""
    values = {"host": host_of(wanted.url), "file": wanted.name, "status": error.code}
    if error.code == 416:  # nothing follows what came: it is whole, or that of another version
        if str(error.headers.get("Content-Range", "")).endswith(f"/{_bytes(wanted.part)}"):
            return _Whole()
        wanted.part.unlink(missing_ok=True)
        return _Broken(_broken_off(wanted))
    if error.code in (401, 403):
        return NoAccessError("download.no_access", **values)
    if error.code in (404, 410):
        return RunError("download.not_found", **values)
    reason = _failed("download.refused", wanted.url, wanted.mirror, file=wanted.name, status=error.code)
    return _Broken(reason) if error.code in _AGAIN else reason


class NoAccessError(RunError):
    """The server does not give a file to this user."""


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows where a hub points to (its storage), over https or on the same server, and takes no token along."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        here, there = urlsplit(req.full_url), urlsplit(newurl)
        is_same = (here.scheme, here.netloc) == (there.scheme, there.netloc)
        if not is_same and there.scheme != "https":
            raise urllib.error.URLError(f"it points to {there.scheme}://{there.netloc}, which is not safe")
        request = super().redirect_request(req, fp, code, msg, headers, newurl)
        if request is not None and not is_same:
            request.remove_header("Authorization")
        return request


def check_file(wanted: Wanted) -> None:
    """Compare what came with its published size and checksum; what is wrong is removed. Raises `RunError`."""
    digest = sum_of(wanted.part, wanted.digest) if wanted.digest else ""
    is_short = wanted.size is not None and wanted.part.stat().st_size != wanted.size
    if digest.startswith(wanted.sum) and not is_short:
        return
    wanted.part.unlink()
    wanted.mark.unlink(missing_ok=True)
    values = {"found": digest[:8] or "–", "wanted": wanted.sum[:8]}
    raise RunError("download.wrong_hash", host=host_of(wanted.url), file=wanted.name, **values)


def sum_of(path: Path, digest: Digest) -> str:
    """The sha256 of a file, or git's sum of it (of its length and content)."""
    if digest == "sha256":
        return sha256(path)
    content = path.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
