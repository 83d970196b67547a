"""Codes and sentences belong together both ways, and every text that is shown is marked for translation."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from core.messages import PHASES, SENTENCES, STANDING
from core.runs.kinds import KINDS
from core.settings import SETTINGS
from core.spec import metadata
from tests.architecture.trees import HOUSE, ROOT, tree_of

_RAISERS = {"Problem", "GraftError", "InputError", "DataError", "RunError", "WeightsError", "NotFoundError"}
_RAISERS |= {"StoreError"}


def _texts(node: ast.expr | None) -> Iterator[str]:
    """The texts an expression may be: a literal or a choice of literals."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from _texts(node.body)
        yield from _texts(node.orelse)


def _calls(names: set[str], files: list[Path]) -> Iterator[tuple[Path, ast.Call]]:
    for path in files:
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.Call):
                func = node.func
                name = func.id if isinstance(func, ast.Name) else func.attr if isinstance(func, ast.Attribute) else ""
                if name in names:
                    yield path, node


def _literals(files: list[Path]) -> set[str]:
    return {
        node.value
        for path in files
        if path.parent != ROOT / "core" / "messages"
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def test_every_code_that_is_raised_has_a_sentence() -> None:
    found = {
        (str(path.relative_to(ROOT)), code)
        for path, call in _calls(_RAISERS, HOUSE)
        for code in _texts(call.args[0] if call.args else None)
    }
    assert len(found) > 50, "the search finds nothing any more"
    unknown = {pair for pair in found if pair[1] not in SENTENCES}
    assert not unknown


def test_every_detail_in_words_of_graft_is_marked() -> None:
    """What stands in a sentence as `detail` is said in the reader's language, where no library says it."""
    unmarked = {
        (str(path.relative_to(ROOT)), text)
        for path, call in _calls(_RAISERS, HOUSE)
        for keyword in call.keywords
        if keyword.arg == "detail"
        for text in _texts(keyword.value)
        if re.search("[a-z] [a-z]", text)
    }
    assert not unmarked


def test_every_literal_that_looks_like_a_code_has_a_sentence() -> None:
    """Codes that reach their Problem through a variable: they stand in no call of their own."""
    rooms = {code.partition(".")[0] for code in SENTENCES}
    shape = re.compile(rf"({'|'.join(sorted(rooms))})\.[a-z][a-z0-9_]*")
    files = {".bin", ".json", ".log", ".parquet", ".safetensors", ".zip", ".onnx", ".ts", ".pt2", ".xml", ".py"}
    files |= {".pte", ".tflite", ".engine"}
    found = {text for text in _literals(HOUSE) if shape.fullmatch(text) and Path(text).suffix not in files}
    unknown = found - set(SENTENCES)
    assert not unknown


def test_no_sentence_is_unused() -> None:
    unused = set(SENTENCES) - _literals(HOUSE)
    assert not unused


def test_every_phase_has_a_word_and_every_word_a_phase() -> None:
    said = {
        text for _, call in _calls({"phase", "during"}, HOUSE) for text in _texts(call.args[0] if call.args else None)
    }
    said |= set(_phases_as_records())
    assert len(said) > 5
    assert said == set(PHASES)


def _phases_as_records() -> Iterator[str]:
    """phase: Phase = {"code": …}, as the queue writes it into a row."""
    for path in HOUSE:
        for node in ast.walk(tree_of(path)):
            if not isinstance(node, ast.AnnAssign) or not isinstance(node.value, ast.Dict):
                continue
            if isinstance(node.annotation, ast.Name) and node.annotation.id == "Phase":
                for key, value in zip(node.value.keys, node.value.values, strict=True):
                    if "code" in _texts(key):
                        yield from _texts(value)


def test_values_of_a_problem_fill_its_sentence() -> None:
    """Where code and values stand in one call, every placeholder of the sentence is given."""
    checked = 0
    for path, call in _calls(_RAISERS, HOUSE):
        code = next(_texts(call.args[0] if call.args else None), "")
        given = {keyword.arg for keyword in call.keywords}
        name = call.func.id if isinstance(call.func, ast.Name) else ""
        if code not in SENTENCES or None in given or "problems" in given:
            continue
        if name == "Problem":
            values = next(
                (k.value for k in call.keywords if k.arg == "values"), call.args[3] if call.args[3:] else None
            )
            if values is not None and not isinstance(values, ast.Dict):
                continue  # built above the call
            given = {text for key in (values.keys if values else []) for text in _texts(key)}
        wanted = set(re.findall(r"{(\w+)", SENTENCES[code])) - set(STANDING)
        assert wanted <= given, f"{path.name}: {code} lacks {sorted(wanted - given)}"
        checked += 1
    assert checked > 30


def test_every_text_of_a_form_and_setting_is_marked_for_translation() -> None:
    """Labels, helps, units and choices reach the reader through a variable: they are marked where they stand."""
    marked = {text for _, call in _calls({"N_"}, HOUSE) for text in _texts(call.args[0] if call.args else None)}
    plain = re.compile(r"[a-z0-9%]{0,4}|CPU")  # px, fp32: the same in every language
    texts = {item.help for item in SETTINGS.values()}
    for spec in (kind.spec for kind in KINDS.values()):
        for name, field in spec.model_fields.items():
            if name in {"model", "data"}:
                continue
            facts = metadata(field)
            texts |= {field.title or name, field.description or name, facts["unit"], *(facts["choices"] or {}).values()}
    unmarked = {text for text in texts if text not in marked and not plain.fullmatch(text)}
    assert not unmarked
