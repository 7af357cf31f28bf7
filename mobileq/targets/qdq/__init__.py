"""Int8 models in ONNX: pairs of QuantizeLinear and DequantizeLinear around float operators."""
