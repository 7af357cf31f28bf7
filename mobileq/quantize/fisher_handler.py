"""The child's side of `fisher`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import onnx

from mobileq.external.framing import Arrays, Fields
from mobileq.graph.backward import Backward, backward
from mobileq.graph.shapes import value_counts
from mobileq.onnx_runtime.session import LocalSession, SessionOptions
from mobileq.protobuf import write_model
from mobileq.quantize.sensitivity import compared_part
from mobileq.spec import ModelSpec
from mobileq.staging import temporary_folder
from mobileq.tasks.base import Outputs, Reference

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from onnx import GraphProto


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
    for name, each in bins.items():
        read[name] = name, made.gradients[each.result]
        strides[name] = stride if counts.get(name, 0) > _LARGE else 1
        if strides[name] > 1:
            graphs = made.there.graph, made.back.graph
            values, gradient = map(_every, graphs, read[name], (stride, stride))
            read[name] = values, gradient
    taken = {value.name for value in made.back.graph.input}
    _keep(made.there.graph, taken.union(results, (values for values, _ in read.values())))
    _keep(made.back.graph, {gradient for _, gradient in read.values()})
    return read, strides


def _keep(graph: GraphProto, names: Collection[str]) -> None:
    """Of the outputs these alone."""
    outputs = [each for each in graph.output if each.name in names]
    del graph.output[:]
    graph.output.extend(outputs)


def _every(graph: GraphProto, name: str, stride: int) -> str:
    """Another output of the graph: of a tensor's values one in `stride`, from the first on."""
    flat, given = f"{name}/flat", f"{name}/every_{stride}"
    if any(each.name == given for each in graph.output):
        return given
    constants = {"shape": [-1], "start": [0], "stop": [2**62], "axis": [0], "step": [stride]}
    for each, values in constants.items():
        array = np.array(values, np.int64)
        graph.initializer.append(onnx.numpy_helper.from_array(array, f"{given}/{each}"))
    _, *slicing = (f"{given}/{each}" for each in constants)
    graph.node.append(onnx.helper.make_node("Reshape", [name, f"{given}/shape"], [flat]))
    graph.node.append(onnx.helper.make_node("Slice", [flat, *slicing], [given]))
    graph.output.append(onnx.helper.make_empty_tensor_value_info(given))
    return given


def _summed(values: NDArray[Any], gradient: NDArray[Any], bins: Bins) -> NDArray[np.float64]:
    """Nothing where there are values that are no numbers: these have no place."""
    values, gradient, sums = values.reshape(-1), gradient.reshape(-1), np.zeros(bins.count)
    if not np.isfinite(values.sum()):
        return sums
    scale, first, last = np.float32(1 / bins.width), np.float32(bins.first), bins.count - 1
    for start in range(0, values.size, _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        at = values[part] * scale  # exact: a power of two
        at -= first
        np.clip(at, 0, last, out=at)
        weights = np.square(gradient[part], dtype=np.float64)
        sums += np.bincount(at.astype(np.intp), weights, bins.count)
    return sums if np.isfinite(sums).all() else np.zeros(bins.count)
