"""Pretrained models before their weights are loaded: cards, the catalogue, search, hubs, weight files, downloads.

Begin with `card` (what is known of a model) and `catalog` (every card by its id). `weight_files` finds what is on this
machine, `weight_cache` keeps and deletes it, `download` is the run that fetches it. No torch.
"""
