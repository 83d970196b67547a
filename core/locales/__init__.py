"""The texts of Graft in other languages, and `texts`, which keeps them complete."""
