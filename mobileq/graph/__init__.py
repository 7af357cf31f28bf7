"""ONNX models: load, check, fix shapes, simplify, and recognise how their outputs are read."""
