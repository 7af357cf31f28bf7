"""Constants as integers: weights, biases, and those that are fed as activations are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from mobileq.graph.eight_bits import (
    LARGEST_WEIGHT,
    affine,
    along,
    channel_axis,
    given_scale,
    holding_bias,
)
from mobileq.graph.given_quantization import GivenQuantization
from mobileq.graph.outline import attribute, constants, reads
from mobileq.spec import TensorRange
from mobileq.targets.qdq.options import QdqOptions

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from onnx import GraphProto, NodeProto, TensorProto

    Array = NDArray[Any]
    Doubles = NDArray[np.float64]

_LARGEST_REDUCED: Final = 64
"""Twice 255 * 64 fits into 16 bits."""
_CENTRE: Final = 128
"""The zero-point of weights in uint8: they are symmetric in any case."""
_SMALLEST: Final = 1e-9
"""A largest weight, so that no scale is zero; as ai-edge-quantizer 0.5.1 has it."""


class Stored:
    """Writes constants, and knows which names are taken.

    Attributes:
        replaced: Constants whose name their integers' DequantizeLinear has now.
    """

    def __init__(
        self, graph: GraphProto, options: QdqOptions, given: GivenQuantization | None
    ) -> None:
        self._graph, self._options = graph, options
        self._given = given.constants if given is not None else {}
        self._values = constants(graph)
        self._taken = {tensor.name for tensor in graph.initializer}
        self._readers: dict[str, int] = {}
        for node in graph.node:
            self._taken.update((*reads(node), *node.output))
            for name in reads(node):
                self._readers[name] = self._readers.get(name, 0) + 1
        self._made: list[TensorProto] = []
        self._names: dict[tuple[Any, ...], str] = {}
        self.replaced: set[str] = set()

    def has(self, name: str) -> bool:
        """Whether it is a constant of real numbers."""
        return name in self._values and self._values[name].dtype.kind == "f"

    def free(self, name: str) -> str:
        """A name that no tensor has yet, made of this one."""
        while name in self._taken:
            name += "_"
        self._taken.add(name)
        return name

    def parameters(self, name: str, scale: float, zero: int) -> tuple[str, str]:
        """Names of the scale and zero-point of an activation; `zero` is that of uint8."""
        import numpy as np

        shift = _CENTRE if self._options.activation_type == "int8" else 0
        code = np.array(zero - shift, self._options.activation_type)
        scaled = self._add(f"{name}/scale", np.array(scale, np.float32))
        return scaled, self._add(f"{name}/zero_point", code)

    def settle(self) -> None:
        """Put the integers into the graph in place of what they stand for."""
        old = self._graph.initializer
        for at in reversed(range(len(old))):
            if old[at].name in self.replaced:
                del old[at]
        old.extend(self._made)

    def activation(self, node: NodeProto, place: int) -> NodeProto:
        """The DequantizeLinear of a constant that a node takes as it takes activations."""
        import numpy as np

        value = self._values[node.input[place]].astype(np.float64)
        scale, zero = affine(TensorRange(min=float(value.min()), max=float(value.max())))
        codes = np.clip(np.rint(value / np.float32(scale)) + zero, 0, 255)
        if self._options.activation_type == "int8":
            codes, zero = codes - _CENTRE, zero - _CENTRE
        kind = np.dtype(self._options.activation_type)
        return self._dequantized(
            node, place, codes.astype(kind), np.float32(scale), np.array(zero, kind)
        )

    def weights(self, node: NodeProto, step: float | None) -> list[NodeProto]:
        """The DequantizeLinears of a node's weights and, where it has one, bias.

        Args:
            step: The scale of what they are multiplied with; None leaves the bias as it is.
        """
        import numpy as np

        value = self._values[node.input[1]]
        axis = self._axis(node, value.ndim)
        scale = self._scale(node, value, axis)
        bias = None if step is None else self._bias(node, len(scale))
        if bias is not None and step is not None:
            step *= self._alpha(node)
            scale = holding_bias(scale, np.abs(bias).reshape(-1, len(scale)).max(axis=0), step)
        steps = scale.astype(np.float32)
        codes = np.rint(value / along(steps, axis, value.ndim))
        zero = _CENTRE if self._options.weight_type == "uint8" else 0
        codes = np.clip(codes, -LARGEST_WEIGHT, LARGEST_WEIGHT) + zero
        kind = np.dtype(self._options.weight_type)
        zeros = np.full(len(steps), zero, kind)
        nodes = [self._dequantized(node, 1, codes.astype(kind), steps, zeros, axis)]
        if bias is not None and step is not None:
            wide = steps.astype(np.float64) * step
            if axis is not None:
                wide = np.tile(wide, bias.size // len(steps))
            whole = np.clip(np.rint(bias / wide), -(2**31), 2**31 - 1).astype(np.int32)
            last = None if axis is None else bias.ndim - 1
            nodes.append(self._dequantized(node, 2, whole, wide.astype(np.float32), None, last))
        return nodes

    def _axis(self, node: NodeProto, rank: int) -> int | None:
        """None for one scale for all."""
        of_stack = node.op_type == "MatMul" and rank != 2  # for which there is no kernel
        return None if of_stack or not self._options.per_channel else channel_axis(node, rank)

    def _scale(self, node: NodeProto, value: Array, axis: int | None) -> Doubles:
        """Of each channel, [channels] or [1]."""
        import numpy as np

        given = self._given.get(node.input[1])
        if given is not None and axis is not None:
            known = given_scale(value, axis, given)
            if known is not None:
                return known
        others = tuple(at for at in range(value.ndim) if at != axis)
        largest = np.maximum(np.abs(value).max(axis=others), _SMALLEST).astype(np.float32)
        codes = _LARGEST_REDUCED if self._options.reduce_range else LARGEST_WEIGHT
        return np.atleast_1d(largest / np.float32(codes)).astype(np.float64)

    def _bias(self, node: NodeProto, channels: int) -> Array | None:
        """The bias, where kernels take it: one value for each channel."""
        if len(node.input) < 3 or not self.has(node.input[2]) or node.op_type == "MatMul":
            return None
        bias = self._values[node.input[2]]
        beta = attribute(node, "beta")
        if bias.ndim == 0 or bias.shape[-1] != bias.size or bias.size % channels:
            return None
        return bias if beta is None or beta.f == 1.0 else None

    def _alpha(self, node: NodeProto) -> float:
        found = attribute(node, "alpha")
        return found.f if found is not None and node.op_type == "Gemm" else 1.0

    def _dequantized(
        self,
        node: NodeProto,
        place: int,
        codes: Array,
        scale: Array | np.float32,
        zero: Array | None,
        axis: int | None = None,
    ) -> NodeProto:
        """Store a constant, and have the node take it from the DequantizeLinear that is returned.

        It has the constant's name where no one else takes the constant.
        """
        import numpy as np
        from onnx import helper

        name = node.input[place]
        single = axis is None
        taken = [
            self._add(f"{name}/codes", codes),
            self._add(f"{name}/scale", np.reshape(scale, () if single else -1)),
        ]
        if zero is not None:
            taken.append(self._add(f"{name}/zero_point", np.reshape(zero, () if single else -1)))
        result = name
        if self._readers[name] == 1:
            self.replaced.add(name)
        else:
            result = self.free(f"{name}/dequantized")
        node.input[place] = result
        more = {} if single else {"axis": axis}
        return helper.make_node("DequantizeLinear", taken, [result], f"{result}/dequantize", **more)

    def _add(self, name: str, value: Array) -> str:
        """The name of a stored constant; alike ones of one name are stored once."""
        from onnx import numpy_helper

        key = name, str(value.dtype), value.shape, value.tobytes()
        if key not in self._names:
            self._names[key] = self.free(name)
            self._made.append(numpy_helper.from_array(value, self._names[key]))
        return self._names[key]
