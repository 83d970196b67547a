"""The other tasks: what models of the hub answer beside classes. One row a task stands in `core.registry.tasks`.

Begin with `table` (what can be asked, of which model); `text_answers` and `media_answers` answer, `records` is what
comes out.
"""
