"""One row an idea: what a tuning method, a pass, a task or a data format is, said once.

A form, a check, an estimate, a chart and a page ask the row; what a row does with torch stands beside the networks.
A table is built by `core.registry.table.build_table`, which refuses a doubled or half-filled row.
Nothing here imports a room of Graft, so that every room may ask.
"""
