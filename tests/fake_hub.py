"""A small hub on loopback: what the Hugging Face hub and torchvision's server answer, with faults on demand.

`huggingface_hub` (2.4) asks `/api/models/ORG/NAME?blobs=True` for a repository's files, and HEAD and GET of
`/ORG/NAME/resolve/REVISION/FILE`; a large file is answered with a way to a storage server, here `/storage/…`.
torchvision's files are `/models/FILE`.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import pytest
from huggingface_hub import constants

from core import catalog, transfer

RESNET = "torchvision/resnet18.imagenet1k_v1"
BERT = "hub/someone/tiny-bert"
REVISION = "1" * 40
LARGE = (".safetensors", ".bin", ".pth")


@dataclass(frozen=True)
class Asked:
    """One request and how many bytes of a body it was sent."""

    method: str
    path: str
    range: str
    has_token: bool
    sent: int


@dataclass
class Fault:
    """What goes wrong with paths that contain a text, `times` times (-1: always)."""

    status: int = 0  # answered instead of the file
    break_after: int = -1  # bytes, then the connection ends
    bytes_per_s: int = 0
    is_held: bool = False  # after `break_after` bytes nothing follows until `release`
    is_silent: bool = False  # nothing is answered until the hub closes
    is_wrong: bool = False  # every byte is another one
    code: str = ""  # X-Error-Code
    times: int = -1


@dataclass
class FakeHub:
    """Put contents into `repositories` and `files`, faults into `faults`; `asked` tells what was asked."""

    repositories: dict[str, dict[str, bytes]] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    faults: dict[str, Fault] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    closing: threading.Event = field(default_factory=threading.Event)
    release: threading.Event = field(default_factory=threading.Event)
    address: str = ""

    def sent(self, text: str) -> list[int]:
        """The bytes that each GET of a path with this text was sent, in their order."""
        return [one.sent for one in self.asked if one.method == "GET" and text in one.path]

    def fault_of(self, path: str) -> Fault | None:
        for text, fault in self.faults.items():
            if text in path and fault.times != 0:
                fault.times -= 1
                return fault
        return None

    def find(self, path: str) -> bytes | None:
        """The content behind a path."""
        parts = path.strip("/").split("/")
        if parts[0] == "models":
            return self.files.get(parts[-1])
        if parts[0] == "storage":
            return self.repositories.get("/".join(parts[1:3]), {}).get("/".join(parts[3:]))
        if len(parts) > 4 and parts[2] == "resolve":
            return self.repositories.get("/".join(parts[:2]), {}).get("/".join(parts[4:]))
        return None


@contextmanager
def serve_hub() -> Iterator[FakeHub]:
    """A hub at work until the block ends."""
    hub = FakeHub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": hub}))
    server.daemon_threads = True
    hub.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        hub.closing.set()
        server.shutdown()
        server.server_close()


def etag_of(name: str, content: bytes) -> str:
    """sha256 for what the hub keeps as a large file, git's sum for the rest."""
    if name.endswith(LARGE):
        return hashlib.sha256(content).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


