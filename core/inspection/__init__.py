"""Take a network apart before its weights are here: layers, multiply-adds, memory, what each method would train.

Begin with `run`; `blueprint` builds the network without weights, `memory` works out what it needs.

Torch: blueprint, layers, memory, memory_baseline, memory_trace, run, shape_rules, tuning.
"""
