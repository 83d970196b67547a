"""One module for each pass of `core.passes`, named after it: `run(work) -> Made`."""
