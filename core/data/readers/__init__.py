"""Readers of data formats, one file each: all are called with paths, a data reference and a name.

Which there are, and how each format is told from others, stands in `core.registry.formats`.
"""
