"""What a model can be asked beside classes: one row for each task, with what goes in, what comes out and who answers.

These models are asked as they were published; training them is out of Graft's scope. The table is light: the page and
the command line are drawn from it, `core.piping` does the work. A row more here and its answer there is a task more.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from core.ask_records import InputField, Option, Recommended, TaskCard
from core.catalog import ModelCard, get_model, hub_snapshots
from core.catalog_local import find_local_weights
from core.errors import NotFoundError, Problem
from core.i18n import LANGUAGES, N_

MAX_LABELS = 50
MAX_LABEL_CHARS = 100
MASK = "[MASK]"

_TEXT_EXAMPLES = {
    "en": "The battery lasts two days, but the screen scratches easily.",
    "zh": "电池能用两天，但屏幕很容易刮花。",
}
_LONG = {
    "en": (
        "The Great Wall is a series of fortifications in northern China. Building began in the 7th century BC; most of "
        "what stands today was built under the Ming dynasty, between 1368 and 1644. Together its branches are more "
        "than 21,000 km long. It never kept every army out, but it guarded trade along the Silk Road, carried signals "
        "by smoke and fire, and marked where the empire ended."
    ),
    "zh": (
        "长城是中国北方的一系列防御工事。修筑始于公元前 7 世纪，今天所见的大部分建于明代（1368 年至 1644 年）。"
        "各段长城总长超过 2.1 万公里。它没能挡住所有军队，却保护了丝绸之路上的贸易，用烟火传递信号，也标出了边界。"
    ),
}
_LABELS = {"en": "praise, complaint, question", "zh": "表扬, 投诉, 提问"}
_THINGS = {"en": "a cat, a dog, a cup of coffee, a rocket", "zh": "猫, 狗, 一杯咖啡, 火箭"}
_PICTURE = InputField("picture", "picture", N_("A picture"))
_TEXT = N_("A text")
_OWN_LABELS = N_("Labels of your own, separated by commas")
_SEED = Option("seed", N_("Seed"), N_("The same seed gives the same answer again."), 0, 0, 2**31 - 1)
_LENGTH = N_("New tokens at most")
_LENGTH_HELP = N_("Writing stops after so many tokens (word pieces), or earlier when the model ends its text.")
_HEAT = N_("Temperature")
_HEAT_HELP = N_("0 takes the likeliest word each time; more lets unlikelier ones in, drawn with the seed.")


def _writing(tokens: int, heat: float) -> tuple[Option, ...]:
    top = Option(
        "top_p", N_("Share that is drawn from (top p)"),
        N_("Only the likeliest words that together reach this share are drawn from."), 0.95, 0.05, 1, 0.05,
    )  # fmt: skip
    return (
        Option("max_new_tokens", _LENGTH, _LENGTH_HELP, tokens, 1, 512),
        Option("temperature", _HEAT, _HEAT_HELP, heat, 0, 2, 0.1),
        top,
        _SEED,
    )


def _threshold(default: float) -> Option:
    return Option(
        "threshold", N_("Shown from"), N_("What the model is less sure of is left out."), default, 0.05, 0.95, 0.05
    )


_EN, _ZH, _BOTH, _MANY = ("en",), ("zh",), ("zh", "en"), ("multilingual",)
_SENTENCEPIECE = "sentencepiece"
_TO_LABELS = (
    Recommended("hub/openai/clip-vit-base-patch32", _EN, 577),
    Recommended("hub/OFA-Sys/chinese-clip-vit-base-patch16", _ZH, 718),
    Recommended("hub/google/siglip2-base-patch16-224", _MANY, 1431),
    Recommended("hub/google/siglip-base-patch16-224", _EN, 775, _SENTENCEPIECE),
)

TASKS: tuple[TaskCard, ...] = (
    TaskCard(
        "zero-shot-classification", "zero-shot-classification", "texts", N_("Sort a text by labels of your own"),
        N_("Says which of your own labels suits a text, without having been trained on them (zero-shot)."),
        (
            InputField("text", "long_text", _TEXT, examples=_TEXT_EXAMPLES),
            InputField("labels", "labels", _OWN_LABELS, MAX_LABELS, examples=_LABELS),
        ),
        "labels",
        (
            Recommended("hub/MoritzLaurer/mDeBERTa-v3-base-mnli-xnli", _MANY, 532),
            Recommended("hub/facebook/bart-large-mnli", _EN, 1554),
        ),
        (Option("several", N_("Several labels may be right"), N_("Each label is judged for itself."), False),),
    ),
    TaskCard(
        "fill-mask", "fill-mask", "texts", N_("Fill a gap"),
        N_("Proposes the word for the gap in a sentence: what such models learn by before they are tuned."),
        (
            InputField("text", "text", N_("A text with the gap written as [MASK]"), 5000, examples={
                "en": f"Paris is the {MASK} of France.", "zh": f"北京是中国的{MASK}都。",
            }),
        ),
        "labels",
        (
            Recommended("hub/distilbert/distilroberta-base", _EN, 316),
            Recommended("hub/hfl/rbt3", _ZH, 149),
            Recommended("hub/google-bert/bert-base-uncased", _EN, 420),
            Recommended("hub/google-bert/bert-base-chinese", _ZH, 393),
        ),
        (Option("top", N_("Proposals"), N_("How many words are shown for each gap."), 5, 1, 50),),
    ),
    TaskCard(
        "question-answering", "question-answering", "texts", N_("Find the answer in a text"),
        N_("Marks the passage of a text that answers a question. It finds; it does not make up."),
        (
            InputField("question", "text", N_("A question"), 500, examples={
                "en": "When was most of the wall built?", "zh": "长城的大部分建于什么时候？",
            }),
            InputField("context", "long_text", N_("The text with the answer"), 20_000, examples=_LONG),
        ),
        "spans",
        (
            Recommended("hub/distilbert/distilbert-base-cased-distilled-squad", _EN, 249),
            Recommended("hub/uer/roberta-base-chinese-extractive-qa", _ZH, 388),
            Recommended("hub/deepset/roberta-base-squad2", _EN, 473),
        ),
        (Option("top", N_("Passages"), N_("How many passages are shown."), 3, 1, 10),),
    ),
    TaskCard(
        "summarization", "summarization", "texts", N_("Summarize"),
        N_("Retells a long text in a few sentences. It may state what the text does not say: check it."),
        (InputField("text", "long_text", _TEXT, 20_000, examples=_LONG),),
        "text",
        (
            Recommended("hub/sshleifer/distilbart-cnn-12-6", _EN, 1165),
            Recommended("hub/csebuetnlp/mT5_multilingual_XLSum", _MANY, 2221, _SENTENCEPIECE),
        ),
        _writing(128, 0),
    ),
    TaskCard(
        "translation-zh-en", "translation", "texts", N_("Translate Chinese into English"),
        N_("Translates sentence by sentence; terms and names deserve a second look."),
        (InputField("text", "long_text", N_("A text in Chinese"), 5000, examples={
            "en": _TEXT_EXAMPLES["zh"], "zh": _TEXT_EXAMPLES["zh"],
        }),),
        "text",
        (Recommended("hub/Helsinki-NLP/opus-mt-zh-en", _BOTH, 298, _SENTENCEPIECE),),
        _writing(256, 0), direction="zh-en",
    ),
    TaskCard(
        "translation-en-zh", "translation", "texts", N_("Translate English into Chinese"),
        N_("Translates sentence by sentence; terms and names deserve a second look."),
        (InputField("text", "long_text", N_("A text in English"), 5000, examples={
            "en": _TEXT_EXAMPLES["en"], "zh": _TEXT_EXAMPLES["en"],
        }),),
        "text",
        (Recommended("hub/Helsinki-NLP/opus-mt-en-zh", _BOTH, 298, _SENTENCEPIECE),),
        _writing(256, 0), direction="en-zh",
    ),
    TaskCard(
        "text-generation", "text-generation", "texts", N_("Go on with a text"),
        N_("Writes on from a beginning, word by word (GPT-2). It sounds fluent and knows no truth."),
        (InputField("text", "long_text", N_("The beginning of a text"), 5000, examples={
            "en": "The old lighthouse keeper opened the door and", "zh": "清晨的阳光照进屋里，老人推开门，",
        }),),
        "text",
        (
            Recommended("hub/distilbert/distilgpt2", _EN, 337),
            Recommended("hub/openai-community/gpt2", _EN, 523),
            Recommended("hub/uer/gpt2-chinese-cluecorpussmall", _ZH, 401),
        ),
        _writing(60, 0.8),
    ),
    TaskCard(
        "text2text-generation", "text2text-generation", "texts", N_("Follow a short instruction"),
        N_("Turns a text into another as its first words say (T5): translate English to German: …, question: …."),
        (InputField("text", "long_text", N_("A text that begins with what to do"), 5000, examples={
            "en": "translate English to German: The house is wonderful.",
            "zh": "translate English to German: The house is wonderful.",
        }),),
        "text",
        (
            Recommended("hub/google-t5/t5-small", _EN, 231),
            Recommended("hub/google/flan-t5-base", _MANY, 944),
        ),
        _writing(128, 0),
    ),
    TaskCard(
        "zero-shot-image-classification", "zero-shot-image-classification", "pictures",
        N_("Sort a picture by labels of your own"),
        N_("Says which of your own labels suits a picture, in Chinese or English as the model reads (CLIP)."),
        (_PICTURE, InputField("labels", "labels", _OWN_LABELS, MAX_LABELS, examples=_THINGS)),
        "labels",
        _TO_LABELS,
        (
            Option(
                "sentence", N_("Put labels into a sentence"),
                N_("“a photo of …” is nearer to what such a model learned from than a bare word."), True,
            ),
        ),
    ),
    TaskCard(
        "image-text-similarity", "zero-shot-image-classification", "pictures", N_("Compare a picture with texts"),
        N_("Measures how near each text is to a picture, from −1 to 1 (cosine): no text has to be right."),
        (_PICTURE, InputField("labels", "labels", N_("Texts, separated by commas"), MAX_LABELS, 1, _THINGS)),
        "labels",
        _TO_LABELS,
    ),
    TaskCard(
        "object-detection", "object-detection", "pictures", N_("Find things in a picture"),
        N_("Draws a box around each thing it knows and names it: 80 kinds of everyday things (COCO)."),
        (_PICTURE,),
        "boxes",
        (
            Recommended("hub/hustvl/yolos-tiny", (), 25),
            Recommended("hub/facebook/detr-resnet-50", (), 159),
        ),
        (_threshold(0.5),),
    ),
    TaskCard(
        "image-segmentation", "image-segmentation", "pictures", N_("Divide a picture into parts"),
        N_("Says for every point of a picture what it belongs to: sky, road, wall, person."),
        (_PICTURE,),
        "masks",
        (Recommended("hub/nvidia/segformer-b0-finetuned-ade-512-512", (), 14),),
    ),
    TaskCard(
        "automatic-speech-recognition", "automatic-speech-recognition", "sounds", N_("Write down speech"),
        N_("Writes down what is said in a recording of up to five minutes."),
        (InputField("sound", "sound", N_("A recording (wav)"), 64),),
        "text",
        (
            Recommended("hub/openai/whisper-tiny", _MANY, 144),
            Recommended("hub/openai/whisper-small", _MANY, 922),
            Recommended("hub/facebook/wav2vec2-base-960h", _EN, 360),
        ),
    ),
    TaskCard(
        "text-to-image", "text-to-image", "making", N_("Draw from words"),
        N_("Draws a picture of 256 px from a sentence in English (unCLIP, what DALL·E 2 is). Minutes on a processor."),
        (InputField("text", "text", N_("What to draw, in English"), 300, examples={
            "en": "a red lighthouse on a cliff, oil painting", "zh": "a red lighthouse on a cliff, oil painting",
        }),),
        "picture",
        (Recommended("hub/kakaobrain/karlo-v1-alpha", _EN, 13_000, "diffusers"),),
        (Option("steps", N_("Steps"), N_("More steps take longer and draw finer."), 25, 2, 100), _SEED),
        extra="diffusers",
    ),
)  # fmt: skip
_INSTALL = {"diffusers": "pip install -r requirements-extras.txt"}


def get_task(task_id: str) -> TaskCard:
    """A row of the table by its id. Raises `NotFoundError` with the ids there are."""
    for task in TASKS:
        if task.id == task_id:
            return task
    raise NotFoundError("ask.unknown_task", id=task_id, known=", ".join(task.id for task in TASKS))


def tasks_for(card: ModelCard) -> list[TaskCard]:
    """What a model can be asked, in the table's order."""
    return [task for task in TASKS if task.fits(card)]


