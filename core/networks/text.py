"""Any text classifier in one shape: token embeddings, layers in order, the mean over tokens, and a head.

The networks are those of transformers (BERT, DistilBERT, RoBERTa, ALBERT, GPT-2, T5, XLM-R, ELECTRA, DeBERTa …),
built from a configuration; code from a model's repository is never run. Block 0 are the embeddings, block k
is the k-th layer: that is what "the last k blocks" counts.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import safetensors
import torch
import transformers
from accelerate import init_empty_weights
from safetensors.torch import save_file
from torch import Tensor, nn

from core.errors import GraftError, InputError, WeightsError, first_line
from core.files import replacing, sha256, to_json, write_atomically
from core.models.card import ModelCard
from core.models.catalog import get_model
from core.models.weight_files import hub_snapshots, model_folder, model_source
from core.networks.configurations import encoder_class, feature_width, tokens_at_once
from core.networks.heads import count_parameters, new_head
from core.networks.lora import lora_targets
from core.networks.quiet import quiet_transformers
from core.networks.tuning import BEFORE, Tunable, linear_names, merge
from core.networks.weights import FORMAT, SAVED, check_sum, load_saved
from core.registry.text_architectures import text_architecture
from core.spec import ModelRef


@dataclass(frozen=True)
class TokenBatch:
    """Texts as tokens [n, T] with their mask; `hidden` [n, T, H] or pooled [n, H] when a part was computed before."""

    ids: Tensor
    mask: Tensor
    hidden: Tensor | None = None

    def with_hidden(self, hidden: Tensor) -> TokenBatch:
        return replace(self, hidden=hidden)


class _Halted(Exception):
    """The layers wanted have run."""


class TextClassifier(Tunable):
    """Tokens → logits [n, classes]. Frozen blocks stay in eval mode whatever `train()` says."""

    def __init__(self, net: nn.Module, head: nn.Module, labels: list[str], tokenizer: Any, base: str) -> None:
        super().__init__()
        self.net, self.head, self.labels, self.tokenizer, self.base = net, head, labels, tokenizer, base
        self.config: Any = net.config
        self.layers_name: str = find_layers(net)
        self.num_frozen = 0

    @property
    def layers(self) -> nn.ModuleList:
        modules = self.net.get_submodule(self.layers_name)
        assert isinstance(modules, nn.ModuleList)
        return modules

    @property
    def num_blocks(self) -> int:
        """The embeddings and the layers."""
        return 1 + len(self.layers)

    @property
    def can_be_cut(self) -> bool:
        """Whether a part of the layers can run without those below."""
        return text_architecture(self.config.model_type).has_own_layers

    @property
    def max_length(self) -> int:
        """Tokens the network can take in at once."""
        return tokens_at_once(self.config) or 512

    def forward(self, batch: TokenBatch) -> Tensor:
        logits: Tensor = self.head(self.run(batch, 0))
        return logits

    def run(self, batch: TokenBatch, cut: int) -> Tensor:
        """Features [n, H] from what the first `cut` blocks gave (`batch.hidden`), or from the tokens for 0."""
        if cut == 0 or batch.hidden is None:
            return self._pool(self._run_net(batch), batch.mask)
        if cut == self.num_blocks:
            return batch.hidden
        hidden = batch.hidden
        with self._only_layers(cut - 1) as layers:

            def put(module: nn.Module, args: Any, kwargs: Any) -> Any:
                if args:
                    return (hidden, *args[1:]), kwargs
                return args, {**kwargs, "hidden_states": hidden}

            handle = layers[0].register_forward_pre_hook(put, with_kwargs=True)
            try:
                return self._pool(self._run_net(batch), batch.mask)
            finally:
                handle.remove()

    def run_prefix(self, batch: TokenBatch, cut: int) -> Tensor:
        """What the first `cut` blocks give: token states [n, T, H], or for all blocks the features [n, H]."""
        if cut == self.num_blocks:
            return self.run(batch, 0)
        states: list[Tensor] = []

        def halt(module: nn.Module, args: Any, kwargs: Any) -> None:
            states.append(args[0] if args else kwargs["hidden_states"])
            raise _Halted

        handle = self.layers[cut - 1].register_forward_pre_hook(halt, with_kwargs=True)
        try:
            self._run_net(batch)
        except _Halted:
            pass
        finally:
            handle.remove()
        return states[0]

    def _run_net(self, batch: TokenBatch) -> Tensor:
        hidden: Tensor = self.net(input_ids=batch.ids, attention_mask=batch.mask)[0]
        return hidden

    @contextmanager
    def _only_layers(self, start: int) -> Iterator[nn.ModuleList]:
        parent_name, _, name = str(self.layers_name).rpartition(".")
        parent, whole = self.net.get_submodule(parent_name), self.layers
        rest = nn.ModuleList(list(whole)[start:])
        setattr(parent, name, rest)
        try:
            yield rest
        finally:
            setattr(parent, name, whole)

    @staticmethod
    def _pool(hidden: Tensor, mask: Tensor) -> Tensor:
        """The mean over a text's own tokens (Reimers & Gurevych 2019), in fp32: long sums lose digits in bf16."""
        weights = mask.unsqueeze(-1).float()
        return (hidden.float() * weights).sum(1) / weights.sum(1).clamp(min=1)

    def freeze(self, num_frozen: int) -> None:
        self.num_frozen = num_frozen
        self.net.requires_grad_(num_frozen == 0)
        if 0 < num_frozen < self.num_blocks:
            for name, parameter in self.net.named_parameters():
                if not name.startswith(f"{self.layers_name}.") and not any(word in name for word in BEFORE):
                    parameter.requires_grad_(True)
            for layer in self.layers[num_frozen - 1 :]:
                layer.requires_grad_(True)

    def adapter_places(self) -> list[str]:
        """Those of its attention, or else every linear layer."""
        layers = self.layers
        return [f"{self.layers_name}.{name}" for name in lora_targets(layers) or linear_names(layers)]

    def train(self, mode: bool = True) -> TextClassifier:
        super().train(mode)
        if self.keeps_standard:
            self.head.eval()
        if self.num_frozen:
            self.net.eval()
            for layer in self.layers[self.num_frozen - 1 :]:
                layer.train(mode)
        return self


