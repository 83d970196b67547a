"""Make a trained model smaller and faster, and measure on its own data what each way costs.

`optimize` is the way through: load model and data, measure the original, then one variant after another (make it,
open its file again, test it, time it beside the original, judge it), each kept when it is done.
"""

from core.optimize.course import optimize

__all__ = ["optimize"]