def find_recommended(task: TaskCard, model_id: str) -> Recommended | None:
    """What the table says of a model, when it recommends it."""
    return next((row for row in task.models if row.id == model_id), None)


def is_here(model_id: str) -> bool:
    """Whether all of a model of the hub lies on this machine."""
    return any(find_local_weights(folder) for folder in hub_snapshots(model_id))


def default_model(task: TaskCard) -> str:
    """The first recommended model that lies here, or the first."""
    return next((row.id for row in task.models if is_here(row.id)), task.models[0].id)


def published_size_mb(task: TaskCard, model_id: str) -> float:
    """What fetching a model takes (2**20 bytes), by its card or the table; 0 where neither says."""
    with suppress(NotFoundError):
        if size := get_model(model_id).size_mb:
            return size
    advised = find_recommended(task, model_id)
    return advised.size_mb if advised else 0.0


def not_here(task: TaskCard, model_id: str) -> Problem:
    """That a model's weights are not here, or only a part of them, what getting them takes and how."""
    if any((folder / "config.json").is_file() for folder in hub_snapshots(model_id)):
        return Problem("ask.incomplete", field="model", values={"id": model_id})
    size = published_size_mb(task, model_id) * 2**20
    told = f"{size / 1e9:.1f} GB" if size > 995e6 else f"{size / 1e6:.0f} MB"
    return Problem("ask.not_local", field="model", values={"id": model_id, "size": told})


