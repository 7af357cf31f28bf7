"""TFLite (LiteRT): convert, quantize, inspect and run .tflite files."""
