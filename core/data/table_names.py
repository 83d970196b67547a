"""Names that columns of tables usually have, and what such a column holds."""

from __future__ import annotations

import re

SPLIT_COLUMNS = ("split", "splits", "set", "subset", "partition", "划分", "数据划分", "数据集划分", "拆分", "子集")
TEXT_NAMES = (
    "text", "sentence", "review", "content", "comment", "comments", "document", "body", "message", "tweet", "title",
    "query", "question", "utterance", "feedback", "opinion", "remark", "remarks", "response", "headline", "description",
    "文本", "内容", "评论", "句子", "正文", "评价", "标题",
)  # fmt: skip
LABEL_NAMES = (
    "label", "labels", "sentiment", "target", "class", "category", "polarity", "emotion", "intent", "rating", "stars",
    "score", "y", "标签", "情感", "类别", "分类", "情感倾向", "评分",
)  # fmt: skip
# Parts of a label column's name: "airline_sentiment", "user feeling".
_LABEL_PARTS = {*LABEL_NAMES, "feeling", "mood", "topic", "verdict", "classification", "type", "kind", "tag"} - {"y"}
# What tells of a row where it comes from, and of a label how sure it is: seldom what is to be learned.
_ABOUT_PARTS = {
    "id", "index", "no", "nr", "number", "date", "time", "timestamp", "year", "month", "day", "user", "username",
    "name", "author", "source", "platform", "channel", "device", "url", "link", "lang", "language", "locale",
    "country", "region", "city", "gender", "sex", "age", "confidence", "gold", "count", "version",
    "编号", "序号", "日期", "时间", "用户", "来源",
}  # fmt: skip


def parts_of(name: str) -> set[str]:
    """The words of a column's name.

    >>> sorted(parts_of("airline_sentiment")), sorted(parts_of("reviewText"))
    (['airline', 'sentiment'], ['review', 'text'])
    """
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name.strip())
    return {part for part in re.split(r"[\W_]+", spaced.lower()) if part}


def is_known_name(cell: object) -> bool:
    """Whether a cell of a first row is what columns are usually called.

    >>> is_known_name("Text"), is_known_name("comment_body"), is_known_name("A good text")
    (True, True, False)
    """
    text = str(cell or "").strip()
    if not text or len(text) > 60:
        return False
    known = {*TEXT_NAMES, *_LABEL_PARTS, *_ABOUT_PARTS, *SPLIT_COLUMNS}
    if text.lower() in known:
        return True
    return not re.search(r"\s", text) and len(parts := parts_of(text)) < 5 and bool(parts & known)


def is_usual_name(cell: object) -> bool:
    """Whether a cell is, letter by letter, a name that columns of texts or labels usually bear."""
    return str(cell).strip().lower() in (*TEXT_NAMES, *LABEL_NAMES)


def is_of_labels(name: str) -> bool:
    """Whether a column's name speaks of classes."""
    parts = parts_of(name)
    return bool(parts & _LABEL_PARTS) and not parts & _ABOUT_PARTS


def is_about_rows(name: str) -> bool:
    """Whether a column's name speaks of where a row comes from."""
    return bool(parts_of(name) & _ABOUT_PARTS)
