"""Read and edit the graph in a .tflite file through its flatbuffer schema."""

from __future__ import annotations

import math
import struct
from collections import Counter
from collections.abc import Collection
from functools import cache
from pathlib import Path
from typing import Any

from mobileq.errors import InputError, unreadable
from mobileq.regular_file import MAX_MODEL_BYTES, read_regular
from mobileq.spec import QuantParams

_IDENTIFIER = b"TFL3"
_TRANSPOSED, _PERMUTATION = "_transposed", "/permutation"
"""Ends of the names of the tensor that a TRANSPOSE at the model's edge took the name of, and of its
order of axes."""
_SPARE_READS = 10_000
"""What a tiny file may be read more often than it has bytes; others take one read for two."""


class _Metered:
    """A file's bytes, which can be read about as often as there are any.

    In an honest file every part is read once. In another, a thousand tables can be the same one
    with a thousand tables in it, and so on, until memory is full.
    """

    def __init__(self, data: bytes) -> None:
        self._view = memoryview(data)
        self._reads_left = self._bytes_left = len(data) + _SPARE_READS

    def __buffer__(self, flags: int) -> memoryview:
        self._reads_left -= 1
        if self._reads_left < 0:
            raise ValueError("tables within tables without end")
        return self._view

    def __getitem__(self, part: slice) -> memoryview:
        found = self._view[part]  # a string, which is copied
        self._bytes_left -= len(found)
        if self._bytes_left < 0:
            raise ValueError("more text than the file is long")
        return found


def read_model(path: Path) -> Any:
    """The file as the schema's mutable `ModelT`. Raises InputError where it is not a TFLite file.

    Its first graph has tensors, every index points at something (or is negative: an input left
    out), and lists that the file leaves out are empty. What follows the flatbuffer (the zip with
    the metadata) is left behind.
    """
    from ai_edge_litert import schema_py_generated as schema

    try:
        data = read_regular(path, MAX_MODEL_BYTES, "a TFLite file")
    except OSError as error:
        raise unreadable(path, error) from error
    hint = "Give a .tflite file that a converter wrote completely."
    if len(data) < 8 or data[4:8] != _IDENTIFIER:
        raise InputError(f"{path} is not a TFLite file.", hint)
    try:
        # Depth-first reading of offsets that a damaged file may point anywhere.
        model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(_Metered(data), 0))
        _check(model)
    except (struct.error, ValueError, TypeError, IndexError, AttributeError, OverflowError) as e:
        raise InputError(f"{path} is a damaged TFLite file.", hint) from e
    except (MemoryError, RecursionError) as e:
        raise InputError(f"{path} is a damaged TFLite file.", hint) from e
    return model


def _check(model: Any) -> None:
    """Raises ValueError (TypeError, AttributeError) where a model's parts don't fit together."""
    model.operatorCodes = _each(model.operatorCodes)
    model.buffers = _each(model.buffers)
    model.subgraphs = _each(model.subgraphs)
    if not model.subgraphs or not model.subgraphs[0].tensors:
        raise ValueError("no graph")
    for graph in model.subgraphs:
        _check_graph(graph, len(model.operatorCodes))
    for signature in model.signatureDefs or ():
        signature.inputs, signature.outputs = _each(signature.inputs), _each(signature.outputs)


def _check_graph(graph: Any, code_count: int) -> None:
    graph.tensors, graph.operators = _each(graph.tensors), _each(graph.operators)
    count = len(graph.tensors)
    graph.inputs = _checked_indices(graph.inputs, 0, count)
    graph.outputs = _checked_indices(graph.outputs, 0, count)
    for tensor in graph.tensors:
        _check_tensor(tensor)
    for op in graph.operators:
        if op.opcodeIndex >= code_count:
            raise ValueError(f"operator code {op.opcodeIndex}")
        op.inputs = _checked_indices(op.inputs, -1, count)
        op.outputs = _checked_indices(op.outputs, 0, count)


