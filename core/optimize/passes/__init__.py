"""One module for each pass of `core.registry.passes`, named after it: `run(work) -> Made`."""
