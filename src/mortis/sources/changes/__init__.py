"""Where changes are recorded: files before and after, repositories, lists of events."""
