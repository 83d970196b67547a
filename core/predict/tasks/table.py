"""What a model can be asked beside classes: whether it is here, what fetching it takes, what speaks against asking it.

These models are asked as they were published; training them is out of Graft's scope. The tasks themselves are rows of
`core.registry.tasks`; `core.predict.tasks.load` does the work.
"""

from __future__ import annotations

from core.errors import NotFoundError
from core.models.card import ModelCard
from core.registry.task_rows import Recommended, Task
from core.registry.tasks import TASKS


def get_task(task_id: str) -> Task:
    """A row of the table by its id. Raises `NotFoundError` with the ids there are."""
    if task_id not in TASKS:
        raise NotFoundError("ask.unknown_task", id=task_id, known=", ".join(TASKS))
    return TASKS[task_id]


def does(card: ModelCard, task: Task) -> bool:
    """Whether a model does this task; a translation's direction stands in the model's name."""
    return card.can(task.hub) and task.direction in card.id.lower()


def tasks_for(card: ModelCard) -> list[Task]:
    """What a model can be asked, in the table's order."""
    return [task for task in TASKS.values() if does(card, task)]


def find_recommended(task: Task, model_id: str) -> Recommended | None:
    """What the table says of a model, when it recommends it."""
    return next((row for row in task.models if row.id == model_id), None)
