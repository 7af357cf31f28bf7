"""Operators on codes as what they stand for: pairs around float operators.

`quantize_static` in its operator format, and graphs that ONNX Runtime has optimized, have one
operator in place of DequantizeLinear, a float operator and QuantizeLinear (ONNX operator schemas,
QLinearConv and QLinearMatMul; ONNX Runtime, ContribOperators.md, QLinearAdd and its like).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mobileq.graph.outline import attribute, constants, opset

if TYPE_CHECKING:
    import numpy.typing as npt
    from onnx import GraphProto, ModelProto, NodeProto, TensorProto

    Array = npt.NDArray[Any]


@dataclass(frozen=True)
class _Form:
    """How an operator lists what its float operator takes.

    `operands` are the places of codes, each before its scale and its zero-point; `scale` is the
    place of the result's scale, before its zero-point; `bias` that of whole numbers whose scale is
    the product of the operands'. What is at `plain` is no code.
    """

    op_type: str
    operands: tuple[int, ...] = (0,)
    scale: int = 3
    bias: int | None = None
    plain: tuple[int, ...] = ()


_FORMS = {
    "QLinearConv": _Form("Conv", (0, 3), 6, bias=8),
    "QLinearMatMul": _Form("MatMul", (0, 3), 6),
    "QLinearAdd": _Form("Add", (0, 3), 6),
    "QLinearMul": _Form("Mul", (0, 3), 6),
    "QGemm": _Form("Gemm", (0, 3), 7, bias=6),
    "QLinearWhere": _Form("Where", (1, 4), 7, plain=(0,)),
    "QLinearConcat": _Form("Concat", (), 0),
    "QLinearSigmoid": _Form("Sigmoid"),
    "QLinearLeakyRelu": _Form("LeakyRelu"),
    "QLinearSoftmax": _Form("Softmax"),
    "QLinearAveragePool": _Form("AveragePool"),
    "QLinearGlobalAveragePool": _Form("GlobalAveragePool"),
}
_OF_THE_STANDARD = ("QLinearConv", "QLinearMatMul")
_NOT_OF_FLOATS = ("channels_last", "opset")
"""Attributes that the float operators lack: an order of axes, and the opset that the model has."""
_WITH_AXIS = 13
"""The opset from which DequantizeLinear has scales along an axis."""


def as_pairs(model: ModelProto) -> ModelProto:
    """A copy in which such operators are written as pairs; the model itself where it has none.

    Operators whose scales are computed when the model runs stay.
    """
    if not any(_form(node) for node in model.graph.node):
        return model
    import onnx

    changed = onnx.ModelProto()
    changed.CopyFrom(_with_axes(model))
    graph = changed.graph
    writing = _Writing(graph)
    del graph.node[:], graph.value_info[:]
    graph.node.extend(writing.nodes)
    graph.initializer.extend(writing.initializers)
    return changed


def _form(node: NodeProto) -> _Form | None:
    is_standard = node.domain in ("", "ai.onnx") and node.op_type in _OF_THE_STANDARD
    last = attribute(node, "channels_last")
    if not (is_standard or node.domain == "com.microsoft") or (last is not None and last.i):
        return None
    return _FORMS.get(node.op_type)


def _with_axes(model: ModelProto) -> ModelProto:
    from onnx import version_converter

    if opset(model) >= _WITH_AXIS:
        return model
    try:
        return version_converter.convert_version(model, _WITH_AXIS)
    except RuntimeError:  # it knows no operators but the standard's
        return model


class _Writing:
    """The nodes of a graph, with pairs in place of operators on codes."""

    def __init__(self, graph: GraphProto) -> None:
        self.nodes: list[NodeProto] = []
        self.initializers: list[TensorProto] = []
        self._values = constants(graph)
        self._used = {name for node in graph.node for name in (*node.input, *node.output)}
        for node in graph.node:
            form = _form(node)
            if form is None or not self._written(node, form):
                self.nodes.append(node)

    def _written(self, node: NodeProto, form: _Form) -> bool:
        from onnx import helper

        taken = [*node.input, "", ""]
        places = form.operands or range(2, len(node.input), 3)
        steps = [self._values.get(taken[at + 1]) for at in places]
        pairs = [_axis(node, at, step) for at, step in enumerate(steps)]
        target = taken[form.scale]
        if None in pairs or (target and target not in self._values):
            return False
        inputs = [taken[at] for at in form.plain]
        for at, (scale, axis) in zip(places, filter(None, pairs), strict=True):
            inputs.append(self._dequantized(taken[at], scale, self._zero(taken[at + 2]), axis))
        if form.bias is not None and taken[form.bias]:
            alpha = attribute(node, "alpha")
            step = _product(steps, alpha.f if alpha is not None else 1.0)
            inputs.append(self._dequantized(taken[form.bias], step, (), 0 if step.ndim else None))
        result = self._fresh(node.output[0]) if target else node.output[0]
        made = helper.make_node(form.op_type, inputs, [result], node.name)
        made.attribute.extend(each for each in node.attribute if each.name not in _NOT_OF_FLOATS)
        self.nodes.append(made)
        if target:
            step_name = self._constant(_scalar(self._values[target]), target)
            given = [result, step_name, *self._zero(taken[form.scale + 1])]
            self.nodes.append(helper.make_node("QuantizeLinear", given, [node.output[0]]))
        return True

    def _dequantized(self, name: str, scale: Array, zero: Sequence[str], axis: int | None) -> str:
        from onnx import helper

        result = self._fresh(name)
        given = [name, self._constant(scale, name), *zero]
        node = helper.make_node("DequantizeLinear", given, [result])
        if axis is not None:
            node.attribute.append(helper.make_attribute("axis", axis))
        self.nodes.append(node)
        return result

    def _zero(self, name: str) -> tuple[str, ...]:
        """The zero-point in the shape of its scale: a list of one number is a number."""
        value = self._values.get(name)
        if value is None or value.size > 1:
            return (self._constant(value.reshape(-1), name),) if value is not None else ()
        return (self._constant(_scalar(value), name),)

    def _constant(self, value: Array, hint: str) -> str:
        from onnx import numpy_helper

        name = self._fresh(hint)
        self.initializers.append(numpy_helper.from_array(value, name))
        return name

    def _fresh(self, hint: str) -> str:
        names = (f"{hint}/{count}" for count in itertools.count(1))
        name = next(name for name in names if name not in self._used)
        self._used.add(name)
        return name


def _axis(node: NodeProto, operand: int, scale: Array | None) -> tuple[Array, int | None] | None:
    """The scale as DequantizeLinear takes it, and its axis; None where it is of no such kind."""
    if scale is None:
        return None
    if scale.size == 1:
        return _scalar(scale), None
    if node.op_type == "QLinearConv" and operand == 1:
        return scale, 0
    if node.op_type == "QGemm" and operand == 1:
        transposed = attribute(node, "transB")
        return scale, 0 if transposed is not None and transposed.i else 1
    if node.op_type == "QLinearMatMul" and scale.size in scale.shape[-2:]:
        is_row = scale.shape[-1] != scale.size or (scale.ndim == 1 and operand == 0)
        return scale.reshape(-1), -2 if is_row else -1
    return None


def _product(steps: Sequence[Array | None], alpha: float) -> Array:
    """What whole numbers stand for that are added to products of two operands."""
    import numpy as np

    product = np.asarray(alpha, np.float32)
    for step in steps:
        if step is not None:
            product = np.asarray(product * _scalar(step), np.float32)
    return product


def _scalar(value: Array) -> Array:
    return value.reshape(()) if value.size == 1 else value