def find_layers(net: nn.Module) -> str:
    """The dotted name of the list of layers: the list that holds the most parameters."""
    lists = {name: module for name, module in net.named_modules() if isinstance(module, nn.ModuleList) and len(module)}
    if not lists:
        raise InputError("model.no_layers", kind=type(net).__name__)
    outer = {n: m for n, m in lists.items() if not any(n.startswith(f"{other}.") for other in lists)}
    sizes: dict[str, int] = {name: sum(p.numel() for p in module.parameters()) for name, module in outer.items()}
    return str(max(sizes, key=sizes.__getitem__))


# -- building --------------------------------------------------------------------------------------------


def build_text_classifier(ref: ModelRef, labels: list[str] | None, *, seed: int) -> TextClassifier:
    """The network of a model id with a new head for `labels`, or with its own published head for None.

    Raises `NotFoundError`, `WeightsError`, and `InputError` when weights without a classifier are asked for theirs.
    """
    quiet_transformers()
    card = get_model(ref.id)
    is_pretrained = ref.weights == "pretrained"
    if card.source == "run" and is_pretrained:
        model = load_text_classifier(model_folder(card))
        if labels is not None and labels != model.labels:
            torch.manual_seed(seed)
            model.head = new_head(model.config.hidden_size, len(labels))
            model.labels = labels
        return model
    base = get_model(card.base) if card.source == "run" else card
    torch.manual_seed(seed)
    try:
        folder = model_folder(card) if card.source == "run" else _folder_of(base, needs_weights=is_pretrained)
        tokenizer = _tokenizer(folder)
        if labels is None:
            if not base.num_classes:
                raise InputError("model.no_classifier", id=card.id)
            return _published(base, folder, tokenizer)
        net = _backbone(folder, base, is_pretrained=is_pretrained)
    except GraftError:
        raise
    except Exception as error:  # the library raises a dozen kinds for files that are not what they say
        detail = first_line(error)
        raise WeightsError("weights.other_model", id=base.id, file=base.file_name, detail=detail) from error
    torch.manual_seed(seed)
    head = new_head(feature_width(net.config), len(labels))
    return TextClassifier(net, head, labels, tokenizer, base.id)


def _folder_of(card: ModelCard, *, needs_weights: bool) -> Path:
    if needs_weights or card.source == "bundled":
        return model_source(card)
    snapshots = [folder for folder in hub_snapshots(card.id) if (folder / "config.json").is_file()]
    return snapshots[0] if snapshots else model_source(card)


