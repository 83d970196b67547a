"""One reader a format; `core.registry.formats` says which file goes to which.

A reader turns files into a `core.data.collection.Collection`; it knows no other reader and never opens a data id.
"""
