"""ONNX Runtime: the reference every other file is compared with."""
