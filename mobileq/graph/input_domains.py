"""What a graph's whole inputs may hold: drawn at random, they would break the nodes' own terms.

A divisor is not 0, nor is what has a negative power; a shift is narrower than its type, and indices
at which something is put come once (ONNX operator schemas, Div, Mod, Pow, BitShift,
ScatterElements, ScatterND, MaxUnpool). What is compared with the constants of a range is a length
or a place, and no mask hides a whole row: of nothing there is no softmax.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mobileq.graph.op_facts import REARRANGING
from mobileq.graph.outline import attribute, dims
from mobileq.spec import TensorSpec

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from onnx import ModelProto, NodeProto, TensorProto

    Array = npt.NDArray[Any]
    Draw = Callable[[np.random.Generator, tuple[int, ...]], Array]
    Shapes = Mapping[str, tuple[int, ...]]

_COMPARISONS = frozenset({"Greater", "GreaterOrEqual", "Less", "LessOrEqual"})
_WHOLE = (6, 7)
"""`TensorProto.DataType` of int32 and int64."""
_SHIFTS = 8
"""Bits of the narrowest type."""


def input_domains(model: ModelProto) -> dict[str, Draw]:
    """{input of whole numbers: how to draw what it may hold}, of inputs that are not free."""
    sources: dict[str, str] = {}
    found: dict[str, Draw] = {}
    stored = {each.name: each for each in model.graph.initializer}
    shapes = {name: tuple(each.dims) for name, each in stored.items()}
    for value in (*model.graph.value_info, *model.graph.input):
        shapes[value.name] = dims(value) or ()
    for node in model.graph.node:
        if node.op_type in REARRANGING or node.op_type == "Cast":
            sources[node.output[0]] = sources.get(node.input[0], node.input[0])
        domain = _DOMAINS.get(node.op_type)
        at = _POSITIONS.get(node.op_type, 1)
        if domain is not None and at < len(node.input):
            draw = domain(node, shapes)
            if draw is not None:
                name = node.input[at]
                found[sources.get(name, name)] = _reshaped(draw, shapes.get(name, ()))
        for name, draw in _compared(node, stored):
            found.setdefault(sources.get(name, name), draw)
    return found


def masks(generator: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Booleans, in every row of two and more both."""
    drawn = generator.integers(0, 2, shape).astype(bool)
    if shape and shape[-1] > 1:
        drawn[..., -1] = ~drawn[..., 0]
    return drawn


def _compared(node: NodeProto, stored: Mapping[str, TensorProto]) -> Iterator[tuple[str, Draw]]:
    """What is compared with a range: between its ends, so that both comes out."""
    from onnx import numpy_helper

    if node.op_type not in _COMPARISONS:
        return
    for name, other in (node.input, reversed(node.input)):
        if name in stored or other not in stored or stored[other].data_type not in _WHOLE:
            continue
        values = numpy_helper.to_array(stored[other])
        if values.size > 1 and values.min() < values.max():
            yield name, _between(int(values.min()) + 1, int(values.max()) + 1)


def _between(low: int, high: int) -> Draw:
    return lambda generator, shape: generator.integers(low, high, shape)


def _reshaped(draw: Draw, shape: tuple[int, ...]) -> Draw:
    """As the node takes it, in the shape in which it is given."""
    return lambda generator, given: draw(generator, shape or given).reshape(given)


def read_domains(path: Path) -> dict[str, Draw]:
    """`input_domains` of the model in a file; its weights are not read."""
    import onnx

    return input_domains(onnx.load(path, load_external_data=False))


def within(
    domains: Mapping[str, Draw], inputs: Iterable[TensorSpec], generator: np.random.Generator
) -> dict[str, Array]:
    """{input: an array that it may hold}, of those in `domains` that are of whole numbers."""
    import numpy as np

    return {
        each.name: domains[each.name](generator, each.shape).astype(each.dtype)
        for each in inputs
        if each.name in domains and np.dtype(each.dtype).kind in "iu"
    }


def _divisor(generator: np.random.Generator, shape: tuple[int, ...]) -> Array:
    return generator.integers(1, 3, shape)


def _shift(generator: np.random.Generator, shape: tuple[int, ...]) -> Array:
    return generator.integers(0, _SHIFTS, shape)


def _along_axis(node: NodeProto, shapes: Shapes) -> Draw | None:
    """No place along the axis twice."""
    reduction, given = attribute(node, "reduction"), attribute(node, "axis")
    shape = shapes.get(node.input[0])
    if not shape or (reduction is not None and reduction.s != b"none"):
        return None
    axis = given.i if given is not None else 0

    def draw(generator: np.random.Generator, spread: tuple[int, ...]) -> Array:
        import numpy as np

        count = shape[axis]
        others = [n for at, n in enumerate(spread) if at != axis % len(spread)]
        places = generator.permuted(np.tile(np.arange(count), (*others, 1)), axis=-1)
        return np.moveaxis(places[..., : spread[axis]], -1, axis)

    return draw


def _slices(node: NodeProto, shapes: Shapes) -> Draw | None:
    """No slice twice."""
    reduction, shape = attribute(node, "reduction"), shapes.get(node.input[0])
    if not shape or (reduction is not None and reduction.s != b"none"):
        return None

    def draw(generator: np.random.Generator, spread: tuple[int, ...]) -> Array:
        import numpy as np

        kept = shape[: spread[-1]]
        places = generator.permutation(int(np.prod(kept)))[: int(np.prod(spread[:-1]))]
        return np.stack(np.unravel_index(places, kept), -1).reshape(spread)

    return draw


def _unpooled(node: NodeProto, shapes: Shapes) -> Draw | None:
    """No place of the tensor twice; those of the smaller tensor are there in any case."""

    def draw(generator: np.random.Generator, spread: tuple[int, ...]) -> Array:
        import numpy as np

        return generator.permutation(int(np.prod(spread))).reshape(spread)

    return draw


_POSITIONS = {"Pow": 0}
"""Of the input that is not free, where it is not the second."""
_DOMAINS: dict[str, Callable[[NodeProto, Shapes], Draw | None]] = {
    "Div": lambda node, shapes: _divisor,
    "Mod": lambda node, shapes: _divisor,
    "Pow": lambda node, shapes: _divisor,
    "BitShift": lambda node, shapes: _shift,
    "Scatter": _along_axis,
    "ScatterElements": _along_axis,
    "ScatterND": _slices,
    "MaxUnpool": _unpooled,
}
