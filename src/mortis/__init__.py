"""Mortis conducts the post-mortem of a machine-learning model that failed in production."""
