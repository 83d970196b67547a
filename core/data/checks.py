"""What speaks against training on a data set: everything at once, errors block and warnings ask."""

from __future__ import annotations

import numpy as np

from core.data.collection import Collection
from core.data.copies import leak_problems, leaked_rows, validation_problems
from core.data.headers import TOO_LARGE, Facts, Ints
from core.data.picture import ODDITIES
from core.data.splits import Split
from core.problems import Problem, told

# So many times as many examples as another class has: accuracy alone would hide what the rare one gets.
_UNBALANCED = 5


def check_collection(collection: Collection, usable: dict[str, Ints]) -> list[Problem]:
    """Everything that speaks against training on what can be read of a data set."""
    problems = [*collection.problems, *_labels_alike(collection.labels)]
    values: dict[str, object]
    own = collection.splits.get("train", np.zeros(0, dtype=np.int64))
    train = usable.get("train", own[:0])
    if not len(train):
        if len(own):
            return [*problems, Problem("data.nothing_readable", field="data", values={"n": len(own)})]
        values = {"id": collection.id, "splits": ", ".join(collection.splits) or "-"}
        return [*problems, Problem("data.no_train_split", field="data", values=values)]
    counts, before = (np.bincount(collection.targets[rows], minlength=len(collection.labels)) for rows in (train, own))
    present = int((counts > 0).sum())
    lost = [collection.labels[c] for c in np.flatnonzero((counts == 0) & (before > 0))]
    if lost:
        problems.append(Problem("data.class_unreadable", field="data", values={"n": len(lost), "labels": _list(lost)}))
    if len(collection.splits.get("test", ())) and not len(usable.get("test", ())):
        problems.append(Problem("data.test_unreadable", field="data", values={"n": len(collection.splits["test"])}))
    if present < 2:
        label = collection.labels[int(counts.argmax())] if collection.labels else ""
        problems.append(Problem("data.one_class", field="data", values={"label": label[:80], "n": len(train)}))
    elif len(train) < 2 * present:
        values = {"n": len(train), "classes": present}
        problems.append(Problem("data.too_few", "warning", "data", values))
    empty = [collection.labels[c] for c in np.flatnonzero((counts == 0) & (before == 0))]
    if empty and present >= 2:
        values = {"n": len(empty), "labels": _list(empty)}
        problems.append(Problem("data.empty_class", "warning", "data", values))
    single = [collection.labels[c] for c in np.flatnonzero(counts == 1)]
    if single and present >= 2:
        problems.append(Problem("data.single_picture", "warning", "data", {"n": len(single), "labels": _list(single)}))
    largest, smallest = int(counts.max()), int(counts[counts > 0].min())
    if present >= 2 and largest > _UNBALANCED * smallest:
        rare, common = (collection.labels[int(np.flatnonzero(counts == n)[0])][:80] for n in (smallest, largest))
        values = {"rare": rare, "few": smallest, "common": common, "many": largest}
        problems.append(Problem("data.unbalanced", "warning", "data", values))
    return problems


def _labels_alike(labels: list[str]) -> list[Problem]:
    """Classes that differ only in capitals or blanks are probably one."""
    problems, folded = [], dict[str, str]()
    for label in labels:
        other = folded.setdefault("".join(label.split()).casefold(), label)
        if other != label:
            problems.append(Problem("data.labels_alike", "warning", "data", {"a": other[:40], "b": label[:40]}))
    return problems


def split_problems(collection: Collection, alike: Ints, split: Split) -> list[Problem]:
    """What is odd about the parts of a split: rows in two of them, and a part of one class."""
    leaked = leak_problems(collection, leaked_rows(alike, split))
    return (
        leaked
        + validation_problems(collection, alike, split)
        + _one_sided(collection, split)
        + _untested(collection, split)
    )


def _one_sided(collection: Collection, split: Split) -> list[Problem]:
    """A test or validation of a single class tells nothing of the others."""
    own = collection.splits.get("validation", split.test[:0])
    # Of few examples one or two choose, where the data brings none to choose by: nothing can be put right there.
    parts = [("data.test_one_class", split.test)]
    parts += [("data.validation_one_class", split.validation)] if np.isin(split.validation, own).any() else []
    problems = []
    for code, rows in parts:
        seen = np.unique(collection.targets[rows])
        if len(seen) == 1 < len(rows) and len(np.unique(collection.targets[split.train])) > 1:
            label = collection.labels[int(seen[0])][:80]
            problems.append(Problem(code, "warning", "data", {"label": label, "n": len(rows)}))
    return problems


def _untested(collection: Collection, split: Split) -> list[Problem]:
    """Classes that are trained on and stand nowhere in a test that the data brings."""
    is_drawn = np.isin(split.test, collection.splits.get("train", split.test[:0])).any()
    learned, tested = (np.unique(collection.targets[rows]) for rows in (split.train, split.test))
    missing = [collection.labels[label] for label in np.setdiff1d(learned, tested)]
    if is_drawn or not missing or len(tested) < 2:
        return []
    return [Problem("data.untested_classes", "warning", "data", {"n": len(missing), "labels": _list(missing)})]


def nothing_to_tell_apart(collection: Collection, split: Split) -> list[Problem]:
    """What is left of two or three examples, once one chooses the epoch and one tests, is of one class, or one."""
    left = len(np.unique(collection.targets[split.train]))
    if left > 1:
        return []
    n = len(np.unique(np.concatenate([split.train, split.validation, split.test])))
    return [Problem("data.too_few_to_train", field="data", values={"n": n, "left": len(split.train)})]


def too_few_for(split: Split, train_size: int | None) -> list[Problem]:
    """Fewer training pictures than were asked for: said, not hidden."""
    if train_size is None or len(split.train) >= train_size:
        return []
    return [Problem("data.fewer_than_asked", "warning", "train_size", {"asked": train_size, "n": len(split.train)})]


def _list(names: list[str], most: int = 5) -> str:
    shown = ", ".join(name[:40] for name in names[:most])
    return shown + (", …" if len(names) > most else "")


def unreadable_problems(collection: Collection, facts: Facts, bad: Ints) -> list[Problem]:
    """Pictures that are left out, by reason."""
    problems = []
    large = bad[facts.status(bad) == TOO_LARGE] if len(bad) else bad
    damaged = np.setdiff1d(bad, large)
    for code, rows in (("data.unreadable", damaged), ("data.too_large", large)):
        if len(rows):
            names = _list([collection.items.name(int(row)) for row in rows], 3)
            problems.append(Problem(code, "warning", "data", {"n": len(rows), "names": names}))
    return problems


def odd_problems(collection: Collection, facts: Facts, rows: Ints) -> list[Problem]:
    """Pictures that are read, and not as whoever took them meant it."""
    problems = []
    for oddity, code in ODDITIES.items():
        names = [collection.items.name(int(row)) for row in facts.odd(rows, oddity)]
        problems += told(code, names)
    return problems
