"""Convolutions clip what nothing else takes, and the numbers are the same."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from mobileq.targets.tflite import editing
from mobileq.targets.tflite.rewrites.clips import clip_in_kernels

from .one_convolution import kinds, run
from .test_channels_last import Made


def convolved(made: Made, kind: str) -> int:
    """x [1, 4, 6, 8] by 1x1."""
    numbers = np.random.default_rng(2)
    shape = (1, 1, 1, 8) if kind == "DEPTHWISE_CONV_2D" else (8, 1, 1, 8)
    weights, bias = numbers.normal(0, 3, shape), numbers.normal(0, 3, 8)
    constants = [
        editing.add_constant(made.model, name, values.astype(np.float32))
        for name, values in ((b"weights", weights), (b"bias", bias))
    ]
    result = made.op(kind, [made.x, *constants], 1, 4, 6, 8)
    is_depthwise = kind == "DEPTHWISE_CONV_2D"
    options = schema.DepthwiseConv2DOptionsT() if is_depthwise else schema.Conv2DOptionsT()
    options.strideH = options.strideW = 1
    options.dilationHFactor = options.dilationWFactor = 1
    if is_depthwise:
        options.depthMultiplier = 1
    op = made.graph.operators[-1]
    op.builtinOptions = options
    op.builtinOptionsType = getattr(schema.BuiltinOptions, type(options).__name__.removesuffix("T"))
    return result


@pytest.mark.parametrize("kind", ["CONV_2D", "DEPTHWISE_CONV_2D"])
@pytest.mark.parametrize("clip", ["RELU", "RELU6"])
def test_clip_becomes_the_convolutions(kind: str, clip: str) -> None:
    made = Made()
    made.graph.outputs = [made.op(clip, [convolved(made, kind)], 1, 4, 6, 8)]
    before = copy.deepcopy(made.model)
    assert clip_in_kernels(made.model)
    assert kinds(made.model) == [kind]
    found, wanted = run(made.model, plainly=True), run(before, plainly=True)
    assert found.min() == 0
    np.testing.assert_array_equal(found, wanted)
    assert not clip_in_kernels(made.model)


def test_result_that_others_take_unclipped_stays() -> None:
    made = Made()
    convolution = convolved(made, "CONV_2D")
    clipped = made.op("RELU6", [convolution], 1, 4, 6, 8)
    made.graph.outputs = [made.op("MUL", [convolution, clipped], 1, 4, 6, 8)]
    assert not clip_in_kernels(made.model)
    made = Made()
    convolution = convolved(made, "CONV_2D")
    made.graph.outputs = [convolution, made.op("RELU6", [convolution], 1, 4, 6, 8)]
    assert not clip_in_kernels(made.model)
