"""Ask a published model of transformers what it was made for: loaded from this machine alone, answered in one shape.

transformers 5 has no pipelines for questions, summaries, translation and text2text any more, and those it has cut long
texts without a word: the networks are asked directly here. `core.registry.tasks` is the table,
`core.predict.tasks.text_answers` and `core.predict.tasks.media_answers` hold the answers, a function for each.
"""

from __future__ import annotations

import importlib
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import torch
import transformers

from core.errors import DataError, GraftError, InputError, NotFoundError, WeightsError, first_line
from core.i18n import N_
from core.models.card import ModelCard
from core.models.catalog import get_model
from core.models.hub_cards import describe_folder
from core.models.weight_files import find_local_weights, hub_snapshots
from core.networks.configurations import network_class
from core.networks.quiet import quiet_transformers
from core.paths import check_readable, meant_path, path_problem
from core.predict.tasks import media_answers, text_answers
from core.predict.tasks.checks import check_inputs, check_needs, check_package, not_here
from core.predict.tasks.context import AnswerFunction, TaskContext, Tools
from core.predict.tasks.records import AnswerReport, TaskValues
from core.predict.tasks.table import does, find_recommended, get_task, tasks_for
from core.problems import Problem
from core.registry.task_rows import Reads, Task
from core.registry.tasks import HUB_TASKS

# Parts that only training uses: published checkpoints leave them out.
_UNUSED = ("masked_spec_embed",)


ANSWERS: Mapping[str, AnswerFunction] = {**text_answers.ANSWERS, **media_answers.ANSWERS}
# What makes numbers of each thing that a network reads, and the class that loads it.
_TOOLS: dict[Reads, tuple[str, str]] = {
    "texts": ("tokenizer", "AutoTokenizer"),
    "pictures": ("images", "AutoImageProcessor"),
    "sounds": ("sounds", "AutoFeatureExtractor"),
}


class TaskModel:
    """A model ready to be asked one task. Safe to share between threads: one asks at a time."""

    def __init__(self, context: TaskContext) -> None:
        self.context = context
        self._lock = threading.Lock()

    def answer(self, **inputs: object) -> AnswerReport:
        """The answer to the task's inputs and options, by their names in the table.

        Raises `InputError` with every problem of the inputs, `WeightsError` when the network fails on them.
        """
        context, task = self.context, self.context.task
        problems = check_inputs(task, inputs)
        if problems:
            raise InputError(problems)
        defaults = {option.name: option.default for option in task.options}
        values = cast(TaskValues, {**defaults, **inputs})  # as `check_inputs` has seen
        # Drawing words is the only chance here, and others in this process keep their own.
        with self._lock, torch.inference_mode(), torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(values.get("seed", 0)))
            context.notes.clear()
            began = time.perf_counter()
            try:
                answer = ANSWERS[task.id](context, values)
            except (GraftError, MemoryError):
                raise
            except Exception as error:  # networks fail in many ways on what they were not made for
                raise WeightsError("ask.failed", id=context.model, detail=_first_line(error)) from error
            spent = (time.perf_counter() - began) * 1000
            notes = tuple(context.notes)
        return AnswerReport(
            task=task.id, model=context.model, output=task.output, latency_ms=spent, notes=notes, **vars(answer)
        )


def load_task(task_id: str, model_id: str) -> TaskModel:
    """A model of the hub's cache (`hub/ORG/NAME`) or of a folder (`path:/…`), ready for a task.

    Nothing is downloaded and no code of the model's repository is run. Raises `NotFoundError` or `InputError` with
    what is missing (the weights, a package), `WeightsError` for files that do not make the network of this task.
    """
    quiet_transformers()
    task = get_task(task_id)
    problems = check_needs(task, model_id)
    try:
        card, folder = find_model(task, model_id)
    except NotFoundError as error:
        if not problems:
            raise
        raise InputError([*problems, *error.problems]) from error
    problems = problems or _needs_sentencepiece(folder)
    if problems:
        raise InputError(problems)
    try:
        return TaskModel(_load(task, card, folder))
    except (GraftError, MemoryError):
        raise
    except Exception as error:  # the library raises a dozen kinds for files that are not what they say
        raise WeightsError("ask.cannot_load", id=model_id, detail=_first_line(error)) from error


def find_model(task: Task, model_id: str) -> tuple[ModelCard, Path]:
    """A model's card and the folder of its files. Raises `NotFoundError`, or `InputError` for one of another task."""
    if model_id.startswith("path:"):
        folder = meant_path(model_id[5:])
        problems = check_readable(folder)
        if problems:
            raise InputError(problems)
        card = describe_folder(model_id, folder)
        if card is None:
            raise InputError("ask.no_model_there", path=str(folder))
    else:
        card = _published(task, model_id)
    if not does(card, task):
        known = ", ".join(row.id for row in tasks_for(card)) or card.task
        raise InputError("ask.other_model", id=model_id, task=task.id, known=known)
    if model_id.startswith("path:"):
        return card, meant_path(model_id[5:])
    snapshots = [folder for folder in hub_snapshots(model_id) if find_local_weights(folder)]
    if not snapshots:
        raise _absent(task, model_id)
    return card, snapshots[0]


