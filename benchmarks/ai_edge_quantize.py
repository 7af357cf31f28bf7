"""Quantize a float .tflite file with a recipe of ai-edge-quantizer, and its own calibration.

    python benchmarks/ai_edge_quantize.py FLOAT.tflite SAMPLES.npy OUTPUT.tflite RECIPE [ALGORITHM]

RECIPE is `static_wi8_ai8` or another function of its module `recipe`, ALGORITHM one of its
AlgorithmNames (GPTQ, OSCAR). `accuracy.py` starts it, with a Python that has the release to be
measured. The samples are [N, ...] as the ONNX model takes them.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from ai_edge_quantizer import algorithm_manager, quantizer, recipe


def main() -> None:
    """Read the arguments, calibrate, quantize, write."""
    source, samples_path, output, recipe_name, *algorithm = sys.argv[1:]
    samples = np.load(samples_path, mmap_mode="r")
    interpreter = Interpreter(source)
    ((signature, runner),) = (
        (key, interpreter.get_signature_runner(key)) for key in interpreter.get_signature_list()
    )
    ((name, detail),) = runner.get_input_details().items()
    swapped = tuple(detail["shape"]) != samples.shape[1:]
    feeds = (np.array(each.transpose(0, 2, 3, 1) if swapped else each) for each in samples)
    tool = quantizer.Quantizer(source)
    keys = [algorithm_manager.AlgorithmName[each] for each in algorithm]
    tool.load_quantization_recipe(getattr(recipe, recipe_name)(*keys))
    statistics = None
    if tool.need_calibration:
        statistics = tool.calibrate({signature: [{name: feed} for feed in feeds]})
        if not statistics:  # 0.10's GPTQ and OSCAR know fully connected layers only
            sys.exit(f"Error: {' '.join(algorithm)} knows no op of this model")
    Path(output).write_bytes(tool.quantize(statistics).quantized_model)


if __name__ == "__main__":
    main()
