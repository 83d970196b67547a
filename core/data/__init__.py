"""Data sets of pictures and texts: opening, checking, splitting, describing. No torch.

Begin with `open` (a data id becomes a collection) and `collection` (what every reader gives). One reader a format lies
in `readers`; `labels` and `splits` decide what is learnt and tested, `report` tells what was seen.
"""
