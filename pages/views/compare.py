"""Compare: what does pretraining buy? From scratch against pretrained, from few examples to many, live."""

from __future__ import annotations

from core.runs import queue
from core.store import Run, open_store
from pages.ui import live, parts, start, state
from pages.ui.compare import form as compare_form
from pages.ui.compare import results as compare_results
from pages.ui.runs import line

_ = state.words()


def show_run(run: Run) -> None:
    """One comparison: at work, finished, or ended in another way."""
    parts.head(run.name, line.grid_line(run, _))
    with live.actions(run, "compare", _("New comparison"), _) as bar:
        pass
    if run.is_active:
        live.follow([run.id], "compare", bar, compare_results.show_so_far)
    else:
        compare_results.show_ended(run)


queue.pump()
start.take_choices("cmp")
if state.query("run"):
    show_run(open_store().get_run(state.query("run")))
else:
    parts.head(
        _("Compare"), _("See what pretraining buys: from scratch against pretrained, from few examples to many.")
    )
    start.show_refused("cmp")
    compare_form.choose()
