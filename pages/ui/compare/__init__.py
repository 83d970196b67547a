"""The pages of comparisons: form, results, tables."""
