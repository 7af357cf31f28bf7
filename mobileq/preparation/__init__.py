"""From an ONNX file to a model that converters take, and the spec that says how to use it."""
