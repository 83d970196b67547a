"""Answers of trained models: one text or picture at once, a whole table or folder as a run.

Begin with `load` (a model id becomes something that answers), then `texts`, `pictures`, `sentiment`; `tasks` holds what
models of the hub do beside classifying. `run` answers a file as a run.

Torch: at_once, load, pictures, saliency, texts.
"""
