"""How often the diagnosis is right: many made cases investigated, each answer held against the truth."""
