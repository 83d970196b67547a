"""Train a model on one's own data.

Begin with `run` (what the worker calls); `fitting` fits a head to its optimum (`head_fit` is how, `cross_validation`
how strongly), `loop` is the Trainer with live numbers for all that learns more, `early_stopping` says when it ends,
`autotune` chooses precision and layout by timing them.

Torch: autotune, checkpoints, cross_validation, fitting, head_fit, image_features, learner, loaded, loop, reading, run,
tasks, text_features.
"""
