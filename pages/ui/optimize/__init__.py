"""The pages of optimizing: form, results, tables, downloads, trying a variant."""
