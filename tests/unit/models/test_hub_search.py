"""Searching a hub, against a small one on loopback that answers as the real one does, or not at all."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import huggingface_hub.constants
import pytest

from core.errors import GraftError
from core.messages import explain
from core.models import hub_search as models_hub_search
from core.models.hub_search import search_hub

_ANSWER: list[dict[str, Any]] = [
    {"id": "org/bert", "pipeline_tag": "fill-mask", "downloads": 12, "likes": 3, "gated": False,
     "tags": ["pytorch", "license:apache-2.0"]},
    {"id": "timm/resnet18.a1_in1k", "pipeline_tag": "image-classification", "downloads": 9, "likes": 1,
     "gated": "manual", "tags": []},
    {"id": "bert-base-uncased", "downloads": 7},
    {"id": "org/../../etc", "downloads": 7},
]  # fmt: skip


class _Hub(ThreadingHTTPServer):
    """Remembers what it was asked; `answer` is what it says, with `status`."""

    daemon_threads = True
    answer: bytes = json.dumps(_ANSWER).encode()
    status = 200
    asked: list[str]


class _Handler(BaseHTTPRequestHandler):
    server: _Hub

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(self.server.answer)))
        self.end_headers()
        self.wfile.write(self.server.answer)

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[_Hub]:
    server = _Hub(("127.0.0.1", 0), _Handler)
    server.asked = []
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.delenv("GRAFT_OFFLINE")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


def test_hub_is_asked_for_words_and_task_and_its_rows_are_plain(hub: _Hub) -> None:
    rows = search_hub("bert chinese", "fill-mask", limit=4)
    asked = parse_qs(urlsplit(hub.asked[0]).query)
    assert (asked["search"], asked["pipeline_tag"], asked["limit"]) == (["bert chinese"], ["fill-mask"], ["4"])
    assert asked["sort"] == ["downloads"]
    assert rows[0] == {
        "id": "hub/org/bert",
        "task": "fill-mask",
        "downloads": 12,
        "likes": 3,
        "licence": "apache-2.0",
        "is_gated": False,
        "url": "https://huggingface.co/org/bert",
    }
    assert (rows[1]["id"], rows[1]["is_gated"], rows[1]["licence"]) == ("timm/resnet18.a1_in1k", True, "")
    assert len(rows) == 2, "what has no owner, or no name of a repository, cannot be opened here"


def test_hub_gives_no_more_than_asked_for(hub: _Hub) -> None:
    assert len(search_hub("bert", limit=1)) == 1


@pytest.mark.parametrize(
    ("status", "answer"),
    [(500, b"{}"), (200, b"<html>a login page</html>"), (200, b'[{"name": "x"}]'), (200, b'{"error": "x"}')],
)
def test_an_answer_that_is_none_is_told_in_a_sentence(hub: _Hub, status: int, answer: bytes) -> None:
    hub.status, hub.answer = status, answer
    with pytest.raises(GraftError) as caught:
        search_hub("bert")
    assert caught.value.problems[0].code == "hub.unreachable"
    assert "127.0.0.1" in explain(caught.value.problems[0])


def test_a_hub_that_is_not_there_or_never_answers_is_told(hub: _Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.shutdown()  # takes connections and never answers
    monkeypatch.setattr(models_hub_search, "_TIMEOUT_S", 0.2)
    with pytest.raises(GraftError, match="gives no answer"):
        search_hub("bert")
    hub.server_close()
    with pytest.raises(GraftError, match="gives no answer"):
        search_hub("bert")


def test_nothing_is_asked_when_offline(hub: _Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAFT_OFFLINE", "1")
    with pytest.raises(GraftError, match="offline"):
        search_hub("bert")
    monkeypatch.delenv("GRAFT_OFFLINE")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(GraftError, match="offline"):
        search_hub("bert")
    assert hub.asked == []
