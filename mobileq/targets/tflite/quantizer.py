"""Quantize a float32 .tflite with ai-edge-quantizer; runs in the child process."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mobileq.graph.eight_bits import LARGEST_WEIGHT, enough_for_codes
from mobileq.spec import Precision
from mobileq.targets.tflite import contents, flatbuffer, weighty
from mobileq.targets.tflite.io_types import shift_io_to_uint8, take_casts_in
from mobileq.targets.tflite.rewrites.passes import run_passes
from mobileq.targets.tflite.rewrites.registry import QUANTIZED
from mobileq.targets.tflite.weights import WeightScales

REFERENCE_KERNELS_NOTE = (
    "int16x8 runs on TFLite's reference kernels only, many times slower than float32."
)
_UNSUPPORTED = ("PADV2",)
"""See `mobileq.targets.tflite.rewrites.integer_kernels`."""


def quantize_file(
    source: str,
    output: str,
    precision: Precision,
    io: str = "float32",
    ranges: dict[str, tuple[float, float]] | None = None,
    float_tensors: Sequence[str] = (),
    wide_tensors: Sequence[str] = (),
    weight_scales: dict[str, WeightScales] | None = None,
    own_scales: bool = False,
) -> list[str]:
    """Write `output`, the float32 file `source` in another precision.

    Args:
        precision: "fp16", "dynamic", "int8", "int8-full" or "int16x8".
        io: Type of inputs and outputs of the integer precisions: "float32", "int8", "uint8".
        ranges: (min, max) of each activation tensor, for the integer precisions.
        float_tensors: Ops that give one of these stay in float.
        wide_tensors: Ops that give one of these have activations of 16 bits.
        weight_scales: (axis, scale of each index along it) of weights; others get scales that
            their largest values need.
        own_scales: The ranges are a trained model's, so no tensor may get another's.

    Returns:
        Notes for the user.
    """
    floats = flatbuffer.read_model(Path(source))
    if precision == "fp16":
        run_passes(QUANTIZED, floats, precision)
        flatbuffer.write_model(floats, Path(output))
        return []
    from ai_edge_quantizer import quantizer

    tool, known = quantizer.Quantizer(source), None
    if precision == "dynamic":
        _recipe_dynamic(tool)
    else:
        bits = 16 if precision == "int16x8" else 8
        large = weighty.weighty_outputs(floats, enough_for_codes)
        narrow = [name for name in float_tensors if name in large]
        _recipe_static(tool, bits, io, float_tensors, narrow, wide_tensors)
        known = _statistics(floats, ranges, weight_scales or {}) if ranges else None
    with _scales_before_concatenations(own_scales):
        result = tool.quantize(known)
    Path(output).write_bytes(result.quantized_model)
    model = flatbuffer.read_model(Path(output))
    if io != "float32":
        take_casts_in(model)
    if io == "uint8" and precision in ("int8", "int8-full"):
        shift_io_to_uint8(model)
    run_passes(QUANTIZED, model, precision, floats)
    flatbuffer.write_model(model, Path(output))
    return [REFERENCE_KERNELS_NOTE] if precision == "int16x8" else []


def _recipe_dynamic(tool: Any) -> None:
    from ai_edge_quantizer import qtyping

    names = qtyping.TFLOperationName
    tool.add_dynamic_config(".*", names.ALL_SUPPORTED, num_bits=8)
    # XNNPACK (LiteRT 2.1.2) has no dynamic kernel for depthwise convolutions, and the plain one
    # takes one scale for all channels of the activation: on yolox_nano it cost .12 of .374 mAP and
    # doubled the latency. They hold few weights, so float ones cost 3 % of the file.
    _keep_float(tool, ".*", names.DEPTHWISE_CONV_2D)
    # It has none for products of a constant either that is no linear layer's.
    _keep_float(tool, ".*", names.BATCH_MATMUL)


def _recipe_static(
    tool: Any,
    activation_bits: int,
    io: str,
    float_tensors: Sequence[str],
    narrow_weights: Sequence[str],
    wide_tensors: Sequence[str],
) -> None:
    from ai_edge_quantizer import qtyping

    names = qtyping.TFLOperationName
    tool.add_static_config(
        ".*", names.ALL_SUPPORTED, activation_num_bits=activation_bits, weight_num_bits=8
    )
    if wide_tensors:
        tool.add_static_config(
            _whole_names(wide_tensors),
            names.ALL_SUPPORTED,
            activation_num_bits=16,
            weight_num_bits=8,
        )
    if float_tensors:
        _keep_float(tool, _whole_names(float_tensors), names.ALL_SUPPORTED)
    if narrow_weights:
        for operation in (names.CONV_2D, names.DEPTHWISE_CONV_2D):
            tool.add_weight_only_config(_whole_names(narrow_weights), operation, num_bits=8)
    for operation in _UNSUPPORTED:
        _keep_float(tool, ".*", names(operation))
    for edge in (names.INPUT, names.OUTPUT):
        # All inputs are one op to the quantizer, and so are all outputs: one that a float op gives
        # makes floats of all. What was said of other names last goes before what `.*` says.
        if io == "float32":
            _keep_float(tool, ".*", edge)
        else:
            tool.add_static_config(
                "^.*", edge, activation_num_bits=activation_bits, weight_num_bits=8
            )


@contextmanager
def _scales_before_concatenations(are_kept: bool) -> Iterator[None]:
    """Within the block alone: the process quantizes other files afterwards.

    A concatenation works on one scale. ai-edge-quantizer 0.5.1 gives it at once to an op that
    feeds nothing else, which saves a rounding; a model that was trained with that rounding gets its
    own scale there, and a QUANTIZE. So does SOFTMAX always: its kernel has one scale alone, and
    refuses the file that has another.
    """
    from ai_edge_quantizer import transformation_instruction_generator as generator

    kind = generator.TransformationInstructionsGenerator
    shortcut = "_eliminate_requantization_for_nonconstrained_provider"
    constrained = "_is_op_constrained"
    originals = {name: getattr(kind, name) for name in (shortcut, constrained)}

    def is_constrained(self: Any, subgraph: int, op: int) -> bool:
        graph = self.flatbuffer_model.subgraphs[subgraph]
        name = contents.op_name(self.flatbuffer_model, graph.operators[op])
        return name == "SOFTMAX" or originals[constrained](self, subgraph, op)

    setattr(kind, constrained, is_constrained)
    if are_kept:
        setattr(kind, shortcut, lambda self, tensor: None)
    try:
        yield
    finally:
        for name, original in originals.items():
            setattr(kind, name, original)


def _whole_names(names: Sequence[str]) -> str:
    """Matches an op's output names, each followed by a semicolon, where one of `names` is there.

    One expression for all: the quantizer (0.5.1) asks each of its own for each op, and Python
    compiles them anew from 512 on. A detector with its decoding in float took minutes.
    """
    return f"(^|;)({'|'.join(map(re.escape, names))});"


def _keep_float(tool: Any, regex: str, operation: Any) -> None:
    from ai_edge_quantizer import algorithm_manager

    tool.update_quantization_recipe(
        regex, operation, algorithm_key=algorithm_manager.AlgorithmName.NO_QUANTIZE
    )


def _statistics(
    model: Any, ranges: dict[str, tuple[float, float]], scales: dict[str, WeightScales]
) -> dict[str, Any]:
    """The ranges in the quantizer's own form: arrays of the tensor's rank.

    In doubles, so that a range which was made of a scale gives the same scale again. A weight's
    range, which the quantizer (0.5.1) takes per channel too, is that of the codes -127..127.
    """
    import numpy as np

    ranks = {
        contents.tensor_name(tensor): len(tensor.shape) if tensor.shape is not None else 0
        for tensor in model.subgraphs[0].tensors
    }
    found: dict[str, Any] = {
        name: {"min": np.full((1,) * ranks[name], low), "max": np.full((1,) * ranks[name], high)}
        for name, (low, high) in ranges.items()
        if name in ranks
    }
    for name, (axis, scale) in scales.items():
        shape = [-1 if each == axis else 1 for each in range(ranks[name])]
        largest = LARGEST_WEIGHT * np.array(scale).reshape(shape)
        found[name] = {"min": -largest, "max": largest}
    return found
