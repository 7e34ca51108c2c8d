"""The ways to reach people and systems: each takes one message, or raises; none knows of the others."""
