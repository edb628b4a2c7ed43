"""Step 4: what changed, and which change fits the failure."""
