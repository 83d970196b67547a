"""How fast a model is on this machine: alone, in batches, block by block, and in turns with another.

Begin with `run` (one model) and `timing` (two in turns, each in a process of its own); `runtimes` opens every format.

Torch: doctor, run.
"""
