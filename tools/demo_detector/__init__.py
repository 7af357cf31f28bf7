"""A small YOLOv8-style detector of drawn shapes: scenes, network, training and ONNX export.

The modules are used by `tools/train_demo.py`, which makes the files under `assets/demo/`.
"""
