"""Quantize an ONNX file with NNCF's defaults; `accuracy.py` starts it with a Python that has NNCF.

    python benchmarks/nncf_quantize.py MODEL.onnx SAMPLES.npy INPUT_NAME OUTPUT.onnx

It needs numpy, onnx and nncf only, so that NNCF can have an environment of its own.
"""

from __future__ import annotations

import sys

import numpy as np
import onnx
from onnx import version_converter

FIRST_PER_CHANNEL = 13
"""The opset from which a pair can have a scale per channel; NNCF warns below, and asks for it."""


def main() -> None:
    """Read the arguments, quantize, write."""
    # NNCF does without; where it is there, importing nncf lets it send usage data.
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
    import nncf

    source, samples_path, input_name, output = sys.argv[1:]
    model = onnx.load(source)
    if model.opset_import[0].version < FIRST_PER_CHANNEL:
        model = version_converter.convert_version(model, FIRST_PER_CHANNEL)
    samples = np.load(samples_path, mmap_mode="r")
    dataset = nncf.Dataset(samples, lambda sample: {input_name: np.array(sample)})
    onnx.save(nncf.quantize(model, dataset), output)


if __name__ == "__main__":
    main()
