"""The child's side of `fisher`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import onnx

from mobileq.external.framing import Arrays, Fields
from mobileq.graph.backward import Backward, backward
from mobileq.graph.op_facts import ELEMENTWISE
from mobileq.graph.outline import constants, producers, reads
from mobileq.graph.shapes import value_counts
from mobileq.onnx_runtime.session import LocalSession, SessionOptions
from mobileq.protobuf import write_model
from mobileq.quantize.sensitivity import compared_part
from mobileq.spec import ModelSpec
from mobileq.staging import temporary_folder
from mobileq.tasks.base import Outputs, Reference

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from onnx import GraphProto, NodeProto


_LARGE = 2**16
_AT_ONCE = 2**16
"""Values whose places and weights stay in the processor's cache: half the time of all at once."""


class Bins(msgspec.Struct, frozen=True):
    """Of a histogram: `count` of them, `width` wide, from `first * width` on; and the tensor whose
    gradient counts."""

    width: float
    first: int
    count: int
    result: str


class FisherHandler:
    """Methods as `mobileq.external.child` calls them."""

    _reference: Callable[[Outputs], Reference]
    _seeds: dict[str, str]

    def begin(self, fields: Fields, arrays: Arrays) -> tuple[Fields, Arrays]:
        """Fields are `model`, its path, `spec`, the tensors' `bins` and the `stride` of large ones;
        gives the tensors that no gradient reaches, `stopped` by what type of op."""
        model = onnx.load(fields["model"])
        spec = msgspec.convert(fields["spec"], ModelSpec)
        self._bins = msgspec.convert(fields["bins"], dict[str, Bins])
        model, self._reference = compared_part(model, spec)
        there = {name for node in model.graph.node for name in node.output}
        there.update(value.name for value in model.graph.input)
        self._bins = {name: each for name, each in self._bins.items() if each.result in there}
        wanted = {each.result for each in self._bins.values()} | self._bins.keys()
        made = backward(model, sorted(wanted))
        self._bins = {
            name: each for name, each in self._bins.items() if each.result in made.gradients
        }
        self._seeds, stopped = made.seeds, made.stopped
        self._results = [value.name for value in model.graph.output]
        self._taken = [value.name for value in made.back.graph.input]
        self._read, self._strides = _thin(made, self._bins, self._results, fields["stride"])
        with temporary_folder() as folder:
            paths = [folder / "there.onnx", folder / "back.onnx"]
            for each, path in zip((made.there, made.back), paths, strict=True):
                write_model(each, path)
            del model, made, each
            # One thread: samples are run side by side.
            options = SessionOptions(threads=1)
            self._there, self._back = (LocalSession(path, options) for path in paths)
        return {"stopped": stopped}, {}

    def sample(self, fields: Fields, arrays: Arrays) -> tuple[Fields, Arrays]:
        """Of the inputs, the sums of squared gradients: by tensor, in its bins. Field: `seed`."""
        given = {**arrays, **self._there.run_in_place(arrays)}
        outputs = {name: given[name] for name in self._results}
        random = np.random.default_rng(fields["seed"])
        slopes = self._reference(outputs).slopes(random)
        for name, seed in self._seeds.items():
            given[seed] = np.asarray(slopes[name], outputs[name].dtype)
        back = self._back.run_in_place({name: given[name] for name in self._taken})
        return {}, {
            name: _summed(given[values], back[gradients], self._bins[name]) * self._strides[name]
            for name, (values, gradients) in self._read.items()
        }


