"""Layer normalizations in integers: the parts that they are taken apart into, and their ranges.

    c = x - mean(x),  v = mean(c c) + epsilon,  y = c / sqrt(v) * scale + bias

TFLite has no op for it. The parts have no names in the ONNX model, so that nobody calibrates them,
and 8 bits can't hold them: where a square's range is 36, a token whose variance is 0.1 has none.
Integers of 16 bits can, and their ranges follow from that of x: |c| is no more than the
width w of x's range, v no more than w^2 / 4 (Popoviciu), and |c| / sqrt(v) no more than sqrt(n - 1)
for n values. A root of the smallest v that has enough steps bounds 1 / sqrt(v).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from mobileq.targets.tflite import contents
from mobileq.targets.tflite.wiring import Wiring

Range = tuple[float, float]
_NEWTON_OPS = 5
_SPREAD = 1024.0
"""Variances from the largest one down to this part of it keep their roots: of 16 bits' 32767 steps
the smallest then has 32, and so has the root of the largest."""


@dataclass(frozen=True)
class Normalization:
    """Tensors by their index in the graph.

    `mean` and what it is taken from are None where nothing is subtracted (RMSNorm); `epsilon` is
    0 and `raised` is `variance` where nothing is added. `refining` is what Newton's
    step goes through (see `rewrites.roots`). `behind` is what a scale and a bias make of the
    normalized values, one after the other, and `scale` the largest of the former.
    """

    source: int
    mean: int | None
    centred: int
    squared: int
    variance: int
    raised: int
    epsilon: float
    inverse: int
    refining: tuple[int, ...]
    normalized: int
    count: int
    scale: float
    behind: tuple[int, ...]

    @property
    def wide(self) -> tuple[int, ...]:
        """What needs 16 bits, in order."""
        centring = () if self.mean is None else (self.mean, self.centred)
        root = (self.squared, self.variance, self.raised, self.inverse, *self.refining)
        return tuple(dict.fromkeys((*centring, *root, self.normalized, *self.behind)))


def find_normalizations(model: Any) -> tuple[Normalization, ...]:
    """All in a float file whose root is an RSQRT; see `rewrites.roots`."""
    graph = _Graph(model)
    found = (_around(graph, op) for op in graph.ops if graph.kind(op) == "RSQRT")
    return tuple(each for each in found if each is not None)


def wide_tensors(model: Any, found: Iterable[Normalization]) -> list[str]:
    """Names of the tensors of normalizations that 8 bits can't hold."""
    tensors = model.subgraphs[0].tensors
    return [contents.tensor_name(tensors[index]) for each in found for index in each.wide]


def part_ranges(
    model: Any, found: Iterable[Normalization], known: Mapping[str, Range]
) -> dict[str, Range]:
    """Ranges of what is inside of the normalizations, by the tensors' names, from those of what
    they take; what they give keeps its own."""
    tensors = model.subgraphs[0].tensors
    ranges: dict[str, Range] = {}
    for each in found:
        given = known.get(contents.tensor_name(tensors[each.source]))
        if given is None:
            continue
        for index, value in _ranges(each, *given).items():
            name = contents.tensor_name(tensors[index])
            if index != each.wide[-1] or name not in known:
                ranges[name] = value
    return ranges


def _ranges(each: Normalization, low: float, high: float) -> dict[int, Range]:
    width = high - low if each.mean is not None else max(-low, high)
    largest = width**2 / (4 if each.mean is not None else 1)
    smallest = max(largest / _SPREAD, each.epsilon)
    limit = math.sqrt(max(each.count - 1, 1))
    found: dict[int, Range] = {
        each.squared: (0.0, width**2),
        each.variance: (0.0, largest),
        each.raised: (0.0, largest + each.epsilon),
        each.inverse: (0.0, 1 / math.sqrt(smallest)),
        each.normalized: (-limit, limit),
    }
    if each.refining:
        limits = (math.sqrt(largest) * 1.2, 2.0, -1.0, 1.5, 1 / math.sqrt(smallest))
        ranges = ((min(limit, 0.0), max(limit, 0.0)) for limit in limits)
        found.update(zip(each.refining, ranges, strict=True))
    if each.mean is not None:
        found |= {each.mean: (low, high), each.centred: (-width, width)}
    if len(each.behind) == 2:
        found[each.behind[0]] = (-limit * each.scale, limit * each.scale)
    return found


class _Graph(Wiring):
    """What normalizations are looked for in."""

    def without_constant(self, index: int) -> tuple[int, float]:
        """What a constant was added to, and that constant; the tensor itself and 0 otherwise."""
        total = self.maker(index, "ADD")
        terms = [] if total is None else list(map(int, total.inputs))
        for term, other in zip(terms, reversed(terms), strict=True):
            value = self.constant(term)
            if value is not None and value.size == 1:
                return other, float(value.reshape(-1)[0])
        return index, 0.0

    def centring(self, index: int) -> tuple[int, int | None]:
        """What a mean was taken from, and the mean; the tensor itself and None otherwise."""
        difference = self.maker(index, "SUB")
        if difference is not None:
            source, mean = map(int, difference.inputs)
            made = self.maker(mean, "MEAN")
            if made is not None and int(made.inputs[0]) == source:
                return source, mean
        return index, None

    def refining(self, raised: int, inverse: int) -> tuple[int, ...]:
        """What `rewrites.roots` put behind the root, in order; empty where it did not."""
        found: list[int] = []
        start = [op for op in self.takers(inverse) if raised in map(int, op.inputs)]
        while start:
            found.append(int(start[0].outputs[0]))
            start = self.takers(found[-1]) if len(found) < _NEWTON_OPS else []
        return tuple(found)

    def behind(self, index: int) -> tuple[tuple[int, ...], float]:
        """What a constant scale and a constant bias make of a tensor that is for nothing else, and
        the largest factor of the scale."""
        found, largest = [index], 1.0
        for kind in ("MUL", "ADD"):
            takers = self.takers(found[-1])
            if len(takers) != 1 or self.kind(takers[0]) != kind:
                continue
            constants = [self.constant(each) for each in takers[0].inputs]
            for value in constants:
                if value is not None:
                    largest = float(abs(value).max()) if kind == "MUL" else largest
                    found.append(int(takers[0].outputs[0]))
        return tuple(found[1:]), largest


def _around(graph: _Graph, root: Any) -> Normalization | None:
    """The normalization that a root is part of; None where it is of something else."""
    raised = int(root.inputs[0])
    variance, epsilon = graph.without_constant(raised)
    mean_of_squares = graph.maker(variance, "MEAN")
    square = graph.maker(mean_of_squares.inputs[0], "MUL") if mean_of_squares else None
    if square is None or int(square.inputs[0]) != int(square.inputs[1]):
        return None
    centred, inverse = int(square.inputs[0]), int(root.outputs[0])
    refining = graph.refining(raised, inverse)
    factor = refining[-1] if refining else inverse
    products = [op for op in graph.takers(centred) if factor in map(int, op.inputs)]
    if [graph.kind(op) for op in products] != ["MUL"]:
        return None
    source, mean = graph.centring(centred)
    normalized = int(products[0].outputs[0])
    behind, scale = graph.behind(normalized)
    return Normalization(
        source=source,
        mean=mean,
        centred=centred,
        squared=int(square.outputs[0]),
        variance=variance,
        raised=raised,
        epsilon=epsilon,
        inverse=inverse,
        refining=refining,
        normalized=normalized,
        count=graph.size(centred) // max(graph.size(variance), 1),
        scale=scale,
        behind=behind,
    )
