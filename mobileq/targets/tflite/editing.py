"""Put tensors, constants and ops into a file's main graph.

ai-edge-quantizer 0.5.1 refuses files where two tensors have the same name: what is new is named
after what it stands beside.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from mobileq.spec import QuantParams
from mobileq.targets.tflite.contents import dtype_name

ORDER_SUFFIX = "/permutation"
"""Ends the name of a TRANSPOSE's order of axes."""
_SECOND_FOR_INT8 = ("ADD", "MUL", "PAD", "SLICE", "CONCATENATION", "SPACE_TO_DEPTH")
"""Ops whose second version is the first for int8."""
_WITH_OPTIONS = (*_SECOND_FOR_INT8, "TRANSPOSE")
"""Of the ops that are put in, those that the schema has a table of options for."""


def insert_transpose(
    model: Any, behind: Any, source: int, target: int, permutation: tuple[int, ...]
) -> None:
    """Put a TRANSPOSE of the tensor `source` into the tensor `target` behind an op."""
    graph = model.subgraphs[0]
    add_transpose(model, source, target, permutation, target)
    graph.operators.insert(graph.operators.index(behind) + 1, graph.operators.pop())


def add_transpose(
    model: Any, source: int, target: int, permutation: tuple[int, ...], named: int
) -> None:
    """Append a TRANSPOSE; its order of axes is named after the tensor `named`."""
    name = model.subgraphs[0].tensors[named].name + ORDER_SUFFIX.encode()
    order = _add_constant_int32(model, name, permutation)
    append_op(model, "TRANSPOSE", [source, order], [target])


def add_reshape(model: Any, source: int, target: int, shape: tuple[int, ...]) -> None:
    """Append a RESHAPE of the tensor `source` into the tensor `target`."""
    name = model.subgraphs[0].tensors[target].name + b"/shape"
    wanted = _add_constant_int32(model, name, shape)
    append_op(model, "RESHAPE", [source, wanted], [target])


def add_slice(model: Any, source: int, target: int, begin: tuple[int, ...]) -> None:
    """Append a SLICE of the tensor `source`, from `begin` on, into the tensor `target`."""
    given = model.subgraphs[0].tensors[target]
    name, size = given.name, tuple(map(int, given.shape))
    first = _add_constant_int32(model, name + b"/begin", begin)
    wanted = _add_constant_int32(model, name + b"/size", size)
    append_op(model, "SLICE", [source, first, wanted], [target])


def add_concatenation(model: Any, sources: list[int], target: int, axis: int) -> None:
    """Append a CONCATENATION, of float or int8 tensors of one scale, into the tensor `target`."""
    append_op(model, "CONCATENATION", sources, [target], axis=axis)


def add_space_to_depth(model: Any, source: int, target: int, block: int) -> None:
    """Append a SPACE_TO_DEPTH of the tensor `source` into the tensor `target`."""
    append_op(model, "SPACE_TO_DEPTH", [source], [target], blockSize=block)


def append_op(model: Any, kind: str, inputs: list[int], outputs: list[int], **options: int) -> None:
    """Put an op behind all others; its other options are as the schema begins with them."""
    from ai_edge_litert import schema_py_generated as schema

    op = schema.OperatorT()
    op.opcodeIndex = opcode_index(model, kind, 2 if kind in _SECOND_FOR_INT8 else 1)
    op.inputs, op.outputs = inputs, outputs
    if kind in _WITH_OPTIONS:
        group = f"{kind.title().replace('_', '')}Options"
        op.builtinOptionsType = getattr(schema.BuiltinOptions, group)
        op.builtinOptions = getattr(schema, f"{group}T")()
    for name, value in options.items():
        setattr(op.builtinOptions, name, value)
    model.subgraphs[0].operators.append(op)


@contextmanager
def placed_before(model: Any, op: Any) -> Iterator[None]:
    """What is appended within the block comes before an op."""
    graph = model.subgraphs[0]
    count = len(graph.operators)
    yield
    added = graph.operators[count:]
    del graph.operators[count:]
    at = graph.operators.index(op)
    graph.operators[at:at] = added


def add_tensor(model: Any, tensor: Any) -> int:
    """Add a tensor; gives its index."""
    tensors = model.subgraphs[0].tensors
    tensors.append(tensor)
    return len(tensors) - 1


def _add_constant_int32(model: Any, name: bytes, values: tuple[int, ...]) -> int:
    from ai_edge_litert import schema_py_generated as schema

    buffer = schema.BufferT()
    buffer.data = list(struct.pack(f"<{len(values)}i", *values))
    model.buffers.append(buffer)
    tensor = schema.TensorT()
    tensor.name, tensor.type, tensor.shape = name, schema.TensorType.INT32, [len(values)]
    tensor.buffer = len(model.buffers) - 1
    return add_tensor(model, tensor)


def insert_quantize(model: Any, before: Any, source: int, like: Any) -> int:
    """Put a QUANTIZE of the tensor `source` before an op; gives the index of the result.

    Its type, scale and zero-point are those of the tensor `like`.
    """
    quantized = tensor_like(model, source, like)
    return insert_op(model, before, "QUANTIZE", [source], quantized)


def tensor_like(model: Any, index: int, other: Any) -> int:
    """Add a tensor of a tensor's shape, with the type, scale and zero-point of `other`."""
    given = model.subgraphs[0].tensors[index]
    return add_tensor(model, like(other, given.name + b"/quantized", given.shape))


