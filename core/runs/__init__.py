"""Everything that runs: submitted, queued, worked on, kept.

Begin with `kinds` (one row a kind of run), then `submit`, `queue` (who starts when) and `worker` (the process that does
it). `manage` resumes, repeats and deletes; `archive` and `export` carry runs elsewhere.
"""
