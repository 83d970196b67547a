"""Answers about pictures and recordings: own labels, things, parts, words; and a picture from words."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from core.data.showing import upright
from core.predict.answers import language_of
from core.predict.tasks.context import AnswerFunction, TaskContext
from core.predict.tasks.records import Answer, Box, Segment, TaskValues
from core.predict.tasks.text_answers import ranked

# Longer edge in px at which things and parts are placed: the networks see less, and a mask of a phone's picture with
# 150 kinds would take gigabytes.
MOST_PX = 1024
_SENTENCE = {"en": "a photo of {}", "zh": "一张{}的照片"}
# SigLIP was trained on texts padded to this length, and judges each label for itself (Zhai et al. 2023).
_SIGLIP_LENGTH = 64
# Seconds of speech that are heard at once: what Whisper was made for; a window for the others.
_WHISPER_S, _CHUNK_S = 30, 20
# Tokens written for them at most, and room for those that say the language and the task.
_TOKENS, _START = 256, 8


def sort_picture(context: TaskContext, values: TaskValues) -> Answer:
    """How well each label, put into a sentence, suits a picture (Radford et al. 2021)."""
    labels = [str(label).strip() for label in values["labels"]]
    sentence = {"en": "{}", "zh": "{}"} if not values["sentence"] else _SENTENCE
    texts = [sentence[language_of(label) or "en"].format(label) for label in labels]
    logits, cosines = _compare(context, values["picture"], texts)
    scores = logits.sigmoid() if _is_siglip(context) else logits.softmax(0)
    return Answer(labels=ranked(labels, scores, cosines))


def compare(context: TaskContext, values: TaskValues) -> Answer:
    """The cosine between a picture and each text."""
    labels = [str(label).strip() for label in values["labels"]]
    cosines = _compare(context, values["picture"], labels)[1]
    return Answer(labels=ranked(labels, cosines, cosines))


def _is_siglip(context: TaskContext) -> bool:
    return "siglip" in context.net.config.model_type


def _compare(context: TaskContext, picture: Any, texts: list[str]) -> tuple[Tensor, Tensor]:
    """The logits and cosines [N] of a picture with texts."""
    how: dict[str, Any] = {}
    if _is_siglip(context):
        how = {"padding": "max_length", "max_length": min(_SIGLIP_LENGTH, context.most_tokens)}
    words = context.encode(texts, **how)
    seen = context.tools.images(images=[upright(picture)], return_tensors="pt")
    out = context.net(**words, **seen)
    image, text = (
        part.float() / part.float().norm(dim=-1, keepdim=True) for part in (out.image_embeds, out.text_embeds)
    )
    return out.logits_per_image[0].float(), (image @ text.T)[0]


def find_things(context: TaskContext, values: TaskValues) -> Answer:
    """Boxes around the things a detector knows, in px of the upright picture; the surest first."""
    whole = upright(values["picture"])
    small = _shrunk(whole)
    inputs = context.tools.images(images=[small], return_tensors="pt")
    out = context.net(**inputs)
    things = context.tools.images.post_process_object_detection(
        out, threshold=float(values["threshold"]), target_sizes=[(whole.height, whole.width)]
    )[0]
    names = context.net.config.id2label
    edge = torch.tensor([whole.width, whole.height, whole.width, whole.height])
    boxes = []
    for label, score, box in zip(things["labels"], things["scores"], things["boxes"], strict=True):
        left, top, right, bottom = torch.minimum(box.clamp(min=0), edge).tolist()
        boxes.append(Box(str(names[int(label)]), float(score), (left, top, right, bottom)))
    if not boxes:
        context.note("ask.nothing_found", share=f"{values['threshold']:.0%}")
    return Answer(boxes=tuple(sorted(boxes, key=lambda box: -box.score)))


def divide(context: TaskContext, values: TaskValues) -> Answer:
    """A mask [H, W] with the number of each point's segment, and the segments with their shares, the largest first."""
    picture, tool = _shrunk(upright(values["picture"])), context.tools.images
    out = context.net(**tool(images=[picture], return_tensors="pt"))
    size, names = [(picture.height, picture.width)], context.net.config.id2label
    if hasattr(tool, "post_process_panoptic_segmentation"):
        parts = tool.post_process_panoptic_segmentation(out, target_sizes=size)[0]
        numbers = parts["segmentation"].numpy()
        kinds = {info["id"]: (info["label_id"], info["score"]) for info in parts["segments_info"]}
    else:
        numbers = tool.post_process_semantic_segmentation(out, target_sizes=size)[0].numpy()
        kinds = {int(number): (int(number), None) for number in np.unique(numbers)}
    shares = {number: float((numbers == number).mean()) for number in kinds}
    order = sorted((number for number in kinds if shares[number]), key=lambda number: -shares[number])
    mask = np.zeros(numbers.shape, np.uint16)
    segments = []
    for place, number in enumerate(order, 1):
        label, score = kinds[number]
        mask[numbers == number] = place
        segments.append(Segment(place, str(names[int(label)]), shares[number], score))
    if not segments:
        context.note("ask.nothing_found", share="50%")
    return Answer(segments=tuple(segments), mask=mask)


def _shrunk(picture: Any) -> Any:
    """The picture with its longer edge at `MOST_PX` at most."""
    small = picture.copy()
    small.thumbnail((MOST_PX, MOST_PX))
    return small


def write_down(context: TaskContext, values: TaskValues) -> Answer:
    """What is said in a recording. Whisper (Radford et al. 2022) tells its language itself."""
    import transformers

    pipe = transformers.AutomaticSpeechRecognitionPipeline(
        model=context.net,
        feature_extractor=context.tools.sounds,
        tokenizer=context.tokenizer,
        device=torch.device("cpu"),
    )
    sound = values["sound"].at(context.tools.sounds.sampling_rate)
    how: dict[str, Any] = {"chunk_length_s": _CHUNK_S}
    if pipe.type != "ctc":  # it moves on by itself, as its authors say, when it writes the times
        room = getattr(context.net.config, "max_target_positions", None) or 2 * _TOKENS
        how = {"generate_kwargs": {"num_beams": 1, "max_new_tokens": min(_TOKENS, room - _START)}}
        how |= {"return_timestamps": True} if sound.seconds > _WHISPER_S else {}
    heard: Any = pipe(sound.samples.copy(), **how)
    text = str(heard["text"]).strip()
    if not text:
        context.note("ask.nothing_said")
    return Answer(text=text)


def draw(context: TaskContext, values: TaskValues) -> Answer:
    """A picture from words (unCLIP): words to a picture's embedding, that to 64 px, those to 256 px."""
    steps = int(values["steps"])
    made = context.net(
        str(values["text"]),
        prior_num_inference_steps=steps,
        decoder_num_inference_steps=steps,
        super_res_num_inference_steps=max(2, round(steps / 3.5)),
        generator=torch.Generator().manual_seed(int(values["seed"])),
    )
    return Answer(picture=made.images[0])


# The answer to each task, by its id in `core.registry.tasks`.
ANSWERS: dict[str, AnswerFunction] = {
    "zero-shot-image-classification": sort_picture,
    "image-text-similarity": compare,
    "object-detection": find_things,
    "image-segmentation": divide,
    "automatic-speech-recognition": write_down,
    "text-to-image": draw,
}
