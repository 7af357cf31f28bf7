"""Which tensors are looked at, and the outputs of a model that let one look.

Nothing but small outputs leaves the model: a ReduceMin and a ReduceMax over each tensor, per
channel, and a subsample. Copying whole activations out and reducing them in numpy is slower, and
makes ONNX Runtime turn each from its blocked layout to NCHW and keep it alive.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mobileq.calibration.derivations import (
    Derivation,
    Joined,
    Same,
    pointwise,
)
from mobileq.errors import InputError
from mobileq.graph.op_facts import REARRANGING, UNCHANGING
from mobileq.graph.shapes import without_weights

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from onnx import GraphProto, ModelProto, NodeProto, ValueInfoProto

_PREFIX = "mobileq_statistics/"
LOWS, HIGHS = _PREFIX + "lows", _PREFIX + "highs"
_FLAT_SAMPLE_COUNT = 2048
_MAX_CHANNELS = 2048
_MIN_POSITIONS = 8
_MIN_VALUES = 512
_COLUMNS_PER_ROW = 4
_STANDARD = ("", "ai.onnx")
_FLOAT = 1


@dataclass(frozen=True)
class Tap:
    """A tensor that the copy gives extremes and a subsample of.

    With `strides`, for height and width, the tensor is [N, C, H, W] and looked at per channel;
    else it is flattened, and `step` is the distance of the subsample's values. `sample` is the
    output that holds the subsample, with every column of its rows.
    """

    name: str
    shape: tuple[int, ...]
    strides: tuple[int, int] | None
    step: int
    sample: str

    @property
    def channel_count(self) -> int:
        return 1 if self.strides is None else self.shape[1]


@dataclass(frozen=True)
class Plan:
    """How each tensor's statistics come about.

    `names` are the wanted tensors, in graph order. `whole` are those whose shape is known only at
    run time: they come out as they are. `derived` is in an order in which sources come before
    what follows from them. `per_channel` names the tensors with channels.
    """

    names: tuple[str, ...]
    taps: tuple[Tap, ...]
    whole: tuple[str, ...]
    derived: Mapping[str, Derivation]
    per_channel: frozenset[str]


def float_tensors(model: ModelProto) -> dict[str, tuple[int, ...] | None]:
    """Activations of type float32 in the main graph, in graph order, with their shapes.

    Graph inputs and node outputs; not weights or what is computed from constants alone. The shape
    is None where it is known only at run time, and then the type may be as well.
    """
    import onnx

    known = _value_infos(onnx.shape_inference.infer_shapes(without_weights(model)))
    constant = _constant_names(model)
    names = [value.name for value in model.graph.input]
    names += [name for node in model.graph.node for name in node.output if name]
    return {
        name: _shape(known.get(name))
        for name in dict.fromkeys(names)
        if name not in constant and _may_be_float(known.get(name))
    }


def make_plan(model: ModelProto, wanted: Sequence[str] | None) -> Plan:
    """Decide for each wanted tensor, all of `float_tensors` by default, how it is looked at.

    Raises:
        InputError: A wanted tensor is not among them.
    """
    shapes = float_tensors(model)
    for name in wanted or ():
        if name not in shapes:
            raise InputError(
                f"The model has no float32 activation '{name}'.",
                "Take the name of an input or of a node's output.",
            )
    derivations = _derivations(model, shapes)
    names = tuple(name for name in shapes if wanted is None or name in set(wanted))
    needed = set(names)
    for name in reversed(derivations):  # what follows from a tensor comes after it
        if name in needed:
            needed.update(derivations[name].sources)
    taps, whole = [], []
    for name, shape in shapes.items():
        if name in needed and name not in derivations:
            if shape is None:
                whole.append(name)
            elif math.prod(shape) > 0:
                taps.append(_tap(name, shape))
    return Plan(
        names,
        tuple(taps),
        tuple(whole),
        {name: found for name, found in derivations.items() if name in needed},
        frozenset(name for name in names if _has_channels(shapes[name])),
    )


def instrument(model: ModelProto, plan: Plan) -> ModelProto:
    """The model itself, with outputs that are what the plan looks at: large ones take their memory.

    They are those of `add_taps`, and no others.
    """
    import onnx

    names = add_taps(model, plan)
    del model.graph.output[:]
    model.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in names)
    return model


def add_taps(model: ModelProto, plan: Plan) -> list[str]:
    """Has the graph make what the plan looks at, and gives the names for its outputs.

    They are `LOWS` and `HIGHS`, the taps' extremes per channel one after the other; then the taps'
    samples and the whole tensors.
    """
    import numpy as np
    import onnx

    model.ir_version = max(model.ir_version, 4)  # before, each constant had to be an input as well
    graph = model.graph
    flat = onnx.numpy_helper.from_array(np.array([1, 1, -1]), _PREFIX + "flat")
    graph.initializer.append(flat)
    reduce = _Reduction(model)
    gather = _Gathering(graph)
    lows, highs = [], []
    for index, tap in enumerate(plan.taps):
        name, axes = tap.name, [0, 2, 3]
        if tap.strides is None:
            name, axes = f"{_PREFIX}flat/{index}", [0, 2]
            graph.node.add(op_type="Reshape", input=[tap.name, flat.name], output=[name])
        lows.append(reduce("ReduceMin", name, f"{_PREFIX}low/{index}", axes))
        highs.append(reduce("ReduceMax", name, f"{_PREFIX}high/{index}", axes))
        gather(name, tap)
    fed = {value.name for value in graph.input}  # no output of the graph may be its input
    outputs = [tap.sample for tap in plan.taps]
    outputs += [name for name in plan.whole if name not in fed]
    if plan.taps:
        graph.node.append(onnx.helper.make_node("Concat", lows, [LOWS], axis=0))
        graph.node.append(onnx.helper.make_node("Concat", highs, [HIGHS], axis=0))
        outputs = [LOWS, HIGHS, *outputs]
    return outputs


class _Gathering:
    """Adds subsamples. Slice has steps only from opset 10 on, and Gather is as fast."""

    def __init__(self, graph: GraphProto) -> None:
        self._graph = graph
        self._indices: dict[tuple[int, int], str] = {}

    def __call__(self, name: str, tap: Tap) -> None:
        import onnx

        length, step = math.prod(tap.shape), tap.step
        if tap.strides is not None:
            length, step = tap.shape[2], tap.strides[0]
        inputs = [name, self._index(length, step)]
        self._graph.node.append(onnx.helper.make_node("Gather", inputs, [tap.sample], axis=2))

    def _index(self, length: int, step: int) -> str:
        """A constant with the places along an axis."""
        import numpy as np
        import onnx

        if (length, step) not in self._indices:
            places = np.arange(*places_of(length, step).indices(length))
            tensor = onnx.numpy_helper.from_array(places, f"{_PREFIX}places/{length}/{step}")
            self._graph.initializer.append(tensor)
            self._indices[length, step] = tensor.name
        return self._indices[length, step]


class _Reduction:
    """Adds reductions; from opset 18 on their axes are an input."""

    def __init__(self, model: ModelProto) -> None:
        versions = (item.version for item in model.opset_import if item.domain in _STANDARD)
        self._graph = model.graph
        self._axes_are_input = max(versions, default=1) >= 18

    def __call__(self, op_type: str, name: str, output: str, axes: list[int]) -> str:
        import numpy as np
        import onnx

        if not self._axes_are_input:
            node = onnx.helper.make_node(op_type, [name], [output], axes=axes, keepdims=0)
        else:
            values = onnx.numpy_helper.from_array(np.array(axes), output + "/axes")
            self._graph.initializer.append(values)
            node = onnx.helper.make_node(op_type, [name, values.name], [output], keepdims=0)
        self._graph.node.append(node)
        return output


def _tap(name: str, shape: tuple[int, ...]) -> Tap:
    return Tap(
        name, shape, strides(shape), flat_step(math.prod(shape), shape), f"{_PREFIX}sample/{name}"
    )


def strides(shape: tuple[int, ...]) -> tuple[int, int] | None:
    """Steps along height and width of the subsample of a tensor with channels, [N, C, H, W].

    They are odd, so that no phase of an upsampled or strided tensor is left out, and leave about
    half the square root of all positions, at least 8 and at least 512 values. A network's later
    tensors have more channels and fewer positions: so each gives one or two thousand values.
    """
    if not _has_channels(shape):
        return None
    channel_count, height, width = shape[1:]
    positions = max(
        _MIN_POSITIONS, math.sqrt(height * width) / 2, math.ceil(_MIN_VALUES / channel_count)
    )
    # Whole rows are gathered, so few rows and many columns cost less than the other way round.
    kept = max(2.0, math.sqrt(positions / _COLUMNS_PER_ROW), positions / width)
    rows = _odd(max(1, math.floor(height / kept)))
    columns = _odd(max(1, math.floor(width * -(-height // rows) / positions)))
    return rows, columns


def places_of(length: int, step: int) -> slice:
    """Every `step`-th place along an axis; as many are left out before as after them."""
    return slice((length - 1) % step // 2, length, step)


def _odd(number: int) -> int:
    """The largest odd number up to this one."""
    return number - (number % 2 == 0)


def flat_step(size: int, shape: Sequence[int] = ()) -> int:
    """A step that leaves at most 2048 of `size` values and visits each index of every axis."""
    step = max(1, math.ceil(size / _FLAT_SAMPLE_COUNT))
    while any(math.gcd(step, length) > 1 for length in shape):
        step += 1
    return step


def _has_channels(shape: tuple[int, ...] | None) -> bool:
    return shape is not None and len(shape) == 4 and 0 < shape[1] <= _MAX_CHANNELS


def _derivations(
    model: ModelProto, shapes: Mapping[str, tuple[int, ...] | None]
) -> dict[str, Derivation]:
    """Those of `shapes` that need not be looked at, in graph order."""
    producers = {name: node for node in model.graph.node for name in node.output if name}
    constants = small_constants(model)
    found: dict[str, Derivation] = {}
    for name, node in producers.items():
        if shapes.get(name) is None or node.domain not in _STANDARD or name != node.output[0]:
            continue
        derivation = _derivation(name, node, shapes, producers, constants)
        # What goes in must be something that batches are made of.
        if derivation is not None and all(shapes.get(each) for each in derivation.sources):
            found[name] = derivation
    return found


def _derivation(
    name: str,
    node: NodeProto,
    shapes: Mapping[str, tuple[int, ...] | None],
    producers: Mapping[str, NodeProto],
    constants: Mapping[str, NDArray[Any]],
) -> Derivation | None:
    if not node.input:
        return None
    if node.op_type in UNCHANGING:
        return Same(node.input[0])
    if node.op_type in REARRANGING:
        return None if _has_channels(shapes[name]) else Same(node.input[0])
    if node.op_type == "Concat":
        axis = next((item.i for item in node.attribute if item.name == "axis"), 1)
        steps = {strides(shapes.get(each) or ()) for each in (name, *node.input)}
        joined = axis in (1, -3) and len(steps) == 1 and None not in steps
        return Joined(tuple(node.input)) if joined else None
    return pointwise(node, producers, constants)


def _may_be_float(value: ValueInfoProto | None) -> bool:
    """Whether it is a float32 tensor, or of a type that is not known."""
    if value is None or value.type.WhichOneof("value") is None:
        return True
    return value.type.HasField("tensor_type") and value.type.tensor_type.elem_type in (0, _FLOAT)


def _shape(value: ValueInfoProto | None) -> tuple[int, ...] | None:
    if value is None or value.type.tensor_type.elem_type != _FLOAT:
        return None
    if not value.type.tensor_type.HasField("shape"):
        return None
    dims = value.type.tensor_type.shape.dim
    if not all(dim.HasField("dim_value") and dim.dim_value >= 0 for dim in dims):
        return None
    return tuple(dim.dim_value for dim in dims)


def _value_infos(model: ModelProto) -> dict[str, ValueInfoProto]:
    graph = model.graph
    return {value.name: value for value in (*graph.value_info, *graph.output, *graph.input)}


def _constant_names(model: ModelProto) -> set[str]:
    """Weights, and what is computed from nothing else (random numbers are nothing constant)."""
    names = {tensor.name for tensor in model.graph.initializer}
    names.update(tensor.values.name for tensor in model.graph.sparse_initializer)
    for node in model.graph.node:
        if node.op_type.startswith("Random") or _has_bodies(node):
            continue
        if all(name in names for name in node.input if name):
            names.update(name for name in node.output if name)
    return names


def _has_bodies(node: NodeProto) -> bool:
    """If, Loop and Scan: what they hold may read any tensor of the graph."""
    return any(item.HasField("g") or len(item.graphs) > 0 for item in node.attribute)


def small_constants(model: ModelProto) -> dict[str, NDArray[Any]]:
    """Values of the constants that have just one, such as the bounds of a Clip."""
    import onnx

    tensors = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in model.graph.node:
        for item in node.attribute:
            if node.op_type == "Constant" and item.name == "value":
                tensors[node.output[0]] = item.t
    return {
        name: onnx.numpy_helper.to_array(tensor)
        for name, tensor in tensors.items()
        if math.prod(tensor.dims) == 1
    }
