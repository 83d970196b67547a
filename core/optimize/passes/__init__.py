"""One file a pass, named as its row in `core.registry.passes`; each has `apply`."""
