"""Step 1, clarify the failure: whether it is real, how bad, and since when."""
