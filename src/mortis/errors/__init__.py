"""Step 5: the wrong predictions, which slices they gather in, and how the confusion of labels moved."""