def _check_tensor(tensor: Any) -> None:
    _checked_indices(tensor.shape, 0, 1 << 31)
    quant = tensor.quantization
    if quant is None or quant.scale is None or quant.zeroPoint is None:
        return
    if len(quant.zeroPoint) not in (0, len(quant.scale)):
        raise ValueError(f"{len(quant.scale)} scales, {len(quant.zeroPoint)} zero-points")


def _each(items: list[Any] | None) -> list[Any]:
    """`items`, none of which may be missing; an empty list for a list that is."""
    if any(item is None for item in items or ()):
        raise ValueError("a table is missing")
    return items or []


def _checked_indices(indices: Any, least: int, count: int) -> Any:
    """`indices`, all of which must be in least..count-1; an empty list for None."""
    if indices is None:
        return []
    if len(indices) and not least <= int(min(indices)) <= int(max(indices)) < count:
        raise ValueError(f"index out of {count}")
    return indices


def write_model(model: Any, path: Path) -> None:
    """Serialize `model` (a schema `ModelT`) to `path`.

    Equal vectors are written once: the zero-points of a file with scales per channel, eight bytes
    each and all zero, are a tenth of a small int8 file. Buffers are aligned to 16 bytes as the
    schema demands, which its Python classes forget (ai-edge-litert 2.1.2).
    """
    builder = _builder_class()(1 << 20)
    builder.Finish(model.Pack(builder), file_identifier=_IDENTIFIER)
    path.write_bytes(bytes(builder.Output()))


_BUFFER_ALIGNMENT = 16


@cache
def _builder_class() -> Any:
    import flatbuffers
    import numpy as np

    class SharingBuilder(flatbuffers.Builder):  # type: ignore[misc]
        def __init__(self, size: int) -> None:
            super().__init__(size)
            self._written: dict[tuple[str, bytes], int] = {}

        def CreateNumpyVector(self, x: Any) -> int:
            key = x.dtype.str, x.tobytes()
            if key not in self._written:
                if x.dtype == np.uint8:
                    self._written[key] = self._aligned(key[1])
                else:
                    self._written[key] = super().CreateNumpyVector(x)
            return self._written[key]

        def _aligned(self, data: bytes) -> int:
            self.StartVector(1, len(data), _BUFFER_ALIGNMENT)
            self.head -= len(data)
            self.Bytes[self.head : self.head + len(data)] = data
            self.vectorNumElems = len(data)
            return int(self.EndVector())

    return SharingBuilder


@cache
def _enum_names(enum: str) -> dict[int, str]:
    from ai_edge_litert import schema_py_generated as schema

    members = vars(getattr(schema, enum))
    return {value: name for name, value in members.items() if isinstance(value, int)}


def op_name(model: Any, op: Any) -> str:
    """The op's type as TFLite names it: CONV_2D; a custom op by its own name."""
    from ai_edge_litert import schema_py_generated as schema

    code = model.operatorCodes[op.opcodeIndex]
    # Codes above 127 stand in `builtinCode` only, old files fill the deprecated field only.
    builtin = max(code.builtinCode, code.deprecatedBuiltinCode)
    if builtin == schema.BuiltinOperator.CUSTOM and code.customCode:
        return str(code.customCode.decode(errors="replace"))
    return _enum_names("BuiltinOperator").get(builtin, f"BUILTIN_{builtin}")


def op_counts(model: Any) -> dict[str, int]:
    """{op type: how many}, most frequent first."""
    ops = (op for graph in model.subgraphs for op in graph.operators or ())
    counted = Counter(op_name(model, op) for op in ops)
    return dict(sorted(counted.items(), key=lambda item: (-item[1], item[0])))


