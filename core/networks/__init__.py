"""Networks with their weights (torch throughout).

Begin with `image` and `text` (a classifier of each kind), `stages` (a trunk as steps that can be cut) and `tuning`
(what learns under each method of `core.registry.methods`). `weights` reads and writes safetensors.
"""
