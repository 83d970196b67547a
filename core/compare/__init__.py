"""What pretraining is worth: the same network from scratch and from its weights, over data-set sizes and seeds.

Begin with `run` (the order of the trainings) and `grid` (which they are); `cell` does one of them in a process of its
own. `findings` are the numbers, `conclusions` the sentences, `figures` the charts.

Torch: cell.
"""