def _published(task: Task, model_id: str) -> ModelCard:
    try:
        return get_model(model_id)
    except NotFoundError:
        if find_recommended(task, model_id) is None:
            raise
        raise _absent(task, model_id) from None


def _absent(task: Task, model_id: str) -> NotFoundError:
    problem = not_here(task, model_id)
    return NotFoundError(problem.code, **problem.values)


def _needs_sentencepiece(folder: Path) -> list[Problem]:
    """That a tokenizer lies there in SentencePiece's format alone, and the package that reads it is absent."""
    if (folder / "tokenizer.json").is_file() or not any(folder.glob("*.spm")):
        return []
    return check_package("sentencepiece")


def _first_line(error: Exception) -> str:
    return (first_line(error) or type(error).__name__).rstrip(".")


# -- loading -------------------------------------------------------------------------------------------------


def _load(task: Task, card: ModelCard, folder: Path) -> TaskContext:
    row = HUB_TASKS[task.hub]
    if row.library == "diffusers":
        return TaskContext(task, card.id, _load_maker(folder), Tools())
    handled = {*row.reads, "texts"} if task.output == "text" else set(row.reads)
    tools = {name: _load_tool(auto, folder) for kind, (name, auto) in _TOOLS.items() if kind in handled}
    config = transformers.AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    return TaskContext(task, card.id, _load_network(task, config, card, folder), Tools(**tools))


def _load_tool(name: str, folder: Path) -> Any:
    return getattr(transformers, name).from_pretrained(folder, local_files_only=True, trust_remote_code=False)


def _load_network(task: Task, config: Any, card: ModelCard, folder: Path) -> Any:
    """The network with all its weights: what the checkpoint lacks would be random, and is refused."""
    auto = network_class(task.hub, config)
    if auto is None:
        raise WeightsError("ask.cannot_load", id=card.id, detail=N_("it has no network for this task"))
    path = find_local_weights(folder)
    if path is None or (folder / "adapter_config.json").is_file():  # an adapter would fetch what it stands on
        raise NotFoundError("ask.incomplete", id=card.id)
    net, loading = auto.from_pretrained(
        folder,
        config=config,
        local_files_only=True,
        trust_remote_code=False,
        use_safetensors=".safetensors" in path.name,
        weights_only=True,
        dtype=torch.float32,
        output_loading_info=True,
    )
    lacking = sorted({*loading["missing_keys"], *(name[0] for name in loading.get("mismatched_keys") or ())})
    lacking = [name for name in lacking if not name.endswith(_UNUSED)]
    if lacking:
        more = ", …" if len(lacking) > 3 else ""
        raise WeightsError("ask.without_head", id=card.id, names=", ".join(lacking[:3]) + more)
    return net.eval()


def _load_maker(folder: Path) -> Any:
    """The parts of an unCLIP (Ramesh et al. 2022), each by its own class: what the folder's index names is not asked.

    diffusers' own loader does not find the `text_proj` of any such model since it moved them among the old ones.
    """
    import diffusers

    home = diffusers.UnCLIPPipeline.__module__.rpartition(".")[0]
    kinds: dict[str, Any] = {
        "prior": diffusers.PriorTransformer,
        "decoder": diffusers.UNet2DConditionModel,
        "super_res_first": diffusers.UNet2DModel,
        "super_res_last": diffusers.UNet2DModel,
        "text_proj": importlib.import_module(f"{home}.text_proj").UnCLIPTextProjModel,
    }
    here: dict[str, Any] = {"local_files_only": True}
    only = {**here, "use_safetensors": True}
    parts = {
        name: kind.from_pretrained(folder / name, torch_dtype=torch.float32, **only) for name, kind in kinds.items()
    }
    for name in ("prior_scheduler", "decoder_scheduler", "super_res_scheduler"):
        parts[name] = diffusers.UnCLIPScheduler.from_pretrained(folder / name, **here)
    reads = transformers.CLIPTextModelWithProjection
    words = reads.from_pretrained(folder / "text_encoder", dtype=torch.float32, **only)
    tokenizer = _load_tool("AutoTokenizer", folder / "tokenizer")
    maker = diffusers.UnCLIPPipeline(text_encoder=words, tokenizer=tokenizer, **parts)
    maker.set_progress_bar_config(disable=True)
    return maker


def read_file(kind: str, path: Path) -> Any:
    """A picture or a recording of this machine, decoded for `answer`. Raises `DataError`."""
    from core.data.picture import open_image
    from core.data.sound import read_sound

    path = meant_path(path)
    problems = check_readable(path)
    if problems or path.is_dir():
        raise DataError(problems or [Problem("path.is_folder", values={"path": str(path)})])
    try:
        return open_image(path) if kind == "picture" else read_sound(path)
    except OSError as error:
        raise DataError([path_problem(error, path)]) from error
