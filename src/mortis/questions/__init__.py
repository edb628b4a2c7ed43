"""The steps' questions put to the engine: each takes the profile and what rows it needs, and hands on records."""
