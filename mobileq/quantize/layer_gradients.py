"""What rounding the weights of a layer costs, from gradients as `fisher` has them.

Let d be what 8 bits of a layer's weights change of its output, and g the gradient there: its part
of the error is the mean of (g . d)^2 over the signs that g is drawn with. The filters of a layer
are rounded each by itself, so that is taken channel by channel and summed up, which of few samples
tells as much as the whole of many.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from mobileq.graph.backward import Backward
from mobileq.graph.outline import constants, dims
from mobileq.quantize.groups import OpGroup, find_groups
from mobileq.quantize.reductions import Reductions
from mobileq.quantize.repairs.weight_twins import twin
from mobileq.quantize.simulate import inside

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from onnx import ModelProto, NodeProto

    Matrix = NDArray[np.float64]
    Vector = NDArray[np.float32]

PRODUCTS: Final = "mobileq_products/"
SLOPES: Final = "mobileq_slopes/"
SHIFTS: Final = "mobileq_shifts/"
"""Come before the names of layers' outputs: of each channel the sum of g d and of g over its
places, and the mean of d."""
_CHANNELS: Final = {"Conv": 1, "ConvTranspose": 1, "Gemm": 1, "MatMul": -1}
"""The axis of a layer's output that counts them."""


@dataclass(frozen=True, eq=False)
class LayerGradients:
    """Of one layer: `PRODUCTS`, `SLOPES` and `SHIFTS`, [samples, channels]."""

    products: Matrix
    slopes: Matrix
    shifts: Matrix

    def error(self, *, shifted: bool = False) -> float:
        """Of the task, where these weights alone are rounded to 8 bits.

        Args:
            shifted: With what that adds to the means of channels taken out again; see
                `repairs.weight_shift`.
        """
        import numpy as np

        products = self.products
        if shifted:
            products = products - self.shifts.mean(axis=0) * self.slopes
        return float(np.square(products).sum(axis=1).mean())


class LayerCollector:
    """Gathers the layers' sums, sample by sample.

    Args:
        layers: By the names of their outputs.
    """

    def __init__(self, layers: Iterable[str]) -> None:
        self._found: dict[str, tuple[list[Vector], ...]] = {name: ([], [], []) for name in layers}

    def add(self, arrays: Mapping[str, Vector]) -> None:
        """Of one sample."""
        for name, found in self._found.items():
            for kind, values in zip((PRODUCTS, SLOPES, SHIFTS), found, strict=True):
                values.append(arrays[kind + name])

    def gradients(self) -> dict[str, LayerGradients]:
        """Of those of which there is more than nothing."""
        import numpy as np

        made = {
            name: LayerGradients(*(np.array(values, np.float64) for values in found))
            for name, found in self._found.items()
        }
        return {name: each for name, each in made.items() if each.slopes.any()}


class LayerSums:
    """In the child: has both ways of a model give the sums of its layers."""

    def __init__(self) -> None:
        self.names: list[str] = []
        """Of the layers' outputs, that a gradient reaches."""

    def add(self, made: Backward, layers: Iterable[str]) -> None:
        """Of those `layers` whose weights are constants."""
        from onnx import TensorProto, helper

        there, back = made.there.graph, made.back.graph
        known, makers = constants(there), {node.output[0]: node for node in there.node}
        ranks = {each.name: len(dims(each) or ()) for each in (*there.value_info, *there.output)}
        ahead, behind = Reductions(made.there), Reductions(made.back)
        for name in layers:
            node, rank = makers.get(name), ranks.get(name, 0)
            if node is None or name not in made.gradients or rank < 2 or not _is_linear(node):
                continue
            weights = known.get(node.input[1])
            if weights is None or weights.dtype != "float32":
                continue
            axes = [at for at in range(rank) if at != _CHANNELS[node.op_type] % rank]
            changed = f"{name}/changed"
            made_beside, stored = twin(node, weights, changed)
            there.node.append(made_beside)
            there.initializer.append(stored)
            there.output.append(helper.make_tensor_value_info(changed, TensorProto.FLOAT, None))
            ahead.add("ReduceMean", changed, SHIFTS + name, axes)
            back.input.append(helper.make_tensor_value_info(changed, TensorProto.FLOAT, None))
            product, gradient = f"{changed}/product", made.gradients[name]
            back.node.append(helper.make_node("Mul", [gradient, changed], [product]))
            behind.add("ReduceSum", product, PRODUCTS + name, axes)
            behind.add("ReduceSum", gradient, SLOPES + name, axes)
            self.names.append(name)


def layers_of(model: ModelProto) -> list[str]:
    """The outputs of those whose weights can be rounded."""
    nodes = (group.nodes[0] for group in find_groups(model) if group.weights is not None)
    return [model.graph.node[at].output[0] for at in nodes]


def inside_errors(
    groups: Iterable[OpGroup],
    tensors: Mapping[str, float],
    layers: Mapping[str, float],
    settled: Iterable[str],
) -> dict[str, float]:
    """{inside of a group: error of the task where it alone is rounded}, where that is known.

    The sum of its weights' error, and that of the tensors between its nodes.

    Args:
        tensors, layers: Their errors, by the names of what they are and give.
        settled: Tensors whose rounding counts for nothing beside the rest: a sigmoid's 256 levels
            have a hundredth of what comes of the tensors around it (YOLOv5, YOLOv8).
    """
    found = {}
    fixed = frozenset(settled)
    for group in groups:
        if group.weights is None and len(group.nodes) == 1:
            continue
        parts = [tensors.get(name) for name in group.tensors[:-1] if name not in fixed]
        if group.weights is not None:
            parts.append(layers.get(group.tensors[0]))
        if None not in parts:
            found[inside(group.name)] = sum(each for each in parts if each is not None)
    return found


def _is_linear(node: NodeProto) -> bool:
    return node.op_type in _CHANNELS and node.domain in ("", "ai.onnx")
