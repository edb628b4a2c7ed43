"""Step 3: whether the model got what it was trained on: checks, drift, the training table, kinds of corruption."""
