"""The child's side of `channels`."""

from __future__ import annotations

import msgspec
import onnx

from mobileq.external.framing import Arrays, Fields
from mobileq.graph.backward import backward
from mobileq.quantize.reductions import Reductions
from mobileq.quantize.sensitivity import compared_part
from mobileq.quantize.two_way import TwoWay, keep_outputs
from mobileq.spec import ModelSpec

_SUMS = "mobileq_squares/"


class ChannelHandler:
    """Methods as `mobileq.external.child` calls them."""

    def begin(self, fields: Fields, arrays: Arrays) -> tuple[Fields, Arrays]:
        """Fields are `model`, its path, `spec`, and `tensors` [N, C, H, W]: their names."""
        spec = msgspec.convert(fields["spec"], ModelSpec)
        model, reference = compared_part(onnx.load(fields["model"]), spec)
        there = {name for node in model.graph.node for name in node.output}
        made = backward(model, [name for name in fields["tensors"] if name in there])
        self._gradients = made.gradients
        results = [value.name for value in model.graph.output]
        keep_outputs(made.there.graph, {*results, *(value.name for value in made.back.graph.input)})
        keep_outputs(made.back.graph, ())
        sums = Reductions(made.back)
        for name in sorted(set(made.gradients.values())):
            sums.add("ReduceSumSquare", name, _SUMS + name)
        del model
        self._ways = TwoWay(made, results, reference)
        return {}, {}

    def sample(self, fields: Fields, arrays: Arrays) -> tuple[Fields, Arrays]:
        """Of the inputs, by tensor: each channel's sum of squared gradients, whose signs are drawn
        by the `seed` of the fields."""
        back = self._ways.back(self._ways.there(arrays), fields["seed"])
        return {}, {name: back[_SUMS + each] for name, each in self._gradients.items()}
