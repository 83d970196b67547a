"""Make a trained model smaller and faster, and tell what it costs.

Begin with `run` (the order of work) and `passes` (one file a way). Every variant is opened again (`verify`), timed in
turns with the original and tested; `verdicts` says what to take, `bundle` packs it.

Torch: export, int8_search, layers, masks, original, retrain, run, steps, student, teacher, trained_model, verify.
"""