def typed_op_counts(model: Any) -> dict[str, int]:
    """{"op type number type": how many}, the number type being that of its first output."""
    counted = Counter(
        f"{op_name(model, op)} {dtype_name(graph.tensors[int(op.outputs[0])])}"
        for graph in model.subgraphs
        for op in graph.operators or ()
        if len(op.outputs)
    )
    return dict(sorted(counted.items(), key=lambda item: (-item[1], item[0])))


def dtype_name(tensor: Any) -> str:
    """The tensor's type as numpy names it."""
    return _enum_names("TensorType").get(tensor.type, f"type {tensor.type}").lower()


def tensor_name(tensor: Any) -> str:
    """The tensor's name; "" where the file gives none."""
    return tensor.name.decode(errors="replace") if tensor.name else ""


def tensor_quant(tensor: Any) -> QuantParams | None:
    """Scale and zero-point, or None for a tensor without."""
    quant = tensor.quantization
    if quant is None or quant.scale is None or not len(quant.scale):
        return None
    zero_points: Any = quant.zeroPoint
    if zero_points is None or not len(zero_points):
        zero_points = [0] * len(quant.scale)
    return QuantParams(
        scale=tuple(float(value) for value in quant.scale),
        zero_point=tuple(int(value) for value in zero_points),
        axis=int(quant.quantizedDimension) if len(quant.scale) > 1 else None,
    )


def transpose_output(model: Any, position: int, permutation: tuple[int, ...]) -> None:
    """Append a TRANSPOSE, so that output `position` is `old.transpose(permutation)`.

    The new tensor takes over the old one's name, and signatures follow it.
    """
    graph = model.subgraphs[0]
    source = int(graph.outputs[position])
    shape = [int(graph.tensors[source].shape[axis]) for axis in permutation]
    target = _add_renamed(model, source, shape)
    _add_transpose(model, source, target, permutation, target)
    graph.outputs = [int(index) for index in graph.outputs]  # read as a read-only array
    graph.outputs[position] = target
    _redirect_signatures(model, source, target)


def transpose_input(model: Any, position: int, permutation: tuple[int, ...]) -> None:
    """Prepend a TRANSPOSE, so that the file computes with `new.transpose(permutation)`.

    Names and signatures as of `transpose_output`.
    """
    graph = model.subgraphs[0]
    target = int(graph.inputs[position])
    shape = [0] * len(permutation)
    for size, axis in zip(graph.tensors[target].shape, permutation, strict=True):
        shape[axis] = int(size)
    source = _add_renamed(model, target, shape)
    _add_transpose(model, source, target, permutation, source)
    graph.operators.insert(0, graph.operators.pop())
    graph.inputs = [int(index) for index in graph.inputs]
    graph.inputs[position] = source
    _redirect_signatures(model, target, source)


def insert_transpose(
    model: Any, behind: Any, source: int, target: int, permutation: tuple[int, ...]
) -> None:
    """Put a TRANSPOSE of the tensor `source` into the tensor `target` behind an op."""
    graph = model.subgraphs[0]
    _add_transpose(model, source, target, permutation, target)
    graph.operators.insert(graph.operators.index(behind) + 1, graph.operators.pop())


def reshape_output(model: Any, position: int, shape: tuple[int, ...]) -> None:
    """Append a RESHAPE to `shape`; names and signatures as of `transpose_output`."""
    graph = model.subgraphs[0]
    source = int(graph.outputs[position])
    target = _add_renamed(model, source, list(shape))
    _add_reshape(model, source, target, shape)
    graph.outputs = [int(index) for index in graph.outputs]
    graph.outputs[position] = target
    _redirect_signatures(model, source, target)


def reshape_input(model: Any, position: int, shape: tuple[int, ...]) -> None:
    """Prepend a RESHAPE, so that the file takes `shape`; the rest as of `reshape_output`."""
    graph = model.subgraphs[0]
    target = int(graph.inputs[position])
    inner = tuple(int(size) for size in graph.tensors[target].shape)
    source = _add_renamed(model, target, list(shape))
    _add_reshape(model, source, target, inner)
    graph.operators.insert(0, graph.operators.pop())
    graph.inputs = [int(index) for index in graph.inputs]
    graph.inputs[position] = source
    _redirect_signatures(model, target, source)


