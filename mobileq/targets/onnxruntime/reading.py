"""Read a .onnx file as what it is, without running it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from mobileq.graph.load import load
from mobileq.graph.outline import (
    all_tensors,
    constants,
    consumers,
    dtype_name,
    op_counts,
    producers,
    tensor_specs,
)
from mobileq.graph.pair_parameters import DEQUANTIZE, PAIR, QUANTIZE
from mobileq.graph.shapes import infer_shapes
from mobileq.spec import QuantParams
from mobileq.targets.model_file import ModelFile, QuantizedTensor, quantized_tensor
from mobileq.targets.onnxruntime.metadata import embedded_spec, metadata_of
from mobileq.targets.onnxruntime.reduced import read_reduced

if TYPE_CHECKING:
    from collections.abc import Iterator

    from onnx import ModelProto, NodeProto

_CUT_OFF = ("Relu", "Clip")
_CODES = {"int8": (-128, 127), "uint8": (0, 255), "int16": (-(2**15), 2**15 - 1)}


def read_file(path: Path) -> ModelFile:
    """See `mobileq.targets.base.Target.read`."""
    if path.suffix.lower() == ".ort":
        return read_reduced(path)
    model = load(path)
    inputs, outputs = tensor_specs(model)
    types = Counter(dtype_name(tensor.data_type) for tensor in all_tensors(model))
    return ModelFile(
        inputs=inputs,
        outputs=outputs,
        ops=op_counts(model),
        tensor_types=dict(types),
        quantized=tuple(quantized_activations(model)),
        spec=embedded_spec(metadata_of(model), path),
        metadata=metadata_of(model),
    )


def typed_op_counts(model: ModelProto) -> dict[str, int]:
    """{"Conv uint8": 60}, the most frequent first: by op, and by the type of what it gives.

    Between a DequantizeLinear and a QuantizeLinear that is the integers' type. A Relu or Clip may
    stand before the latter, which does the same. Pairs do not count.
    """
    values = (*model.graph.input, *model.graph.output, *infer_shapes(model).graph.value_info)
    types = {value.name: dtype_name(value.type.tensor_type.elem_type) for value in values}
    makers, readers = producers(model.graph), consumers(model.graph)

    def kind(node: NodeProto) -> str:
        name = node.output[0]
        maker = makers.get(node.input[0]) if node.input else None
        taken = readers.get(name, [])
        if len(taken) == 1 and taken[0].op_type in _CUT_OFF:
            taken = readers.get(taken[0].output[0], [])
        if maker and maker.op_type in _CUT_OFF:
            maker = makers.get(maker.input[0])
        of_pairs = maker is not None and maker.op_type == DEQUANTIZE
        if of_pairs and taken and all(each.op_type == QUANTIZE for each in taken):
            name = taken[0].output[0]
        return types.get(name, "unknown")

    nodes = (node for node in model.graph.node if node.op_type not in PAIR)
    counts = Counter(f"{node.op_type} {kind(node)}" for node in nodes)
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def quantized_activations(model: ModelProto) -> Iterator[QuantizedTensor]:
    """What the file's QuantizeLinear nodes take, where scale and zero-point are constants."""
    values = constants(model.graph)
    for node in model.graph.node:
        if node.op_type != QUANTIZE or node.input[0] in values:
            continue
        if len(node.input) < 3 or not {*node.input[1:3]} <= values.keys():
            continue
        scale, zero = (values[name] for name in node.input[1:3])
        if scale.size == 1 and zero.dtype.name in _CODES:
            codes = _CODES[zero.dtype.name]
            yield quantized_tensor(node.input[0], zero.dtype.name, float(scale), int(zero), *codes)


def quantization_of(model: ModelProto) -> dict[str, QuantParams]:
    """Of the tensors that a QuantizeLinear takes, as if their codes were int8."""
    return {
        each.name: QuantParams(
            scale=(each.scale,), zero_point=(each.zero_point - 128 * (each.dtype == "uint8"),)
        )
        for each in quantized_activations(model)
    }
