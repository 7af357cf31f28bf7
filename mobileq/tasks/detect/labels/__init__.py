"""Readers of boxes that people have drawn: COCO json, data.yaml, YOLO text files."""
