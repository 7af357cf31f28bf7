"""The child's side of `channels`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import onnx

from mobileq.external.framing import Arrays, Fields
from mobileq.graph.backward import backward
from mobileq.graph.outline import opset
from mobileq.onnx_runtime.session import LocalSession, SessionOptions
from mobileq.protobuf import write_model
from mobileq.quantize.sensitivity import compared_part
from mobileq.spec import ModelSpec
from mobileq.staging import temporary_folder
from mobileq.tasks.base import Outputs, Reference

if TYPE_CHECKING:
    from onnx import ModelProto

_SUMS = "mobileq_squares/"
_AXES = "mobileq/axes"
_ALL_BUT_CHANNELS = [0, 2, 3]
_AXES_ARE_INPUT = 18
"""The opset since which reductions take their axes as an input."""


class ChannelHandler:
    """Methods as `mobileq.external.child` calls them."""

    _reference: Callable[[Outputs], Reference]

    def begin(self, fields: Fields, arrays: Arrays) -> tuple[Fields, Arrays]:
        """Fields are `model`, its path, `spec`, and `tensors` [N, C, H, W]: their names."""
        spec = msgspec.convert(fields["spec"], ModelSpec)
        model, self._reference = compared_part(onnx.load(fields["model"]), spec)
        there = {name for node in model.graph.node for name in node.output}
        made = backward(model, [name for name in fields["tensors"] if name in there])
        self._seeds, self._gradients = made.seeds, made.gradients
        self._results = [value.name for value in model.graph.output]
        self._taken = [value.name for value in made.back.graph.input]
        wanted = {*self._results, *self._taken}
        outputs = [value for value in made.there.graph.output if value.name in wanted]
        del made.there.graph.output[:]
        made.there.graph.output.extend(outputs)
        _sum_squares(made.back, sorted(set(made.gradients.values())))
        with temporary_folder() as folder:
            paths = [folder / "there.onnx", folder / "back.onnx"]
            for each, path in zip((made.there, made.back), paths, strict=True):
                write_model(each, path)
            del model, made, each
            # One thread: samples are run side by side.
            options = SessionOptions(threads=1, readers_first=True)
            self._there, self._back = (LocalSession(path, options) for path in paths)
        return {}, {}

    def sample(self, fields: Fields, arrays: Arrays) -> tuple[Fields, Arrays]:
        """Of the inputs, by tensor: each channel's sum of squared gradients, whose signs are drawn
        by the `seed` of the fields."""
        given = {**arrays, **self._there.run_in_place(arrays)}
        outputs = {name: given[name] for name in self._results}
        slopes = self._reference(outputs).slopes(np.random.default_rng(fields["seed"]))
        for name, each in self._seeds.items():
            given[each] = np.asarray(slopes[name], outputs[name].dtype)
        back = self._back.run_in_place({name: given[name] for name in self._taken})
        return {}, {name: back[_SUMS + each] for name, each in self._gradients.items()}


def _sum_squares(model: ModelProto, names: Iterable[str]) -> None:
    """Let it give the sums of the tensors' squares by channel, and nothing else."""
    graph = model.graph
    axes = onnx.numpy_helper.from_array(np.array(_ALL_BUT_CHANNELS, np.int64), _AXES)
    graph.initializer.append(axes)
    del graph.output[:]
    for name in names:
        node = onnx.helper.make_node("ReduceSumSquare", [name], [_SUMS + name], keepdims=0)
        if opset(model) >= _AXES_ARE_INPUT:
            node.input.append(_AXES)
        else:
            node.attribute.append(onnx.helper.make_attribute("axes", _ALL_BUT_CHANNELS))
        graph.node.append(node)
        graph.output.append(onnx.helper.make_empty_tensor_value_info(node.output[0]))
