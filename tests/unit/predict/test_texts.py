"""What a text model of one's own answers, and that it says so where there is nothing to read."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.data.text_cleaning import clean_texts
from core.messages import explain
from core.networks.text import build_text_classifier
from core.predict.answers import not_answered
from core.predict.texts import TextPredictor
from core.problems import Problem
from core.spec import ModelRef
from tests.fixtures.text_models import plant

NOTHING = ["", "  ", "<br>", "&nbsp;", "\x00", "\u200b\ufeff", "<b></b> &nbsp;", "\u00ad"]


def test_text_without_content_has_no_answer_and_the_reason(home: Path) -> None:
    model = build_text_classifier(ModelRef(id=plant("bert", home)), ["negative", "positive"], seed=0)
    *nothing, read = TextPredictor(model, 32, "run/x").answer([*NOTHING, "good <br> film"])
    for answer in nothing:
        assert (answer.label, answer.probabilities, answer.reason) == ("", {}, "predict.nothing_to_read")
        assert "nothing to read" in explain(Problem(answer.reason))
    assert read.label in ("negative", "positive")
    (told,) = not_answered({"predict.nothing_to_read": 8}, 9)
    assert "8 of 9" in explain(told)


@pytest.mark.parametrize("text", ["!", "很好", "👨\u200d👩\u200d👧", "می\u200cخواهم"])
def test_what_is_seen_stays_as_it_was_written(text: str) -> None:
    assert clean_texts([text]).texts == [text]