# -- what speaks against asking ----------------------------------------------------------------------------


def check_package(package: str) -> list[Problem]:
    """That a package a task or model needs is not installed, with the line that installs it."""
    if not package or importlib.util.find_spec(package) is not None:
        return []
    install = _INSTALL.get(package, f"pip install {package}")
    return [Problem("ask.needs_package", field="model", values={"package": package, "install": install})]


def check_inputs(task: TaskCard, values: Mapping[str, Any]) -> list[Problem]:
    """What speaks against asking a task so: missing or too long inputs, unknown names, options out of range."""
    problems: list[Problem] = []
    known = [*(entry.name for entry in task.inputs), *(option.name for option in task.options)]
    for name in values:
        if name not in known:
            values_ = {"name": name, "task": task.id, "known": ", ".join(known)}
            problems.append(Problem("ask.unknown_input", field=name, values=values_))
    for entry in task.inputs:
        problems += _check_input(entry, values.get(entry.name))
    for option in task.options:
        value = values.get(option.name, option.default)
        if isinstance(option.default, bool):
            continue
        if isinstance(value, bool) or not isinstance(value, int | float) or not option.least <= value <= option.most:
            range_: dict[str, Any] = {
                "name": option.name,
                "received": str(value)[:40],
                "least": option.least,
                "most": option.most,
            }
            problems.append(Problem("ask.option_range", field=option.name, values=range_))
    return problems


