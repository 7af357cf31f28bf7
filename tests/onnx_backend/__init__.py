"""The tests of the ONNX standard, run through mobileq: a suite that nobody here wrote."""
