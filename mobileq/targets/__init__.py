"""Runtimes a model can be converted to, found by name and imported on use."""
