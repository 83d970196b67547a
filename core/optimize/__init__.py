"""Make a trained model smaller and faster, and measure on its own data what each way costs.

`core.optimize.course` is the way through. Nothing is imported here: `core.optimize.stopwatch` opens files in processes
that hold their own runtime and nothing else.
"""
