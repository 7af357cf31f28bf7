"""Weights in 8 bits, and activations rounded to the range that each inference finds in them.

ONNX Runtime's `quantize_dynamic` (1.26) gives a convolution one scale for all its weights, and puts
depthwise ones into integers too, for which its kernel is slow. Here each output channel has a
scale, and grouped convolutions stay float, as in TFLite's dynamic files (docs/onnxruntime.md).

Of y = conv(x, w) with x = sx (qx - zx) and w[c] = sw[c] (qw[c] - zw) comes

    y[c] = sx sw[c] ConvInteger(qx, qw, zx, zw)[c] + bias[c]

with zw = 128: ConvInteger takes only unsigned weights, with one zero-point.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from mobileq.graph.outline import attribute, constants, opset
from mobileq.graph.prune import prune

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from onnx import ModelProto, NodeProto, TensorProto

_OLDEST_OPSET = 11
"""DynamicQuantizeLinear's."""
_FLOAT = 1
_MIDDLE, _LARGEST_CODE = 128, 127


def with_dynamic_ranges(model: ModelProto) -> ModelProto:
    """A copy in which products with constant weights are of integers."""
    import onnx

    rewritten = onnx.ModelProto()
    rewritten.CopyFrom(model)
    if opset(model) < _OLDEST_OPSET:
        rewritten = onnx.version_converter.convert_version(rewritten, _OLDEST_OPSET)
    _Rewriting(rewritten).rewrite()
    return rewritten


class _Rewriting:
    def __init__(self, model: ModelProto) -> None:
        self._graph, self._values = model.graph, constants(model.graph)
        self._stored: dict[str, TensorProto] = {}
        self._rounded: set[str] = set()
        """Activations that a DynamicQuantizeLinear takes."""

    def rewrite(self) -> None:
        """In place."""
        ordered = [each for node in self._graph.node for each in self._rewritten(node)]
        del self._graph.node[:]
        self._graph.node.extend(ordered)
        self._graph.initializer.extend(self._stored.values())
        prune(self._graph)

    def _rewritten(self, node: NodeProto) -> Iterator[NodeProto]:
        weights = self._values.get(node.input[1]) if len(node.input) > 1 else None
        if weights is None or weights.dtype != "float32" or node.input[0] in self._values:
            yield node
        elif node.op_type == "Conv" and weights.shape[1] > 1 and _is_dense(node):
            yield from self._convolution(node, weights)
        elif node.op_type == "MatMul" and weights.ndim == 2:
            yield from self._product(node, weights, None)
        elif node.op_type == "Gemm" and _is_plain_gemm(node):
            weights = weights.T if _number(node, "transB") else weights
            yield from self._product(node, weights, node.input[2] if node.input[2:] else None)
        else:
            yield node

    def _convolution(self, node: NodeProto, weights: NDArray[Any]) -> Iterator[NodeProto]:
        from onnx import helper

        shape = (1, -1, *(1 for _ in weights.shape[2:]))
        codes, scale = self._codes(f"{node.input[1]}/conv", weights, 0, shape)
        taken = yield from self._taken(node.input[0])
        product = helper.make_node(
            "ConvInteger", [taken[0], codes, taken[2], self._middle()], [f"{node.output[0]}/sums"]
        )
        product.attribute.extend(node.attribute)
        bias = None
        if node.input[2:] and node.input[2]:
            bias = self._bias(node, shape)
        yield product
        yield from self._real(node, taken[1], scale, bias)

    def _product(
        self, node: NodeProto, weights: NDArray[Any], bias: str | None
    ) -> Iterator[NodeProto]:
        from onnx import helper

        codes, scale = self._codes(f"{node.input[1]}/product", weights, 1, (-1,))
        taken = yield from self._taken(node.input[0])
        yield helper.make_node(
            "MatMulInteger",
            [taken[0], codes, taken[2], self._middle()],
            [f"{node.output[0]}/sums"],
        )
        yield from self._real(node, taken[1], scale, bias)

    def _taken(self, name: str) -> Any:
        """Codes, scale and zero-point of an activation, which is rounded once for all takers."""
        from onnx import helper

        names = [f"{name}/codes", f"{name}/scale", f"{name}/zero"]
        if name not in self._rounded:
            self._rounded.add(name)
            yield helper.make_node("DynamicQuantizeLinear", [name], names)
        return names

    def _real(
        self, node: NodeProto, taken_scale: str, scale: str, bias: str | None
    ) -> Iterator[NodeProto]:
        """What the node gives, of the sums of products of codes."""
        from onnx import helper

        given = node.output[0]
        sums, both, real = f"{given}/floats", f"{given}/step", f"{given}/unbiased"
        yield helper.make_node("Cast", [f"{given}/sums"], [sums], to=_FLOAT)
        yield helper.make_node("Mul", [taken_scale, scale], [both])
        yield helper.make_node("Mul", [sums, both], [real if bias else given])
        if bias:
            yield helper.make_node("Add", [real, bias], [given])

    def _codes(
        self, name: str, weights: NDArray[Any], axis: int, scale_shape: tuple[int, ...]
    ) -> tuple[str, str]:
        """The weights' codes and their scales, one for each index along the axis."""
        import numpy as np

        others = tuple(at for at in range(weights.ndim) if at != axis)
        scale = np.abs(weights).max(axis=others, keepdims=True) / np.float32(_LARGEST_CODE)
        scale[scale == 0.0] = 1.0
        codes = np.round(weights / scale) + _MIDDLE
        self._store(f"{name}/codes", codes.astype(np.uint8))
        self._store(f"{name}/scale", scale.reshape(scale_shape))
        return f"{name}/codes", f"{name}/scale"

    def _bias(self, node: NodeProto, shape: tuple[int, ...]) -> str:
        name = f"{node.input[2]}/conv"
        self._store(name, self._values[node.input[2]].reshape(shape))
        return name

    def _middle(self) -> str:
        import numpy as np

        self._store("mobileq/middle", np.array(_MIDDLE, np.uint8))
        return "mobileq/middle"

    def _store(self, name: str, array: NDArray[Any]) -> None:
        from onnx import numpy_helper

        self._stored.setdefault(name, numpy_helper.from_array(array, name))


def _is_dense(node: NodeProto) -> bool:
    return _number(node, "group", 1) == 1


def _is_plain_gemm(node: NodeProto) -> bool:
    factors = [attribute(node, name) for name in ("alpha", "beta")]
    return not _number(node, "transA") and all(each is None or each.f == 1.0 for each in factors)


def _number(node: NodeProto, name: str, otherwise: int = 0) -> int:
    found = attribute(node, name)
    return otherwise if found is None else int(found.i)
