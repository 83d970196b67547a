"""Answers about texts: own labels, a gap, a passage, a rewritten or continued text. A function for each kind."""

from __future__ import annotations

import re
import time
from typing import Any

import torch
from torch import Tensor

from core.errors import InputError
from core.predict.answers import language_of
from core.predict.tasks.context import AnswerFunction, TaskContext
from core.predict.tasks.records import Answer, Scored, Span, TaskValues

# Writing never takes longer than this, however many tokens are left.
LONGEST_S = 120.0
_HYPOTHESIS = {"en": "This example is {}.", "zh": "这个例子是{}。"}
_GAP = re.compile(r"\[MASK\]|<mask>|_{2,}", re.IGNORECASE)
# A passage of an answer is seldom longer (Devlin et al. 2019), and a window moves on by so many tokens.
_PASSAGE, _STRIDE, _WINDOW, _WINDOWS_AT_ONCE = 30, 128, 384, 8
_PREFIX = {("t5", "summarization"): "summarize: "}
_CHINESE = ">>cmn_Hans<<"
_CJK = r"\u3000-\u303f\u3400-\u9fff\uff00-\uffef"
_BETWEEN_CJK = re.compile(rf"(?<=[{_CJK}]) +(?=[{_CJK}])")


def sort_text(context: TaskContext, values: TaskValues) -> Answer:
    """Each label as a sentence: how much the text entails it (Yin et al. 2019)."""
    labels = [str(label).strip() for label in values["labels"]]
    places = {str(name).lower(): int(place) for place, name in context.net.config.id2label.items()}
    entails = next((place for name, place in places.items() if name.startswith("entail")), None)
    if entails is None:
        raise InputError("ask.no_inference", id=context.model)
    sentences = [_HYPOTHESIS[language_of(label) or "en"].format(label) for label in labels]
    inputs = context.encode([str(values["text"])] * len(labels), sentences)
    logits = context.net(**inputs).logits.float()
    if values["several"]:
        against = next((place for name, place in places.items() if name.startswith("contra")), 0)
        scores = logits[:, [against, entails]].softmax(1)[:, 1]
    else:
        scores = logits[:, entails].softmax(0)
    return Answer(labels=ranked(labels, scores))


def ranked(labels: list[str], scores: Tensor, cosines: Tensor | None = None) -> tuple[Scored, ...]:
    """Labels with their scores, the likeliest first."""
    near = [None] * len(labels) if cosines is None else cosines.tolist()
    rows = [Scored(*row) for row in zip(labels, scores.tolist(), near, strict=True)]
    return tuple(sorted(rows, key=lambda row: -row.score))


def fill_gap(context: TaskContext, values: TaskValues) -> Answer:
    """The likeliest words for the one gap of a text."""
    sign = context.tokenizer.mask_token
    if sign is None:
        raise InputError("ask.no_mask", id=context.model)
    text = str(values["text"])
    gaps = len(_GAP.findall(text))
    if gaps != 1:
        raise InputError("ask.one_gap", n=gaps)
    inputs = context.encode([_GAP.sub(lambda _: sign, text)])
    places = (inputs["input_ids"][0] == context.tokenizer.mask_token_id).nonzero()[:, 0]
    if len(places) != 1:  # cut off with the end of a long text
        raise InputError("ask.one_gap", n=len(places))
    shares = context.net(**inputs).logits[0, places[0]].float().softmax(0)
    top = shares.topk(min(int(values["top"]), len(shares)))
    words = [context.tokenizer.decode([token]).strip() or "␣" for token in top.indices.tolist()]
    filled = _GAP.sub(lambda _: words[0], text)
    return Answer(labels=ranked(words, top.values), text=filled)


