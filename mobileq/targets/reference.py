"""What every converted file is compared with: the ONNX model in ONNX Runtime."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from mobileq.spec import TensorSpec

if TYPE_CHECKING:
    from mobileq.targets.base import Runner


def reference_runner(
    model: bytes | Path,
    inputs: tuple[TensorSpec, ...],
    outputs: tuple[TensorSpec, ...],
    threads: int = 0,
    *,
    optimized: bool = True,
) -> Runner:
    """A runner of an ONNX model; close it.

    Args:
        threads: 0 for one for each processor.
        optimized: False for other kernels, which take sums in another order.

    Raises:
        InputError: ONNX Runtime can't load the model.
    """
    from mobileq.targets.onnxruntime.runner import OnnxRuntimeRunner

    return OnnxRuntimeRunner(model, inputs, outputs, threads, optimized=optimized)


def reference_name() -> str:
    """The runtime and its version."""
    return f"onnxruntime {version('onnxruntime')}"
