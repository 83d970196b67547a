"""Optimize: make a trained model smaller and faster, and see on one's own data what each way costs."""

from __future__ import annotations

from core.runs import queue
from core.store import Run, open_store
from pages.ui import live, parts, start, state
from pages.ui.finetune import results as finetune_results
from pages.ui.optimize import form as optimize_form
from pages.ui.optimize import results as optimize_results
from pages.ui.runs import line

_ = state.words()


def show_run(run: Run) -> None:
    """One optimization: at work, finished, or ended in another way."""
    parts.head(run.name, line.optimize_line(run, _))
    with live.actions(run, "optimize", _("New optimization"), _) as bar:
        if run.parent:
            parts.link("finetune", _("The run it began with"), ":material/model_training:", run=run.parent)
        if run.status == "done":
            finetune_results.export_button(run, _)
    if run.is_active:
        live.follow([run.id], "optimize", bar, optimize_results.show_so_far)
    else:
        optimize_results.show_found(run)


queue.pump()
if state.query("data") and state.query("model"):  # both were chosen elsewhere: the model brings no data along
    state.remember("opt_data_of", state.query("model"))
elif state.query("model"):
    state.forget("opt_data_of")
start.take_choices("opt")
if state.query("run"):
    show_run(open_store().get_run(state.query("run")))
else:
    parts.head(
        _("Optimize"), _("Make a trained model smaller and faster, and see on your own data what each way costs.")
    )
    start.show_refused("opt")
    optimize_form.choose()
