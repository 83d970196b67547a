"""What tells a network, and what it reads, from every other: layers, settings, the very values of weights, texts.

A name does not: other weights may come to lie under the same one, by an import, a download of a newer version or a
run of the same id. Hashing what was loaded takes some 0.1 s for 100 MB, a small part of loading it, so that nothing
has to be remembered of files.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch
from torch import nn

# These make networks of the same weights compute otherwise.
_LIBRARIES = ("torch", "torchvision", "timm", "transformers")


def identity(network: nn.Module, config: Any = None) -> str:
    """A hash of a network with its weights, of its `config` (transformers) and of the libraries that run it."""
    digest = hashlib.sha256(repr(network).encode())
    digest.update(json.dumps({name: _version(name) for name in _LIBRARIES}).encode())
    if config is not None:
        facts = {name: value for name, value in config.to_dict().items() if name != "_name_or_path"}
        digest.update(json.dumps(facts, sort_keys=True, default=str).encode())
    for name, tensor in network.state_dict().items():
        digest.update(f"{name}|{tensor.dtype}|{tuple(tensor.shape)}".encode())
        values = tensor.detach().cpu().contiguous().reshape(-1)
        digest.update(values.view(torch.uint8).numpy().data)
    return digest.hexdigest()


def identity_of_reading(texts: Sequence[str], tokenizer: Any, max_length: int) -> str:
    """A hash of texts, as they were read from their files, and of what makes tokens of them."""
    digest = hashlib.sha256(f"{max_length}|{tokenizer!r}|{_version('tokenizers')}".encode())
    if tokenizer.is_fast:
        whole = tokenizer.backend_tokenizer
        whole.no_truncation()  # as far as it was last asked to cut and to fill up: each call says it anew
        whole.no_padding()
        digest.update(whole.to_str().encode())
    else:
        digest.update(json.dumps(sorted(tokenizer.get_vocab().items())).encode())
    for text in texts:
        content = text.encode("utf-8", "surrogatepass")
        digest.update(len(content).to_bytes(8, "little") + content)
    return digest.hexdigest()


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return ""
