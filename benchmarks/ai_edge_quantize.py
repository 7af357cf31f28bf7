"""Quantize a float .tflite file with ai-edge-quantizer's own static recipe and calibration.

    python benchmarks/ai_edge_quantize.py FLOAT.tflite SAMPLES.npy OUTPUT.tflite

`accuracy.py` starts it. The samples are [N, ...] as the ONNX model takes them.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from ai_edge_quantizer import quantizer, recipe


def main() -> None:
    """Read the arguments, calibrate, quantize, write."""
    source, samples_path, output = sys.argv[1:]
    samples = np.load(samples_path, mmap_mode="r")
    interpreter = Interpreter(source)
    ((signature, runner),) = (
        (key, interpreter.get_signature_runner(key)) for key in interpreter.get_signature_list()
    )
    ((name, detail),) = runner.get_input_details().items()
    swapped = tuple(detail["shape"]) != samples.shape[1:]
    feeds = (np.array(each.transpose(0, 2, 3, 1) if swapped else each) for each in samples)
    tool = quantizer.Quantizer(source)
    tool.load_quantization_recipe(recipe.static_wi8_ai8())
    statistics = tool.calibrate({signature: [{name: feed} for feed in feeds]})
    Path(output).write_bytes(tool.quantize(statistics).quantized_model)


if __name__ == "__main__":
    main()
