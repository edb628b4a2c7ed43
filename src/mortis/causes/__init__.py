"""Why it failed: the catalogue of causes, the tests that decide them, and what each is worth of the drop."""
