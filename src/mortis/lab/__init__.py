"""Incidents with a known cause: the demo, the tests and the benchmark use the same ones."""
