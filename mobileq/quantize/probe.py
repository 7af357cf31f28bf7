"""A float model of which one tensor at a time is clipped, or rounded to 8 bits.

Unlike `simulate`, which has ranges for good and rounds the inside of a group together, one session
tries any range of any tensor.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, Final

from mobileq.graph.eight_bits import affine
from mobileq.onnx_runtime import SessionOptions, open_session
from mobileq.spec import TensorRange

if TYPE_CHECKING:
    import numpy.typing as npt
    from onnx import ModelProto, NodeProto

LOW: Final = "mobileq/low/"
HIGH: Final = "mobileq/high/"
"""Begin the names of the outputs that `with_extremes` adds."""
_OURS: Final = "mobileq/"


def with_extremes(model: ModelProto, names: Collection[str]) -> ModelProto:
    """The model, which gives the least and the largest value of these tensors as well."""
    from onnx import ModelProto, TensorProto, helper

    made = ModelProto()
    made.CopyFrom(model)
    for name in names:
        for op, start in (("ReduceMin", LOW), ("ReduceMax", HIGH)):
            made.graph.node.append(helper.make_node(op, [name], [start + name], keepdims=0))
            value = helper.make_tensor_value_info(start + name, TensorProto.FLOAT, [])
            made.graph.output.append(value)
    return made


class Probe:
    """One thread of ONNX Runtime; several may ask at a time.

    Args:
        model: Float.
        names: Tensors that nodes of it give, which can be changed.
    """

    def __init__(self, model: ModelProto, names: Collection[str]) -> None:
        self._outputs = [output.name for output in model.graph.output]
        made = _probed(model, frozenset(names))
        self._session = open_session(made, SessionOptions(threads=1, keep_pairs=True))

    def run(
        self,
        feeds: Mapping[str, npt.NDArray[Any]],
        name: str,
        found: TensorRange,
        *,
        rounded: bool,
    ) -> dict[str, npt.NDArray[Any]]:
        """{output: values} with this tensor held in the range, and rounded to 256 levels or not."""
        import numpy as np

        scale, zero = affine(found)
        changed: dict[str, npt.NDArray[Any]] = {
            _name(name, "low"): np.array(found.min, np.float32),
            _name(name, "high"): np.array(found.max, np.float32),
            _name(name, "scale"): np.array(scale, np.float32),
            _name(name, "zero"): np.array(zero, np.uint8),
            _name(name, "rounded"): np.array(rounded),
        }
        values = self._session.run(self._outputs, {**feeds, **changed})
        return dict(zip(self._outputs, values, strict=True))


def _name(tensor: str, part: str) -> str:
    return f"{_OURS}{tensor}/{part}"


def _probed(model: ModelProto, names: Collection[str]) -> ModelProto:
    import numpy as np
    from onnx import ModelProto, helper, numpy_helper

    made = ModelProto()
    made.CopyFrom(model)
    graph, nodes = made.graph, []
    widest = float(np.finfo(np.float32).max)
    usual = {
        "low": np.array(-widest, np.float32),
        "high": np.array(widest, np.float32),
        "scale": np.array(1.0, np.float32),
        "zero": np.array(0, np.uint8),
        "rounded": np.array(False),
    }
    for node in graph.node:
        nodes.append(node)
        for at, name in enumerate(node.output):
            if name in names:
                node.output[at] = _name(name, "given")
                nodes += _changing(name)
                for part, value in usual.items():
                    tensor = numpy_helper.from_array(value, _name(name, part))
                    graph.initializer.append(tensor)
                    # A constant that is an input too may be given another value.
                    graph.input.append(
                        helper.make_tensor_value_info(tensor.name, tensor.data_type, [])
                    )
    kept = [_copied(node) for node in nodes]
    del graph.node[:]
    graph.node.extend(kept)
    return made


def _copied(node: NodeProto) -> NodeProto:
    """Nodes of the graph are gone once its list is emptied."""
    from onnx import NodeProto

    copy = NodeProto()
    copy.CopyFrom(node)
    return copy


def _changing(tensor: str) -> list[NodeProto]:
    """Nodes from `given` to the tensor itself."""
    from onnx import TensorProto, helper

    low, high, clipped = (_name(tensor, part) for part in ("low", "high", "clipped"))
    scaling = [_name(tensor, "scale"), _name(tensor, "zero")]
    codes, result, same = (_name(tensor, part) for part in ("codes", "result", "same"))

    def branch(kind: str, nodes: list[NodeProto], output: str) -> Any:
        given = helper.make_tensor_value_info(output, TensorProto.FLOAT, None)
        return helper.make_graph(nodes, _name(tensor, kind), [], [given])

    rounding = [
        helper.make_node("QuantizeLinear", [clipped, *scaling], [codes]),
        helper.make_node("DequantizeLinear", [codes, *scaling], [result]),
    ]
    return [
        helper.make_node("Clip", [_name(tensor, "given"), low, high], [clipped]),
        helper.make_node(
            "If",
            [_name(tensor, "rounded")],
            [tensor],
            then_branch=branch("then", rounding, result),
            else_branch=branch("else", [helper.make_node("Identity", [clipped], [same])], same),
        ),
    ]
