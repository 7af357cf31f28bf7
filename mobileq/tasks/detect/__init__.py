"""Boxes: how they are recognised in a graph, read from outputs, compared, scored and drawn."""