def unmade_outputs(model: Any) -> tuple[int, ...]:
    """Positions of the outputs that no op gives, and that are no input and no constant."""
    graph = model.subgraphs[0]
    made = {int(index) for op in graph.operators for index in op.outputs}
    made |= {int(index) for index in graph.inputs}
    return tuple(
        position
        for position, index in enumerate(graph.outputs)
        if int(index) not in made and not has_data(model, graph.tensors[int(index)])
    )


def copy_output(model: Any, source: int, position: int) -> None:
    """Append a RESHAPE that fills output `position`, which nothing made, with output `source`."""
    graph = model.subgraphs[0]
    given, target = int(graph.outputs[source]), int(graph.outputs[position])
    shape = tuple(int(size) for size in graph.tensors[given].shape)
    graph.tensors[target].shape = list(shape)
    graph.tensors[target].shapeSignature = None
    _add_reshape(model, given, target, shape)


def make_names_unique(model: Any) -> bool:
    """Rename tensors that have another's name, which ai-edge-quantizer 0.5.1 refuses.

    onnx2tf 2.6.9 names those of a loop's condition as those of its body.

    Returns:
        Whether there was any.
    """
    used: set[bytes] = set()
    changed = False
    for graph in model.subgraphs:
        for tensor in graph.tensors:
            name, count = tensor.name or b"", 1
            while tensor.name in used:
                count += 1
                tensor.name = name + b"/%d" % count
                changed = True
            if tensor.name:
                used.add(tensor.name)
    return changed


def before_transpose(name: str, present: Collection[str]) -> str:
    """What the tensor of this name is called since `transpose_output` put another in its place.

    Args:
        present: Names of all tensors of the file.
    """
    transposed = f"{name}{_PERMUTATION}" in present
    return f"{name}{_TRANSPOSED}" if transposed else name


def _add_renamed(model: Any, index: int, shape: list[int]) -> int:
    """A tensor of another shape in the place of one at the model's edge, whose name it takes."""
    from ai_edge_litert import schema_py_generated as schema

    graph = model.subgraphs[0]
    old, new = graph.tensors[index], schema.TensorT()
    new.name, new.type, new.quantization = old.name, old.type, old.quantization
    new.shape = shape
    old.name = old.name + _TRANSPOSED.encode()
    return _add_tensor(graph, new)


def _add_transpose(
    model: Any, source: int, target: int, permutation: tuple[int, ...], named: int
) -> None:
    from ai_edge_litert import schema_py_generated as schema

    graph = model.subgraphs[0]
    # ai-edge-quantizer 0.5.1 refuses files where two tensors have the same name.
    name = graph.tensors[named].name + _PERMUTATION.encode()
    order = _add_constant_int32(model, graph, name, permutation)
    _add_op(model, graph, schema.BuiltinOperator.TRANSPOSE, [source, order], [target])
    graph.operators[-1].builtinOptionsType = schema.BuiltinOptions.TransposeOptions
    graph.operators[-1].builtinOptions = schema.TransposeOptionsT()


def _add_reshape(model: Any, source: int, target: int, shape: tuple[int, ...]) -> None:
    from ai_edge_litert import schema_py_generated as schema

    graph = model.subgraphs[0]
    name = graph.tensors[target].name + b"/shape"
    wanted = _add_constant_int32(model, graph, name, shape)
    _add_op(model, graph, schema.BuiltinOperator.RESHAPE, [source, wanted], [target])


