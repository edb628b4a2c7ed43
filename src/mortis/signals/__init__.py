"""Step 2: which metric series moved, what moved first, and where in the call graph the failure begins."""
