"""The pages of models: the table, one model's card, its inside, its weights, several side by side."""
