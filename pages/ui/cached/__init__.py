"""The only caches of the pages, and the only door to a loaded model.

One file a room of `core`; the rest of the pages never cache and never load.
"""