@contextmanager
def stand_in(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    """A hub that stands for both hubs, with one repository, and nothing that forbids the network."""
    for name in ("GRAFT_OFFLINE", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_TELEMETRY", True)
    monkeypatch.setattr(transfer, "PAUSE_S", 0.0)
    monkeypatch.setattr(transfer, "ATTEMPTS", 2)
    with serve_hub() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.address)
        monkeypatch.setenv("GRAFT_TORCH_MIRROR", hub.address)
        hub.repositories["someone/tiny-bert"] = {
            "config.json": b'{"model_type": "bert", "num_hidden_layers": 1, "hidden_size": 4, "vocab_size": 9}',
            "vocab.txt": b"[PAD]\n[UNK]\n",
            "model.safetensors": tensors(200_000),
            "pytorch_model.bin": b"a pickle",
            "modeling_tiny.py": b"raise SystemExit",
            "onnx/model.onnx": b"not needed",
        }
        yield hub


def tensors(size: int) -> bytes:
    """A safetensors file with one tensor of so many bytes."""
    header = json.dumps({"w": {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}}).encode()
    return len(header).to_bytes(8, "little") + header + os.urandom(size)


def forge(monkeypatch: pytest.MonkeyPatch, hub: FakeHub, content: bytes) -> catalog.ModelCard:
    """Make `content` what torchvision publishes as ResNet18."""
    digest = hashlib.sha256(content).hexdigest()
    name = f"resnet18-{digest[:8]}.pth"
    url = f"https://download.pytorch.org/models/{name}"
    forged = catalog.get_model(RESNET).model_copy(update={"file_name": name, "sha256": digest[:8], "url": url})
    cards = tuple(forged if one.id == RESNET else one for one in catalog.list_models())
    monkeypatch.setattr(catalog, "_by_id", lambda: {one.id: one for one in cards})
    monkeypatch.setattr(catalog, "list_models", lambda: cards)
    hub.files[name] = content
    return forged


class _Handler(BaseHTTPRequestHandler):
    hub: FakeHub
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None: ...

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def _answer(self, *, with_body: bool) -> None:
        path, sent = urlsplit(self.path).path, 0
        fault = self.hub.fault_of(path)
        try:
            if fault is not None and fault.is_silent:
                self.hub.closing.wait(30)
                self.close_connection = True
            elif fault is not None and fault.status:
                self._head(fault.status, {"X-Error-Code": fault.code, "Content-Length": "0"})
            elif path.startswith("/api/models/"):
                sent = self._tell_repository(path.removeprefix("/api/models/"))
            else:
                sent = self._send_file(path, with_body, fault)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        token = "Authorization" in self.headers
        self.hub.asked.append(Asked(self.command, path, self.headers.get("Range", ""), token, sent))

    def _head(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if value:
                self.send_header(name, value)
        self.end_headers()

    def _tell_repository(self, repository: str) -> int:
        files = self.hub.repositories.get(repository)
        if files is None:
            self._head(404, {"X-Error-Code": "RepoNotFound", "Content-Length": "0"})
            return 0
        siblings = []
        for name, content in files.items():
            row: dict[str, object] = {"rfilename": name, "size": len(content), "blobId": etag_of("", content)}
            if name.endswith(LARGE):
                row["lfs"] = {"sha256": etag_of(name, content), "size": len(content), "pointerSize": 134}
            siblings.append(row)
        body = json.dumps({"id": repository, "sha": REVISION, "siblings": siblings}).encode()
        self._head(200, {"Content-Type": "application/json", "Content-Length": str(len(body))})
        return self.wfile.write(body)

    def _send_file(self, path: str, with_body: bool, fault: Fault | None) -> int:
        content = self.hub.find(path)
        if content is None:
            self._head(404, {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": REVISION, "Content-Length": "0"})
            return 0
        tag = etag_of(path, content)
        headers = {"ETag": f'"{tag}"', "X-Repo-Commit": REVISION, "Accept-Ranges": "bytes"}
        if "/resolve/" in path and path.endswith(LARGE):
            parts = path.strip("/").split("/")
            there = f"{self.hub.address}/storage/{'/'.join(parts[:2])}/{'/'.join(parts[4:])}"
            linked = {"X-Linked-Etag": f'"{tag}"', "X-Linked-Size": str(len(content))}
            self._head(302, {**headers, **linked, "Location": there, "Content-Length": "0"})
            return 0
        start, status = 0, 200
        asked = self.headers.get("Range", "")
        if asked and self.headers.get("If-Range", f'"{tag}"') == f'"{tag}"':
            start, status = int(asked.removeprefix("bytes=").rstrip("-")), 206
            if start >= len(content):
                self._head(416, {"Content-Range": f"bytes */{len(content)}", "Content-Length": "0"})
                return 0
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        self._head(status, {**headers, "Content-Length": str(len(content) - start)})
        return self._send_body(content[start:], fault) if with_body else 0

    def _send_body(self, body: bytes, fault: Fault | None) -> int:
        fault = fault or Fault()
        if fault.is_wrong:
            body = bytes(255 - byte for byte in body[:1000]) + body[1000:]
        most = len(body) if fault.break_after < 0 else min(len(body), fault.break_after)
        step = max(1, fault.bytes_per_s // 10) if fault.bytes_per_s else 1 << 20
        sent = 0
        while sent < most and not self.hub.closing.is_set():
            sent += self.wfile.write(body[sent : min(most, sent + step)])
            if fault.bytes_per_s:
                self.hub.closing.wait(0.1)
        if sent < len(body):
            self.wfile.flush()
            if fault.is_held:
                self.hub.release.wait(30)
            self.close_connection = True
        return sent