def _check_input(entry: InputField, value: Any) -> list[Problem]:
    missing = Problem("ask.input_missing", field=entry.name, values={"name": entry.name})
    if entry.kind in ("picture", "sound"):
        return [missing] if value is None else []
    if entry.kind == "labels":
        return _check_labels(entry, list(value or []))
    text = str(value or "").strip()
    if not text:
        return [missing]
    if len(text) > entry.most:
        values = {"name": entry.name, "n": len(text), "limit": entry.most}
        return [Problem("ask.text_too_long", field=entry.name, values=values)]
    return []


def _check_labels(entry: InputField, labels: list[Any]) -> list[Problem]:
    texts = [str(label).strip() for label in labels]
    if len(texts) != len(set(texts)) or "" in texts:
        return [Problem("ask.labels_alike", field=entry.name)]
    if not entry.least <= len(texts) <= entry.most:
        values = {"n": len(texts), "least": entry.least, "limit": entry.most}
        return [Problem("ask.labels_number", field=entry.name, values=values)]
    longest = max(texts, key=len)
    if len(longest) > MAX_LABEL_CHARS:
        told: dict[str, Any] = {"label": longest[:20], "n": len(longest), "limit": MAX_LABEL_CHARS}
        return [Problem("ask.label_too_long", field=entry.name, values=told)]
    return []


def split_labels(text: str) -> list[str]:
    """Labels as they are typed: separated by commas of either script, or lines; each once."""
    signs = "".join(language.label_signs for language in LANGUAGES.values())
    for sign in f"{signs}\n":
        text = text.replace(sign, ",")
    return list(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
