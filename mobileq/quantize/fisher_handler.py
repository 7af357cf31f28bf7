"""The child's side of `fisher`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import onnx

from mobileq.external.framing import Arrays, Fields
from mobileq.graph.backward import backward
from mobileq.graph.shapes import value_counts
from mobileq.onnx_runtime import SessionOptions, open_session
from mobileq.protobuf import write_model
from mobileq.quantize.sensitivity import compared_part
from mobileq.spec import ModelSpec
from mobileq.staging import temporary_folder
from mobileq.tasks.base import Outputs, Reference

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from onnx import ModelProto


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
    _read: dict[str, tuple[str, str]]
    _strides: dict[str, int]

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
        self._read = {
            name: (name, made.gradients[each.result]) for name, each in self._bins.items()
        }
        self._strides = _thin(made.model, self._read, fields["stride"])
        with temporary_folder() as folder:
            paths = [folder / "forward.onnx", folder / "both.onnx"]
            for each, path in zip((model, made.model), paths, strict=True):
                write_model(each, path)
            # Sessions hold weights as they like them best, the second one all of them twice.
            del model, made, each
            # One thread: samples are run side by side.
            options = SessionOptions(threads=1)
            self._outputs, self._both = (open_session(path, options) for path in paths)
        return {"stopped": stopped}, {}

    def sample(self, fields: Fields, arrays: Arrays) -> tuple[Fields, Arrays]:
        """Of the inputs, the sums of squared gradients: by tensor, in its bins. Field: `seed`."""
        names = list(self._outputs.output_names)
        outputs = dict(zip(names, self._outputs.run(names, arrays), strict=True))
        random = np.random.default_rng(fields["seed"])
        slopes = self._reference(outputs).slopes(random)
        seeds = {
            seed: np.asarray(slopes[name], outputs[name].dtype)
            for name, seed in self._seeds.items()
        }
        wanted = list(dict.fromkeys(name for pair in self._read.values() for name in pair))
        found = self._both.run(wanted, {**arrays, **seeds})
        given = dict(zip(wanted, found, strict=True))
        return {}, {
            name: _summed(given[values], given[gradients], self._bins[name]) * self._strides[name]
            for name, (values, gradients) in self._read.items()
        }


def _thin(model: ModelProto, read: dict[str, tuple[str, str]], stride: int) -> dict[str, int]:
    """Of large tensors and their gradients some values are enough, and taken where they are made:
    to copy out and to put into bins, all values took half of the time.

    Args:
        read: {tensor: what is read for it}; gets the names of what is to be read.
        stride: One in how many. Sides of feature maps are seldom multiples of 3: in every row other
            columns have their turn. 5 would take the same cells of all maps of 80 x 80, where few
            have a gradient.

    Returns:
        {tensor: one in how many of its values is read}.
    """
    counts, strides, made = value_counts(model), dict[str, int](), dict[str, str]()
    for name, pair in read.items():
        strides[name] = stride if counts.get(name, 0) > _LARGE else 1
        if strides[name] > 1:
            for each in pair:
                if each not in made:
                    made[each] = _every(model.graph, each, stride)
            read[name] = made[pair[0]], made[pair[1]]
    kept = {each for pair in read.values() for each in pair}
    outputs = [each for each in model.graph.output if each.name in kept]
    del model.graph.output[:]
    model.graph.output.extend(outputs)
    return strides


def _every(graph: onnx.GraphProto, name: str, stride: int) -> str:
    """Another output of the graph: of a tensor's values one in `stride`, from the first on."""
    flat, given = f"{name}/flat", f"{name}/every_{stride}"
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
