"""Which part of a data set a name means: train, 训练集 and seg_test are splits, "train station" is none."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from core.registry.looks import look

_WORDS = {
    "train": "train training trainset traindata trn trainingsdaten entrainement "
    "entraînement apprentissage entrenamiento treino addestramento обучение 训练 訓練 学習 學習 학습 훈련",
    "validation": "val valid validation dev development eval evaluation valset valdata "
    "validset devset validierung validación validacion validação validazione 验证 驗證 検証 校验 开发 評価 评估 검증",
    "test": "test testing tests testset testdata testdaten prueba teste prova 测试 測試 テスト 検査 테스트 시험",
}
_SPLITS = {word: split for split, words in _WORDS.items() for word in words.split()}
# What stands beside the word in names of splits, and says nothing itself.
_BESIDE = {
    "set", "sets", "seg", "data", "dataset", "datasets", "split", "splits", "part", "folder", "dir", "images", "image",
    "imgs", "img", "pictures", "pics", "photos", "files", "texts", "text", "samples", "examples", "labels", "labeled",
    "labelled", "public", "private", "all", "full", "raw", "the", "my",
}  # fmt: skip
_ENDING = re.compile(
    "(?:数据集|數據集|資料集|样本集|图片集|数据|數據|资料|資料|样本|樣本|图片|圖片|文本|集合|集|用|データ|セット|데이터|세트)+$"
)


def split_of(name: object) -> str | None:
    """The split that a name means by itself: "train", "validation" or "test"; None for any other.

    >>> [split_of(name) for name in ("Train", "seg_test", "训练集", "trainSet", "val-images", "train station")]
    ['train', 'test', 'train', 'train', 'validation', None]
    """
    found = {part for part in map(_split_word, _parts(str(name)[:60])) if part is not _NOTHING}
    return found.pop() if len(found) == 1 and _OTHER not in found else None


_NOTHING, _OTHER = "", "other"


def _parts(name: str) -> list[str]:
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", unicodedata.normalize("NFKC", look(name)))
    return [part for part in re.split(r"[\W_]+", spaced.lower()) if part]


def _split_word(part: str) -> str:
    """The split of a word; `_NOTHING` of one that may stand beside, `_OTHER` of any else."""
    if part in _BESIDE or part.isdecimal():
        return _NOTHING
    bare = part.rstrip("0123456789")
    return _SPLITS.get(bare) or _SPLITS.get(_ENDING.sub("", bare)) or _OTHER


def splits_of(names: Iterable[str]) -> dict[str, str]:
    """The splits among names that stand side by side: by themselves, or where they differ in that word alone.

    >>> splits_of(["pets_train", "pets_test", "docs"])
    {'pets_train': 'train', 'pets_test': 'test'}
    """
    names = list(names)
    found = {name: split for name in names if (split := split_of(name)) is not None}
    stems: dict[tuple[str, ...], dict[str, str]] = {}
    for name in names:
        parts = _parts(name)
        words = [_split_word(part) for part in parts]
        named = {word for word in words if word not in (_NOTHING, _OTHER)}
        if len(named) == 1 and _OTHER in words:
            stem = tuple(part for part, word in zip(parts, words, strict=True) if word in (_NOTHING, _OTHER))
            stems.setdefault(stem, {})[name] = named.pop()
    if len(stems) != 1:  # of several ("cat_train", "dog_train") none is the data set's own
        return found
    (group,) = stems.values()
    return found | group if len(set(group.values())) > 1 else found


def split_of_file(stem: str) -> str | None:
    """The split that a file is named after: by the whole name, or by its first or last word.

    >>> [split_of_file(name) for name in ("train-00000-of-00002", "Corona_NLP_train", "pets", "评论_测试")]
    ['train', 'train', None, 'test']
    """
    words = [word for word in map(_split_word, _parts(stem)) if word != _NOTHING]
    return next((word for word in (words[0], words[-1]) if word != _OTHER), None) if words else None
