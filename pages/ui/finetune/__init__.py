"""The pages of trainings: results, siblings, texts, what they computed with."""