def find_passage(context: TaskContext, values: TaskValues) -> Answer:
    """The passages of a text that answer a question, over windows that cover all of it (Devlin et al. 2019)."""
    tokenizer, text = context.tokenizer, str(values["context"])
    length = min(context.most_tokens, _WINDOW)
    question = tokenizer(str(values["question"]), add_special_tokens=False)["input_ids"]
    stride = max(1, min(_STRIDE, (length - len(question) - 4) // 2))
    windows = tokenizer(
        str(values["question"]), text, truncation="only_second", max_length=length, stride=stride,
        return_overflowing_tokens=True, return_offsets_mapping=True, padding=True, return_tensors="pt",
    )  # fmt: skip
    offsets = windows.pop("offset_mapping").tolist()
    windows.pop("overflow_to_sample_mapping", None)
    spans: dict[tuple[int, int], float] = {}
    no_answer = 1.0
    for first in range(0, len(offsets), _WINDOWS_AT_ONCE):
        batch = {name: tensor[first : first + _WINDOWS_AT_ONCE] for name, tensor in windows.items()}
        out = context.net(**batch)
        for row in range(len(batch["input_ids"])):
            of_text = [part == 1 for part in windows.sequence_ids(first + row)]
            passages, none = _passages(out.start_logits[row], out.end_logits[row], of_text)
            no_answer = min(no_answer, none)
            for start, end, score in passages:
                place = (offsets[first + row][start][0], offsets[first + row][end][1])
                spans[place] = max(spans.get(place, 0.0), score)
    best = _apart(spans, int(values["top"]))
    if not best or no_answer > best[0][2]:
        context.note("ask.no_answer", share=f"{no_answer:.0%}")
    marked = tuple(Span(start, end, text[start:end], score) for start, end, score in best)
    return Answer(spans=marked, text=marked[0].text if marked else "")


def _passages(start: Tensor, end: Tensor, of_text: list[bool]) -> tuple[list[tuple[int, int, float]], float]:
    """A window's likeliest passages as (first token, last token, probability), and that of there being none."""
    ours = torch.tensor(of_text, device=start.device)
    first_token = torch.zeros_like(ours)
    first_token[0] = True  # [CLS], by which models trained on SQuAD 2 say that there is no answer
    shut = ~(ours | first_token)
    begins = start.float().masked_fill(shut, -1e9).softmax(0)
    ends = end.float().masked_fill(shut, -1e9).softmax(0)
    joint = (begins[:, None] * ends[None, :]).triu().tril(_PASSAGE - 1)
    joint = joint * ours[:, None] * ours[None, :]
    top = joint.flatten().topk(min(20, joint.numel()))
    width = joint.shape[1]
    pairs = [(int(p) // width, int(p) % width, float(v)) for p, v in zip(top.indices, top.values, strict=True)]
    return [pair for pair in pairs if pair[2] > 0], float(begins[0] * ends[0])


def _apart(spans: dict[tuple[int, int], float], most: int) -> list[tuple[int, int, float]]:
    """The likeliest passages that do not overlap."""
    kept: list[tuple[int, int, float]] = []
    for (start, end), score in sorted(spans.items(), key=lambda item: -item[1]):
        if end > start and len(kept) < most and all(end <= a or start >= b for a, b, _ in kept):
            kept.append((start, end, score))
    return kept


# -- writing -------------------------------------------------------------------------------------------------


def rewrite(context: TaskContext, values: TaskValues) -> Answer:
    """A text in, another out: summaries, translations, and what T5 is told to do."""
    text = _PREFIX.get((context.net.config.model_type, context.task.id), "") + str(values["text"])
    if context.task.direction == "en-zh" and _CHINESE in context.tokenizer.get_vocab():
        text = f"{_CHINESE} {text}"  # of several target languages, simplified Chinese
    inputs = context.encode([text])
    inputs.pop("token_type_ids", None)
    return Answer(text=_plain(context, _generate(context, inputs, values)[0]))


def go_on(context: TaskContext, values: TaskValues) -> Answer:
    """The text that was given, and what the model writes on."""
    tokenizer, text = context.tokenizer, str(values["text"])
    limit = context.most_tokens - int(values["max_new_tokens"])
    # A BERT tokenizer would close the text before anything is written (the Chinese GPT-2 uses one).
    ids = tokenizer(text, add_special_tokens=tokenizer.cls_token is None)["input_ids"]
    if limit < 1:
        most = context.most_tokens // 2
        values = {**values, "max_new_tokens": most}
        limit = context.most_tokens - most
    if len(ids) > limit:
        context.note("ask.cut_start", id=context.model, limit=limit, n=len(ids))
    tokens = torch.tensor([ids[-limit:]])
    written = _generate(context, {"input_ids": tokens, "attention_mask": torch.ones_like(tokens)}, values)
    return Answer(text=text + _plain(context, written[0, tokens.shape[1] :], strip=False))


def _generate(context: TaskContext, inputs: Any, values: TaskValues) -> Tensor:
    """Tokens [1, T] as the model writes them: bounded in number and time, drawn only when heated."""
    net, most = context.net, int(values["max_new_tokens"])
    config = net.generation_config
    how: dict[str, Any] = {"max_new_tokens": most, "max_time": LONGEST_S, "max_length": None, "do_sample": False}
    how["min_length"] = min(int(config.min_length or 0), most)
    if config.pad_token_id is None:
        how["pad_token_id"] = context.tokenizer.pad_token_id or config.eos_token_id or context.tokenizer.eos_token_id
    if values["temperature"]:
        how |= {"do_sample": True, "num_beams": 1, "temperature": float(values["temperature"])}
        how["top_p"] = float(values["top_p"])
    began = time.perf_counter()
    written: Tensor = net.generate(**inputs, **how)
    new = written[0] if net.config.is_encoder_decoder else written[0, inputs["input_ids"].shape[1] :]
    ends = config.eos_token_id if isinstance(config.eos_token_id, list) else [config.eos_token_id]
    if time.perf_counter() - began >= LONGEST_S:
        context.note("ask.out_of_time", seconds=round(LONGEST_S))
    elif len(new) >= most and not any(int(token) in ends for token in new[-2:]):
        context.note("ask.stopped", n=most)
    return written


def _plain(context: TaskContext, tokens: Tensor, *, strip: bool = True) -> str:
    """Tokens as a text, without the blanks that some tokenizers leave between Chinese characters."""
    text = context.tokenizer.decode(tokens, skip_special_tokens=True)
    text = _BETWEEN_CJK.sub("", text)
    return text.strip() if strip else text


# The answer to each task, by its id in `core.registry.tasks`.
ANSWERS: dict[str, AnswerFunction] = {
    "zero-shot-classification": sort_text,
    "fill-mask": fill_gap,
    "question-answering": find_passage,
    "summarization": rewrite,
    "translation-zh-en": rewrite,
    "translation-en-zh": rewrite,
    "text-generation": go_on,
    "text2text-generation": rewrite,
}
