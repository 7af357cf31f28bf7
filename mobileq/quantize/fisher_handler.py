"""The child's side of `fisher`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import onnx

from mobileq.calibration.observers import Bins
from mobileq.calibration.taps import add_taps, make_plan
from mobileq.external.framing import Arrays, Fields
from mobileq.graph.backward import Backward, backward
from mobileq.graph.op_facts import ELEMENTWISE
from mobileq.graph.outline import constants, producers, reads
from mobileq.graph.shapes import value_counts
from mobileq.quantize.fisher import SUMS
from mobileq.quantize.layer_gradients import PRODUCTS, SHIFTS, SLOPES, LayerSums
from mobileq.quantize.sensitivity import compared_part
from mobileq.quantize.two_way import TwoWay, keep_outputs
from mobileq.spec import ModelSpec

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from onnx import GraphProto, NodeProto


_LARGE = 2**16
_AT_ONCE = 2**16
"""Values whose places and weights stay in the processor's cache: half the time of all at once."""


class FisherHandler:
    """Methods as `mobileq.external.child` calls them."""

    _taps: list[str]
    _with_layers: TwoWay | None = None

    def begin(self, fields: Fields, arrays: Arrays) -> tuple[Fields, Arrays]:
        """Fields are `model`, its path, `spec`, `results`, of each tensor that is looked at the one
        whose gradient counts, the `stride` of large ones, `layers` whose sums some samples are to
        give (see `LayerSums`), and whether taps are wanted, `tapped`.

        Gives the tensors that a gradient reaches, `weighed`, the others, `stopped` by what type of
        op, the `layers` it reaches, and whether samples are `tapped`: of a model that is cut they
        are not.
        """
        whole = onnx.load(fields["model"])
        spec = msgspec.convert(fields["spec"], ModelSpec)
        model, reference = compared_part(whole, spec)
        plan = make_plan(whole, None) if fields["tapped"] and model is whole else None
        there = {name for node in model.graph.node for name in node.output}
        there.update(value.name for value in model.graph.input)
        asked = {name: each for name, each in fields["results"].items() if each in there}
        layers = [name for name in fields["layers"] if name in there]
        made = backward(model, sorted({*asked, *asked.values(), *layers}))
        asked = {name: each for name, each in asked.items() if each in made.gradients}
        results = [value.name for value in model.graph.output]
        read, self._strides = _thin(made, asked, results, fields["stride"])
        self._read = {name: values for name, (values, _) in read.items()}
        # What a function takes and gives have one gradient, which is squared once.
        self._alike: dict[str, list[str]] = {}
        for name, (_, gradient) in read.items():
            self._alike.setdefault(gradient, []).append(name)
        self._taps = add_taps(made.there, plan) if plan is not None else []
        _give(made.there.graph, self._taps)
        del whole, model
        self._sums = LayerSums()
        if layers:
            # A session of its own: what it has to do besides takes as long as all the rest.
            more = _copied(made)
            self._sums.add(more, layers)
            self._with_layers = TwoWay(more, results, reference)
        told = {
            "weighed": list(self._read),
            "stopped": made.stopped,
            "layers": self._sums.names,
            "tapped": plan is not None,
        }
        self._ways = TwoWay(made, results, reference)
        return told, {}

    def sample(self, fields: Fields, arrays: Arrays) -> tuple[Fields, Arrays]:
        """Of the inputs the taps and the `outputs` that the fields name; where there is a `seed`
        also, by tensor, the sums of squared gradients in bins, and in the fields the `ends` that
        these reach to; where it is `layered`, also those of the layers."""
        more = self._with_layers if fields["layered"] else None
        ways = more or self._ways
        given = ways.there(arrays)
        told = {name: given[name] for name in (*self._taps, *fields["outputs"])}
        if fields["seed"] is None:
            return {"ends": {}}, told
        back = ways.back(given, fields["seed"])
        ends: dict[str, tuple[float, float]] = {}
        found: Arrays = {}
        for gradient, names in self._alike.items():
            values = {name: given[self._read[name]].reshape(-1) for name in names}
            known = {name: _ends(each) for name, each in values.items()}
            known = {name: each for name, each in known.items() if np.isfinite(each).all()}
            sums = _summed(values, back[gradient], known)
            found |= {SUMS + name: each * self._strides[name] for name, each in sums.items()}
            ends |= known
        for name in self._sums.names if more else ():
            found[SHIFTS + name] = given[SHIFTS + name]
            found |= {each + name: back[each + name] for each in (PRODUCTS, SLOPES)}
        return {"ends": ends}, told | found


def _thin(
    made: Backward, results: Mapping[str, str], outputs: Collection[str], stride: int
) -> tuple[dict[str, tuple[str, str]], dict[str, int]]:
    """Of large tensors and their gradients some values are enough, and taken where they are made:
    to copy out and to put into bins, all values took half of the time.

    Args:
        made: Whose graphs get what is to be read as outputs, in place of tensors and gradients.
        results: Of each tensor that is read the one whose gradient is.
        outputs: That are read in any case.
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
    for name, result in results.items():
        gradient = made.gradients[result]
        strides[name] = stride if counts.get(name, 0) > _LARGE else 1
        read[name] = (there(name), back(gradient)) if strides[name] > 1 else (name, gradient)
    taken = {value.name for value in made.back.graph.input}
    keep_outputs(made.there.graph, taken.union(outputs, (values for values, _ in read.values())))
    keep_outputs(made.back.graph, {gradient for _, gradient in read.values()})
    return read, strides


def _copied(made: Backward) -> Backward:
    there, back = onnx.ModelProto(), onnx.ModelProto()
    there.CopyFrom(made.there)
    back.CopyFrom(made.back)
    return replace(made, there=there, back=back)


def _give(graph: GraphProto, names: Collection[str]) -> None:
    """Outputs, where they are none yet."""
    known = {each.name for each in graph.output}
    new = (name for name in names if name not in known)
    graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in new)


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


def _ends(values: NDArray[Any]) -> tuple[float, float]:
    """The least and the greatest, as numbers that are none where one of the values is."""
    return float(values.min(initial=0.0)), float(values.max(initial=0.0))


def _summed(
    values: Mapping[str, NDArray[Any]],
    gradient: NDArray[Any],
    ends: Mapping[str, tuple[float, float]],
) -> dict[str, NDArray[np.float64]]:
    """Of tensors that have one gradient its squares, in the bins that reach from end to end."""
    bins = {name: Bins.reaching(low, high) for name, (low, high) in ends.items()}
    sums = {name: np.zeros(bins[name].count(high)) for name, (_, high) in ends.items()}
    flat = gradient.reshape(-1)
    for start in range(0, flat.size if sums else 0, _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        weights = np.square(flat[part], dtype=np.float64)
        for name, own in sums.items():
            own += np.bincount(bins[name].places(values[name][part], own.size), weights, own.size)
    return {
        name: own if np.isfinite(own).all() else np.zeros(own.size) for name, own in sums.items()
    }
