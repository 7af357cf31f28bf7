"""Runners of made-up outputs, and what comparing them finds."""

from __future__ import annotations

import numpy as np

from mobileq.calibration.samples import Sample
from mobileq.evaluate.verify import (
    Verification,
    verify,
)
from mobileq.progress import Silent
from mobileq.spec import ModelSpec, TensorSpec
from mobileq.targets.registry import TARGETS

TFLITE = TARGETS["tflite"]


SPEC = ModelSpec(
    name="model",
    task="unknown",
    family=None,
    inputs=(TensorSpec(name="x", shape=(1, 4), dtype="float32"),),
    outputs=(
        TensorSpec(name="twice", shape=(1, 4), dtype="float32"),
        TensorSpec(name="sum", shape=(1,), dtype="float32"),
    ),
)


class Right:
    """Computes what the model does."""

    interpreter = "right 1.0"
    inputs, outputs = SPEC.inputs, SPEC.outputs

    def __init__(self):
        self.runs, self.closed = 0, False

    def run(self, feeds):
        self.runs += 1
        x = feeds["x"]
        return self.changed({"twice": x * 2, "sum": x.sum(axis=1)})

    def changed(self, outputs):
        return outputs

    def latency(self, feeds, runs, warmup):
        return [0.0] * runs

    def close(self):
        self.closed = True


class Wrong(Right):
    """Computes something else in one output; `change` takes the array and the count of runs."""

    def __init__(self, change, name="sum"):
        super().__init__()
        self._change, self._name = change, name

    def changed(self, outputs):
        return {**outputs, self._name: self._change(outputs[self._name], self.runs)}


def samples(count=3):
    draw = np.random.default_rng(0)
    return [Sample(f"s{i}", {"x": draw.random((1, 4), np.float32) + 1}) for i in range(count)]


def verified(runner, reference, precision="fp32", spec=SPEC) -> Verification:
    return verify(runner, "onnxruntime 1.0", reference, spec, TFLITE.precision(precision), Silent())
