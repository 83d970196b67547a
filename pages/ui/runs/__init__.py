"""The pages of runs: one line, one record, archives."""
