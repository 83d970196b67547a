"""One module for each pass of `core.registry.passes`, named after it: `run(context)` gives a
`NetworkResult` where its row says that it learns, else a `FileResult`."""
