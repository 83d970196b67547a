"""The tasks: what networks are made for, as the hub calls it, and what they can be asked on the page.

`HUB_TASKS` says of each task which of transformers' classes does it, what it reads and how it is told by a
configuration; `TASKS` what a task is asked with, what comes out and which models do it well. Filters, forms, checks,
the command line and the loader ask the rows. A row here and its answer in `core.predict.tasks.text_answers` or
`core.predict.tasks.media_answers` is a task more; a test walks both tables.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from core.i18n import N_
from core.registry.table import build_table
from core.registry.task_rows import Group, HubTask, InputField, Option, Recommended, Task

IMAGE_CLASSIFICATION, TEXT_CLASSIFICATION = "image-classification", "text-classification"
PRETRAINING = "ForPreTraining"  # some of these classes lack the head: `TextArchitecture.is_never_masked`
_PAIR = ("AutoModelForSeq2SeqLM",)


# -- what a network is made for ------------------------------------------------------------------------------


HUB_TASKS: Mapping[str, HubTask] = build_table((
    # What can be trained here comes first; the others are browsed, inspected and asked.
    HubTask(
        IMAGE_CLASSIFICATION, N_("classify pictures"), ("pictures",), ("AutoModelForImageClassification",),
        endings=("ForImageClassification",),
    ),
    HubTask(
        TEXT_CLASSIFICATION, N_("classify texts"), ("texts",), ("AutoModelForSequenceClassification",),
        endings=("ForSequenceClassification", "ForTokenClassification"),
    ),
    HubTask(
        "fill-mask", N_("fill a gap in a text"), ("texts",), ("AutoModelForMaskedLM",),
        endings=("ForMaskedLM", PRETRAINING), trains="first",
    ),
    HubTask(
        "text-generation", N_("go on writing"), ("texts",), ("AutoModelForCausalLM",),
        endings=("LMHeadModel", "ForCausalLM"), trains="first",
    ),
    HubTask("text2text-generation", N_("text to text"), ("texts",), _PAIR),
    HubTask(
        "question-answering", N_("answer questions from a text"), ("texts",), ("AutoModelForQuestionAnswering",),
        endings=("ForQuestionAnswering",), trains="second",
    ),
    HubTask("summarization", N_("summarize"), ("texts",), _PAIR),
    HubTask("translation", N_("translate"), ("texts",), _PAIR),
    HubTask(  # told by its labels: whether one sentence follows from another
        "zero-shot-classification", N_("classify texts by labels of your own"), ("texts",),
        ("AutoModelForSequenceClassification",),
    ),
    HubTask(  # picture and text in one space: the class is the bare model
        "zero-shot-image-classification", N_("classify pictures by labels of your own"), ("texts", "pictures"),
        ("AutoModelForZeroShotImageClassification",),
        kinds=("clip", "chinese_clip", "siglip", "siglip2", "align", "altclip"),
    ),
    HubTask("image-feature-extraction", N_("describe pictures in numbers"), ("pictures",), ("AutoModel",)),
    HubTask(
        "object-detection", N_("find objects in pictures"), ("pictures",), ("AutoModelForObjectDetection",),
        endings=("ForObjectDetection",),
    ),
    HubTask(
        "image-segmentation", N_("cut pictures into parts"), ("pictures",),
        ("AutoModelForSemanticSegmentation", "AutoModelForUniversalSegmentation",
         "AutoModelForInstanceSegmentation", "AutoModelForImageSegmentation"),
        endings=("ForSemanticSegmentation", "ForInstanceSegmentation", "ForUniversalSegmentation", "ForSegmentation"),
    ),
    HubTask(
        "automatic-speech-recognition", N_("write down speech"), ("sounds",),
        ("AutoModelForSpeechSeq2Seq", "AutoModelForCTC"),
        endings=("ForCTC",), kinds=("whisper", "speech_to_text"),
    ),
    HubTask(
        "text-to-image", N_("draw pictures from words"), ("texts",), ("UnCLIPPipeline",), library="diffusers"
    ),
))  # fmt: skip


# -- what is asked -------------------------------------------------------------------------------------------


GROUPS: Mapping[Group, str] = {
    "texts": N_("Text"), "pictures": N_("Pictures"), "sounds": N_("Sound"), "making": N_("Making pictures"),
}  # fmt: skip
MAX_LABELS = 50
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
_PICTURE = InputField("picture", "picture", N_("A picture"), flag="--image")
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


def build_tasks(rows: Iterable[Task]) -> Mapping[str, Task]:
    """The table, each row of which has a row in `HUB_TASKS`. Raises `ValueError` as `build_table`."""
    table = build_table(rows)
    for row in table.values():
        if row.hub not in HUB_TASKS:
            raise ValueError(f"{row.id}: {row.hub!r} is no task of the hub")
    return table


TASKS: Mapping[str, Task] = build_tasks((
    Task(
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
    Task(
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
    Task(
        "question-answering", "question-answering", "texts", N_("Find the answer in a text"),
        N_("Marks the passage of a text that answers a question. It finds; it does not make up."),
        (
            InputField("question", "text", N_("A question"), 500, examples={
                "en": "When was most of the wall built?", "zh": "长城的大部分建于什么时候？",
            }),
            InputField("context", "long_text", N_("The text with the answer"), 20_000, examples=_LONG, flag="--text"),
        ),
        "spans",
        (
            Recommended("hub/distilbert/distilbert-base-cased-distilled-squad", _EN, 249),
            Recommended("hub/uer/roberta-base-chinese-extractive-qa", _ZH, 388),
            Recommended("hub/deepset/roberta-base-squad2", _EN, 473),
        ),
        (Option("top", N_("Passages"), N_("How many passages are shown."), 3, 1, 10),),
    ),
    Task(
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
    Task(
        "translation-zh-en", "translation", "texts", N_("Translate Chinese into English"),
        N_("Translates sentence by sentence; terms and names deserve a second look."),
        (InputField("text", "long_text", N_("A text in Chinese"), 5000, examples={
            "en": _TEXT_EXAMPLES["zh"], "zh": _TEXT_EXAMPLES["zh"],
        }),),
        "text",
        (Recommended("hub/Helsinki-NLP/opus-mt-zh-en", _BOTH, 298, _SENTENCEPIECE),),
        _writing(256, 0), direction="zh-en",
    ),
    Task(
        "translation-en-zh", "translation", "texts", N_("Translate English into Chinese"),
        N_("Translates sentence by sentence; terms and names deserve a second look."),
        (InputField("text", "long_text", N_("A text in English"), 5000, examples={
            "en": _TEXT_EXAMPLES["en"], "zh": _TEXT_EXAMPLES["en"],
        }),),
        "text",
        (Recommended("hub/Helsinki-NLP/opus-mt-en-zh", _BOTH, 298, _SENTENCEPIECE),),
        _writing(256, 0), direction="en-zh",
    ),
    Task(
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
    Task(
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
    Task(
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
    Task(
        "image-text-similarity", "zero-shot-image-classification", "pictures", N_("Compare a picture with texts"),
        N_("Measures how near each text is to a picture, from −1 to 1 (cosine): no text has to be right."),
        (_PICTURE, InputField("labels", "labels", N_("Texts, separated by commas"), MAX_LABELS, 1, _THINGS)),
        "labels",
        _TO_LABELS,
        is_cosine=True,
    ),
    Task(
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
    Task(
        "image-segmentation", "image-segmentation", "pictures", N_("Divide a picture into parts"),
        N_("Says for every point of a picture what it belongs to: sky, road, wall, person."),
        (_PICTURE,),
        "masks",
        (Recommended("hub/nvidia/segformer-b0-finetuned-ade-512-512", (), 14),),
    ),
    Task(
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
    Task(
        "text-to-image", "text-to-image", "making", N_("Draw from words"),
        N_("Draws a picture of 256 px from a sentence in English (unCLIP, what DALL·E 2 is). Minutes on a processor."),
        (InputField("text", "text", N_("What to draw, in English"), 300, examples={
            "en": "a red lighthouse on a cliff, oil painting", "zh": "a red lighthouse on a cliff, oil painting",
        }),),
        "picture",
        (Recommended("hub/kakaobrain/karlo-v1-alpha", _EN, 13_000, "diffusers"),),
        (Option("steps", N_("Steps"), N_("More steps take longer and draw finer."), 25, 2, 100), _SEED),
    ),
))  # fmt: skip
# Languages that a model reads, in words.
READS: dict[str, str] = {"en": N_("English"), "zh": N_("Chinese"), "multilingual": N_("many languages")}
