"""The zip that leaves the house: a model file, its preparation, a card, and scripts that run without Graft.

Begin with `write`; `card` writes the model card; `scripts` are the programs that travel.
"""