def halve_constant(model: Any, index: int) -> Any:
    """Move a float32 constant into a float16 tensor.

    Returns the DEQUANTIZE op that widens it again, for the caller to put before its users.
    """
    import numpy as np
    from ai_edge_litert import schema_py_generated as schema

    graph = model.subgraphs[0]
    wide = graph.tensors[index]
    narrow, buffer = schema.TensorT(), schema.BufferT()
    values = np.frombuffer(bytes(model.buffers[wide.buffer].data), "<f4")
    buffer.data = np.frombuffer(values.astype("<f2").tobytes(), np.uint8)
    model.buffers.append(buffer)
    narrow.name, narrow.shape = wide.name + b"_float16", wide.shape
    narrow.type, narrow.buffer = schema.TensorType.FLOAT16, len(model.buffers) - 1
    if not any(other.buffer == wide.buffer for other in graph.tensors if other is not wide):
        model.buffers[wide.buffer].data = None
    wide.buffer = 0  # computed now
    op = schema.OperatorT()
    op.opcodeIndex = _opcode_index(model, schema.BuiltinOperator.DEQUANTIZE, version=3)
    op.inputs, op.outputs = [_add_tensor(graph, narrow)], [index]
    return op


def _add_tensor(graph: Any, tensor: Any) -> int:
    graph.tensors.append(tensor)
    return len(graph.tensors) - 1


def _add_constant_int32(model: Any, graph: Any, name: bytes, values: tuple[int, ...]) -> int:
    from ai_edge_litert import schema_py_generated as schema

    buffer = schema.BufferT()
    buffer.data = list(struct.pack(f"<{len(values)}i", *values))
    model.buffers.append(buffer)
    tensor = schema.TensorT()
    tensor.name, tensor.type, tensor.shape = name, schema.TensorType.INT32, [len(values)]
    tensor.buffer = len(model.buffers) - 1
    return _add_tensor(graph, tensor)


def insert_quantize(model: Any, graph: Any, before: Any, source: int, like: Any) -> int:
    """Put a QUANTIZE of the tensor `source` before an op; gives the index of the result.

    Its type, scale and zero-point are those of the tensor `like`.
    """
    from ai_edge_litert import schema_py_generated as schema

    tensor = schema.TensorT()
    tensor.name = graph.tensors[source].name + b"/quantized"
    tensor.shape, tensor.type = graph.tensors[source].shape, like.type
    tensor.quantization = like.quantization
    return insert_op(model, graph, before, "QUANTIZE", [source], tensor)


def insert_op(
    model: Any, graph: Any, before: Any, kind: str, inputs: list[int], result: Any
) -> int:
    """Put a QUANTIZE, or an int8 ADD or MUL, before an op; gives the index of what it makes.

    `result`: a new tensor, or the index of one.
    """
    from ai_edge_litert import schema_py_generated as schema

    op, version = schema.OperatorT(), 1
    if kind in ("ADD", "MUL"):
        op.builtinOptions = schema.AddOptionsT() if kind == "ADD" else schema.MulOptionsT()
        op.builtinOptionsType = getattr(schema.BuiltinOptions, f"{kind.title()}Options")
        version = 2  # the first for int8
    op.opcodeIndex = _opcode_index(model, getattr(schema.BuiltinOperator, kind), version)
    made = result if isinstance(result, int) else _add_tensor(graph, result)
    op.inputs, op.outputs = inputs, [made]
    graph.operators.insert(graph.operators.index(before), op)
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


def has_data(model: Any, tensor: Any) -> bool:
    """Whether the tensor is a constant."""
    data = model.buffers[tensor.buffer].data
    return data is not None and len(data) > 0


def float32_values(model: Any, tensor: Any) -> Any | None:
    """The values of a float32 constant, in its shape; None for all else."""
    import numpy as np

    if not has_data(model, tensor) or dtype_name(tensor) != "float32":
        return None
    data = model.buffers[tensor.buffer].data
    return np.frombuffer(bytes(data), "<f4").reshape([int(each) for each in tensor.shape])