def _backbone(folder: Path, card: ModelCard, *, is_pretrained: bool) -> Any:
    config = transformers.AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    if not is_pretrained:
        return build_backbone(config)
    check_sum(folder / card.file_name.rpartition("/")[2], card)
    backbone = encoder_class(config).from_pretrained(
        folder, local_files_only=True, trust_remote_code=False, dtype=torch.float32, config=config
    )
    return _trimmed(backbone)


def build_backbone(config: Any) -> Any:
    """The encoder of a configuration with values as they fall, without its pooler."""
    return _trimmed(_from_config(config))


def _from_config(config: Any) -> Any:
    return encoder_class(config).from_config(config, trust_remote_code=False)


def _trimmed(net: Any) -> Any:
    """Without the pooler: a layer over the first token, trained for a task of its own that is not asked here."""
    if getattr(net, "pooler", None) is not None:
        net.pooler = None
    if hasattr(net.config, "use_cache"):
        net.config.use_cache = False
    return net


def _tokenizer(folder: Path) -> Any:
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    if tokenizer.pad_token is None:  # GPT-2 has none: its place is masked, so any token may stand there
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token
    return tokenizer


class WholeClassifier(nn.Module):
    """A published classifier as a backbone that already answers."""

    def __init__(self, net: Any) -> None:
        super().__init__()
        self.inner, self.config = net, net.config

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor]:
        return (self.inner(input_ids=input_ids, attention_mask=attention_mask).logits,)


class PublishedTextClassifier(TextClassifier):
    """A model with the head it was published with."""

    def run(self, batch: TokenBatch, cut: int) -> Tensor:
        return self._run_net(batch).float()


def _published(card: ModelCard, folder: Path, tokenizer: Any) -> TextClassifier:
    check_sum(folder / card.file_name.rpartition("/")[2], card)
    net = transformers.AutoModelForSequenceClassification.from_pretrained(
        folder, local_files_only=True, trust_remote_code=False, dtype=torch.float32
    )
    if net.config.pad_token_id is None:
        net.config.pad_token_id = tokenizer.pad_token_id
    names = net.config.id2label
    labels = [str(names[place]) for place in sorted(names)]
    return PublishedTextClassifier(WholeClassifier(net), nn.Identity(), labels, tokenizer, card.id).eval()


# -- on disk ---------------------------------------------------------------------------------------------


def save_text_classifier(model: TextClassifier, folder: Path, **facts: Any) -> None:
    """Write the weights (adapters merged), `model.json`, the configuration and the tokenizer."""
    folder.mkdir(parents=True, exist_ok=True)
    merge(model)
    model.config.save_pretrained(folder)
    model.tokenizer.save_pretrained(folder)
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in _state(model).items()}
    with replacing(folder / "model.safetensors") as unfinished:
        save_file(tensors, unfinished, metadata={"format": "pt", "graft": str(FORMAT)})
    card = {"format": FORMAT, "base": model.base, "labels": model.labels, "parameters": count_parameters(model)[0]}
    write_atomically(folder / "model.json", to_json({**facts, **card, "sum": sha256(folder / SAVED)}))


def _state(model: nn.Module) -> dict[str, Tensor]:
    """All tensors once: some families use one table of embeddings under two names."""
    seen: dict[int, str] = {}
    state = {}
    for name, tensor in model.state_dict().items():
        if seen.setdefault(tensor.data_ptr(), name) == name or not tensor.numel():
            state[name] = tensor
    return state


def load_text_classifier(folder: Path) -> TextClassifier:
    """What `save_text_classifier` wrote, with the same logits. Raises `WeightsError` when it cannot be read."""
    quiet_transformers()
    try:
        card = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        if card["format"] != FORMAT:
            raise ValueError(f"format {card['format']}, this version of Graft reads {FORMAT}")
        tensors = load_saved(folder, card.get("sum"))
        config = transformers.AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        with init_empty_weights(include_buffers=False):
            net = build_backbone(config)
        labels: list[str] = card["labels"]
        head = new_head(feature_width(config), len(labels))
        model = TextClassifier(net, head, labels, _tokenizer(folder), card["base"])
        _, unexpected = model.load_state_dict(tensors, assign=True, strict=False)
        net.tie_weights()
        left = [name for name, tensor in model.state_dict().items() if tensor.is_meta]
        if unexpected or left:
            raise ValueError(f"{len(left)} tensors are missing and {len(unexpected)} do not belong to it")
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, safetensors.SafetensorError) as error:
        detail = first_line(error)
        raise WeightsError("weights.other_model", id=folder.name, file=str(folder), detail=detail) from error
    return model.eval()
