"""What stands around a model in a made case: system metrics, logs, call graph, records of changes, environments."""
