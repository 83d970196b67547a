"""A model while it is asked: its network with its tools, and what has to be told with the answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from core.networks.configurations import tokens_at_once
from core.predict.tasks.records import Answer, TaskValues
from core.problems import Problem
from core.registry.task_rows import Task

# No tokenizer states more than this in earnest: a very large number stands for "not stated".
_STATED = 100_000
_UNSTATED = 1024


@dataclass(frozen=True)
class Tools:
    """What turns words, pictures and sounds into the network's numbers."""

    tokenizer: Any = None
    images: Any = None
    sounds: Any = None


@dataclass
class TaskContext:
    """A task's network and tools; `notes` collects what is told with one answer."""

    task: Task
    model: str
    net: Any
    tools: Tools
    notes: list[Problem] = field(default_factory=list)

    @property
    def tokenizer(self) -> Any:
        return self.tools.tokenizer

    @property
    def most_tokens(self) -> int:
        """Tokens the network can take in at once."""
        config = getattr(self.net.config, "text_config", None) or self.net.config
        places, stated = tokens_at_once(config), self.tokenizer.model_max_length
        limits = [places, int(stated) if stated < _STATED else None]
        return min((limit for limit in limits if limit is not None), default=_UNSTATED)

    def note(self, code: str, **values: Any) -> None:
        """Tell this with the answer."""
        note = Problem(code, "warning", values=values)
        if note not in self.notes:
            self.notes.append(note)

    def encode(self, texts: list[str], beside: list[str] | None = None, **how: Any) -> Any:
        """Texts (beside others) as padded tensors; what is longer than the network reads is cut, and told.

        Of a pair the first is cut, so that the second stays whole.
        """
        limit = self.most_tokens
        whole = self.tokenizer(texts, beside)["input_ids"] if beside else self.tokenizer(texts)["input_ids"]
        longest = max(len(ids) for ids in whole)
        if longest > limit:
            self.note("ask.cut", id=self.model, limit=limit, n=longest)
        if self.tokenizer.pad_token is None:
            self.tokenizer.pad_token = self.tokenizer.eos_token or self.tokenizer.unk_token
        how = {"padding": True, "truncation": "only_first" if beside else True, "max_length": limit, **how}
        args = (texts, beside) if beside else (texts,)
        return self.tokenizer(*args, return_tensors="pt", **how)


AnswerFunction = Callable[[TaskContext, TaskValues], Answer]
