"""Step 2: what the systems around the model told of themselves, in metric series and in log lines."""