def add_constant(
    model: Any, graph: Any, name: bytes, values: Any, scale: float | None = None
) -> int:
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
    return _add_tensor(graph, tensor)


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
    op.opcodeIndex = _opcode_index(model, schema.BuiltinOperator.FULLY_CONNECTED, version=6)
    op.inputs = [int(op.inputs[0]), weights, -1]


def add_scalar_like(model: Any, graph: Any, other: Any, value: int) -> int:
    """Add a constant of one integer with the type, scale and zero-point of the tensor `other`."""
    import numpy as np
    from ai_edge_litert import schema_py_generated as schema

    buffer, tensor = schema.BufferT(), schema.TensorT()
    buffer.data = np.frombuffer(np.array([value], dtype_name(other)).tobytes(), np.uint8)
    model.buffers.append(buffer)
    tensor.name = other.name + b"/constant"
    tensor.type, tensor.shape, tensor.quantization = other.type, [1], other.quantization
    tensor.buffer = len(model.buffers) - 1
    return _add_tensor(graph, tensor)


def _add_op(model: Any, graph: Any, builtin: int, inputs: list[int], outputs: list[int]) -> None:
    from ai_edge_litert import schema_py_generated as schema

    op = schema.OperatorT()
    op.opcodeIndex = _opcode_index(model, builtin)
    op.inputs, op.outputs = inputs, outputs
    graph.operators.append(op)


def _opcode_index(model: Any, builtin: int, version: int = 1) -> int:
    """Where the op type stands in the list of those used; `version` is the oldest that will do."""
    from ai_edge_litert import schema_py_generated as schema

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


def _redirect_signatures(model: Any, source: int, target: int) -> None:
    for signature in model.signatureDefs or ():
        for entry in (*signature.inputs, *signature.outputs):
            if entry.tensorIndex == source:
                entry.tensorIndex = target


def order_outputs(model: Any, names: tuple[str, ...]) -> bool:
    """Put the outputs in the order of `names`, the signature's; whether that changed anything.

    A SavedModel's outputs have names and no order; TFLiteConverter makes up one. Nothing is done
    where the signature has other names.
    """
    signatures = model.signatureDefs or []
    if len(signatures) != 1:
        return False
    named = {bytes(each.name).decode(): each.tensorIndex for each in signatures[0].outputs}
    if len(named) != len(model.subgraphs[0].outputs) or set(named) != set(names):
        return False
    before = [int(index) for index in model.subgraphs[0].outputs]
    wanted = [int(named[name]) for name in names]
    model.subgraphs[0].outputs = wanted
    return before != wanted


def shift_io_to_uint8(model: Any) -> None:
    """Turn int8 inputs and outputs into uint8 ones with the same scale and zero-point + 128.

    A QUANTIZE op at each edge shifts the values; nothing is lost.
    """
    from ai_edge_litert import schema_py_generated as schema

    graph = model.subgraphs[0]
    # The schema reads index lists as read-only arrays.
    graph.inputs, graph.outputs = list(map(int, graph.inputs)), list(map(int, graph.outputs))
    for edges, is_input in ((graph.inputs, True), (graph.outputs, False)):
        for position, index in enumerate(edges):
            inner = graph.tensors[index]
            if inner.type != schema.TensorType.INT8:
                continue
            outer = _add_tensor(graph, _as_uint8(inner))
            ends = ([outer], [index]) if is_input else ([index], [outer])
            _add_op(model, graph, schema.BuiltinOperator.QUANTIZE, *ends)
            if is_input:  # ops are run in the order of the list
                graph.operators.insert(0, graph.operators.pop())
            edges[position] = outer
            _redirect_signatures(model, index, outer)


def _as_uint8(inner: Any) -> Any:
    from ai_edge_litert import schema_py_generated as schema

    outer, quant = schema.TensorT(), schema.QuantizationParametersT()
    quant.scale = list(inner.quantization.scale)
    quant.zeroPoint = [int(inner.quantization.zeroPoint[0]) + 128]
    outer.name, inner.name = inner.name, inner.name + b"_int8"
    outer.shape, outer.type, outer.quantization = (
        inner.shape,
        schema.TensorType.UINT8,
        quant,
    )
    return outer


