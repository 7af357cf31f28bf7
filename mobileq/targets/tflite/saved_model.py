"""SavedModel -> .tflite with TensorFlow's own converter; runs in the child process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any


def convert_saved_model(
    saved_model: str, output: str, precision: str, io: str = "float32", samples: str | None = None
) -> None:
    """Write `output` from the SavedModel folder in `precision`.

    Args:
        samples: A .npy file with calibration tensors [N, ...] as the SavedModel takes them; needed
            for "int8" and "int16x8".
    """
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_saved_model(saved_model)
    if precision != "fp32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if precision == "fp16":
        converter.target_spec.supported_types = [tf.float16]
    if precision in ("int8", "int16x8"):
        assert samples is not None
        converter.representative_dataset = _dataset(samples)
        converter.target_spec.supported_ops = _integer_ops(tf, precision, io)
        converter.inference_input_type = getattr(tf, io)
        converter.inference_output_type = getattr(tf, io)
    Path(output).write_bytes(converter.convert())


def _integer_ops(tf: Any, precision: str, io: str) -> list[Any]:
    kinds = tf.lite.OpsSet
    if precision == "int16x8":
        integer = kinds.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
    else:
        integer = kinds.TFLITE_BUILTINS_INT8
    # With float inputs and outputs an op without integer kernel may stay float; else none may.
    return [integer, kinds.TFLITE_BUILTINS] if io == "float32" else [integer]


def _dataset(samples: str) -> Callable[[], Iterator[list[Any]]]:
    import numpy as np

    tensors = np.load(samples, mmap_mode="r")

    def generate() -> Iterator[list[Any]]:
        for tensor in tensors:
            yield [np.array(tensor)]

    return generate