def _thin(
    made: Backward, bins: Mapping[str, Bins], results: Collection[str], stride: int
) -> tuple[dict[str, tuple[str, str]], dict[str, int]]:
    """Of large tensors and their gradients some values are enough, and taken where they are made:
    to copy out and to put into bins, all values took half of the time.

    Args:
        made: Whose graphs get what is to be read as outputs, in place of tensors and gradients.
        results: Outputs that are read in any case.
        stride: One in how many. Sides of feature maps are seldom multiples of 3: in every row other
            columns have their turn. 5 would take the same cells of all maps of 80 x 80, where few
            have a gradient.

    Returns:
        {tensor: what is read for it, and for its gradient}, {tensor: one in how many of its values
        that is}.
    """
    counts, read, strides = value_counts(made.there), {}, dict[str, int]()
    there = Thinning(made.there.graph, stride, counts)
    back = Thinning(made.back.graph, stride, {})
    for name, each in bins.items():
        gradient = made.gradients[each.result]
        strides[name] = stride if counts.get(name, 0) > _LARGE else 1
        read[name] = (there(name), back(gradient)) if strides[name] > 1 else (name, gradient)
    taken = {value.name for value in made.back.graph.input}
    _keep(made.there.graph, taken.union(results, (values for values, _ in read.values())))
    _keep(made.back.graph, {gradient for _, gradient in read.values()})
    return read, strides


def _keep(graph: GraphProto, names: Collection[str]) -> None:
    """Of the outputs these alone."""
    outputs = [each for each in graph.output if each.name in names]
    del graph.output[:]
    graph.output.extend(outputs)


class Thinning:
    """Adds outputs to a graph that are one in `stride` of a tensor's values, from the first on.

    What an op makes of values one by one it makes of these again: to get them out of its result,
    which ONNX Runtime has in blocks of channels, took more of the time.

    Args:
        counts: Of tensors whose makers may be repeated.
    """

    def __init__(self, graph: GraphProto, stride: int, counts: Mapping[str, int]) -> None:
        self._graph, self._stride, self._counts = graph, stride, counts
        self._makers = producers(graph)
        self._numbers = {name for name, value in constants(graph).items() if value.size == 1}
        self._made: dict[str, str] = {}

    def __call__(self, name: str) -> str:
        """The output's name."""
        given = self._thinned(name)
        if all(each.name != given for each in self._graph.output):
            self._graph.output.append(onnx.helper.make_empty_tensor_value_info(given))
        return given

    def _thinned(self, name: str) -> str:
        if name in self._made:
            return self._made[name]
        given = self._made[name] = f"{name}/every_{self._stride}"
        maker = self._makers.get(name)
        if maker is None or not self._is_repeated(maker):
            self._slice(name, given)
            return given
        same = self._numbers | {""}
        taken = [each if each in same else self._thinned(each) for each in maker.input]
        again = self._graph.node.add()
        again.CopyFrom(maker)
        again.ClearField("name")
        again.input[:], again.output[:] = taken, [given]
        return given

    def _is_repeated(self, node: NodeProto) -> bool:
        """Whether it reads nothing but what has as many values, and single numbers."""
        count = self._counts.get(node.output[0])
        counts = {self._counts.get(name) for name in reads(node) if name not in self._numbers}
        is_known = count is not None and node.op_type in ELEMENTWISE and len(node.output) == 1
        return is_known and counts == {count}

    def _slice(self, name: str, given: str) -> None:
        constants = {"shape": -1, "start": 0, "stop": 2**62, "axis": 0, "step": self._stride}
        for each, value in constants.items():
            array = np.array([value], np.int64)
            tensor = onnx.numpy_helper.from_array(array, f"{given}/{each}")
            self._graph.initializer.append(tensor)
        shape, *slicing = (f"{given}/{each}" for each in constants)
        flat = f"{name}/flat"
        self._graph.node.add(op_type="Reshape", input=[name, shape], output=[flat])
        self._graph.node.add(op_type="Slice", input=[flat, *slicing], output=[given])


def _summed(values: NDArray[Any], gradient: NDArray[Any], bins: Bins) -> NDArray[np.float64]:
    """Nothing where there are values that are no numbers: these have no place."""
    values, gradient, sums = values.reshape(-1), gradient.reshape(-1), np.zeros(bins.count)
    scale, first, last = np.float32(1 / bins.width), np.float32(bins.first), bins.count - 1
    for start in range(0, values.size, _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        at = values[part] * scale  # exact: a power of two
        at -= first
        if not np.isfinite(at.sum()):
            return np.zeros(bins.count)
        np.clip(at, 0, last, out=at)
        weights = np.square(gradient[part], dtype=np.float64)
        sums += np.bincount(at.astype(np.intp), weights, bins.count)
    return sums if np.isfinite(sums).all() else np.zeros(bins.count)