def float_ops(model: Any) -> tuple[str, ...]:
    """Types of the ops that take or give floats, each once."""
    found = dict.fromkeys(
        op_name(model, op)
        for graph in model.subgraphs
        for op in graph.operators or ()
        for index in (*op.inputs, *op.outputs)
        if int(index) >= 0 and dtype_name(graph.tensors[int(index)]).startswith("float")
    )
    return tuple(found)


_WEIGHTY = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV", "CONV_3D")
_FEWEST_WEIGHTS = 64
"""A convolution with fewer weights is arithmetic in disguise: a DFL's sum over 16 bins."""


def tail_tensors(model: Any) -> tuple[str, ...]:
    """Output tensors of the ops that follow the last weighty ops: a detector's decoding.

    An op belongs to the tail where a weighty op comes before it and none after it.
    """
    graph = model.subgraphs[0]
    ops = graph.operators
    weighty = {at for at, op in enumerate(ops) if _is_weighty(model, graph, op)}
    after = _reached(ops, weighty, forward=True)
    before = _reached(ops, weighty, forward=False)
    return tuple(
        tensor_name(graph.tensors[index])
        for at, op in enumerate(ops)
        if at in after and at not in before and at not in weighty
        for index in op.outputs
    )


def weighty_outputs(model: Any, share: float, least: int) -> set[str]:
    """Output tensors of the ops with at least this share of all weights, and so many of them."""
    graph = model.subgraphs[0]
    counts = {
        tensor_name(graph.tensors[int(op.outputs[0])]): _weight_count(graph, op)
        for op in graph.operators
        if _is_weighty(model, graph, op)
    }
    least = max(least, math.ceil(share * sum(counts.values())))
    return {name for name, count in counts.items() if count >= least}


def _weight_count(graph: Any, op: Any) -> int:
    return math.prod(map(int, graph.tensors[int(op.inputs[1])].shape))


def _is_weighty(model: Any, graph: Any, op: Any) -> bool:
    if op_name(model, op) not in _WEIGHTY:
        return False
    # In all of them the weights come second; TRANSPOSE_CONV starts with the output's shape.
    if len(op.inputs) < 2 or op.inputs[1] < 0:
        return False
    if graph.tensors[op.inputs[1]].shape is None:
        return False
    return _weight_count(graph, op) >= _FEWEST_WEIGHTS


def _reached(ops: Any, start: set[int], forward: bool) -> set[int]:
    """Ops that lie behind (or before) the `start` ops, by the tensors that connect them."""
    reached: set[int] = set()
    live: set[int] = set()
    # Ops stand in the order they run, so one sweep is enough.
    for at in range(len(ops)) if forward else reversed(range(len(ops))):
        takes, gives = (ops[at].inputs, ops[at].outputs)[:: 1 if forward else -1]
        if live.intersection(int(index) for index in takes):
            reached.add(at)
        if at in reached or at in start:
            live.update(int(index) for index in gives)
    return reached


def tensor_types(model: Any) -> dict[str, int]:
    """{tensor type: how many}, most frequent first."""
    counted = Counter(dtype_name(tensor) for tensor in model.subgraphs[0].tensors)
    return dict(sorted(counted.items(), key=lambda item: (-item[1], item[0])))


def activation_indices(model: Any) -> set[int]:
    """The tensors that are computed, or fed: all but the constants."""
    graph = model.subgraphs[0]
    computed = (int(index) for op in graph.operators for index in op.outputs)
    return {*computed, *map(int, graph.inputs)}


def custom_ops(model: Any) -> tuple[str, ...]:
    """Names of the ops that no TFLite runtime has by itself."""
    known = set(_enum_names("BuiltinOperator").values())
    return tuple(name for name in op_counts(model) if name not in known)
