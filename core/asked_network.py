"""A model while it is asked: its network with its tools, and what has to be told with the answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from core.ask_records import TaskCard
from core.errors import Problem

# No tokenizer states more than this in earnest: a very large number stands for "not stated".
_STATED = 100_000
_UNSTATED = 1024
# RoBERTa counts its positions from the padding token's number on.
_OFFSET = {"roberta": 2, "xlm-roberta": 2, "camembert": 2}


@dataclass(frozen=True)
class Tools:
    """What turns words, pictures and sounds into the network's numbers."""

    tokenizer: Any = None
    images: Any = None
    sounds: Any = None


@dataclass
class Asked:
    """A task's network and tools; `notes` collects what is told with one answer."""

    task: TaskCard
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
        own = getattr(config, "max_position_embeddings", None) or getattr(config, "n_positions", None)
        stated = self.tokenizer.model_max_length
        limits = [int(own) - _OFFSET.get(config.model_type, 0)] if own else []
        limits += [int(stated)] if stated < _STATED else []
        return min(limits, default=_UNSTATED)

    def note(self, code: str, **values: Any) -> None:
        """Tell this with the answer."""
        told = Problem(code, "warning", values=values)
        if told not in self.notes:
            self.notes.append(told)

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
