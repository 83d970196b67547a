"""The pages of answers: texts, pictures, the other tasks."""