def require_version(model: Any, op: Any, version: int) -> None:
    """Say that an op needs this version of its kernel, or a later one."""
    code = model.operatorCodes[op.opcodeIndex]
    code.version = max(code.version, version)


def insert_op(model: Any, before: Any, kind: str, inputs: list[int], result: Any) -> int:
    """Put an op before another; gives the index of what it makes.

    `result`: a new tensor, or the index of one.
    """
    made = result if isinstance(result, int) else add_tensor(model, result)
    with placed_before(model, before):
        append_op(model, kind, inputs, [made])
    return int(made)


def int8_tensor(name: bytes, shape: Any, scale: float, zero_point: int = 0) -> Any:
    """A new tensor, which is in no graph yet."""
    import numpy as np
    from ai_edge_litert import schema_py_generated as schema

    tensor = schema.TensorT()
    tensor.name, tensor.shape, tensor.type = name, shape, schema.TensorType.INT8
    tensor.quantization = schema.QuantizationParametersT()
    tensor.quantization.scale = np.array([scale], np.float32)
    tensor.quantization.zeroPoint = np.array([zero_point], np.int64)
    return tensor


def like(tensor: Any, name: bytes, shape: Iterable[int] | None) -> Any:
    """A new tensor of the type and scale of one, which is in no graph yet."""
    from ai_edge_litert import schema_py_generated as schema

    made = schema.TensorT()
    made.name, made.shape = name, None if shape is None else [int(size) for size in shape]
    made.type, made.quantization = tensor.type, tensor.quantization
    return made


def float_tensor(name: bytes, shape: Any) -> Any:
    """A new tensor, which is in no graph yet."""
    from ai_edge_litert import schema_py_generated as schema

    tensor = schema.TensorT()
    tensor.name, tensor.shape, tensor.type = name, shape, schema.TensorType.FLOAT32
    return tensor


def symmetric(quant: QuantParams) -> Any:
    """A tensor of int8, in no graph, that holds all that one of this scale does, around 0."""
    farthest = max(128 + quant.zero_point[0], 127 - quant.zero_point[0])
    return int8_tensor(b"", None, quant.scale[0] * farthest / 127)


def add_constant(model: Any, name: bytes, values: Any, scale: float | None = None) -> int:
    """Add a tensor that holds an array, integers with their scale; gives its index."""
    import numpy as np
    from ai_edge_litert import schema_py_generated as schema

    buffer, tensor = schema.BufferT(), schema.TensorT()
    buffer.data = np.frombuffer(np.ascontiguousarray(values).tobytes(), np.uint8)
    model.buffers.append(buffer)
    if scale is not None:
        tensor = int8_tensor(name, None, scale)
    tensor.name, tensor.shape = name, np.array(values.shape, np.int32)
    tensor.type = getattr(schema.TensorType, str(values.dtype).upper())
    tensor.buffer = len(model.buffers) - 1
    return add_tensor(model, tensor)


def drop_constants(model: Any, indices: Collection[int]) -> None:
    """Empty the buffers of those of these constants that nothing takes any more."""
    graph = model.subgraphs[0]
    used = {int(index) for op in graph.operators for index in op.inputs} | set(graph.outputs)
    kept = {graph.tensors[index].buffer for index in used if index >= 0}
    for index in indices:
        if graph.tensors[index].buffer not in kept:
            model.buffers[graph.tensors[index].buffer].data = None


def make_fully_connected(model: Any, op: Any, weights: int) -> None:
    """Turn an op into the product of its first input by a constant's rows, axes kept."""
    from ai_edge_litert import schema_py_generated as schema

    options = schema.FullyConnectedOptionsT()
    options.keepNumDims = True
    op.builtinOptions = options
    op.builtinOptionsType = schema.BuiltinOptions.FullyConnectedOptions
    # The first version that keeps axes, and the first that needs no bias.
    op.opcodeIndex = opcode_index(model, "FULLY_CONNECTED", version=6)
    op.inputs = [int(op.inputs[0]), weights, -1]


def add_scalar_like(model: Any, other: Any, value: int) -> int:
    """Add a constant of one integer with the type, scale and zero-point of the tensor `other`."""
    import numpy as np
    from ai_edge_litert import schema_py_generated as schema

    buffer, tensor = schema.BufferT(), schema.TensorT()
    buffer.data = np.frombuffer(np.array([value], dtype_name(other)).tobytes(), np.uint8)
    model.buffers.append(buffer)
    tensor.name = other.name + b"/constant"
    tensor.type, tensor.shape, tensor.quantization = other.type, [1], other.quantization
    tensor.buffer = len(model.buffers) - 1
    return add_tensor(model, tensor)


def opcode_index(model: Any, kind: str, version: int = 1) -> int:
    """Where the op type stands in the list of those used; `version` is the oldest that will do."""
    from ai_edge_litert import schema_py_generated as schema

    builtin = getattr(schema.BuiltinOperator, kind)
    for index, code in enumerate(model.operatorCodes):
        if max(code.builtinCode, code.deprecatedBuiltinCode) == builtin:
            code.version = max(code.version, version)
            return index
    code = schema.OperatorCodeT()
    code.builtinCode = builtin
    code.deprecatedBuiltinCode = min(builtin, 127)
    code.version = version
    model.operatorCodes.append(code)
    return len(model.operatorCodes) - 1
