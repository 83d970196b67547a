"""The command line, `python -m core …`: everything the pages do, by the same specs.

Begin with `app`. Options come from the fields of the specs (`options`); `progress` waits for a run, `results` prints
it.
"""
