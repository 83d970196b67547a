"""Train a model on one's own data.

Begin with `run` (what the worker calls); `loop` is the Trainer with live numbers, `early_stopping` says when it ends,
`autotune` chooses precision and layout by timing them.

Torch: autotune, checkpoints, image_features, learner, loop, run, tasks, text_features.
"""
