"""Tensors inside of a file are those of the model, in its order of axes."""

from __future__ import annotations

from contextlib import closing

import onnx
import pytest

from mobileq.graph.outline import with_outputs
from mobileq.graph.shapes import inner_tensors
from mobileq.targets.reference import ReferenceRunner
from mobileq.targets.tflite.target import TfliteTarget

from ..tiny import sqnr_db


@pytest.mark.parametrize("precision", ["fp32", "int8"])
@pytest.mark.parametrize(
    ("name", "inside"), [("pooled", {"c", "m", "p", "q", "j"}), ("volume", set[str]())]
)
def test_what_the_file_has_of_the_model_is_as_the_model_computes_it(
    convert, name, inside, precision
):
    file = convert(name, precision)
    model = onnx.load(file.model.path)
    target = TfliteTarget()
    with closing(
        target.open_layers(file.path, file.converted.inputs, inner_tensors(model), model)
    ) as runner:
        found = runner.run(file.model.feeds)
    assert {*inside, "y"} <= set(found)
    opened = with_outputs(model, found)
    wanted = ReferenceRunner(opened, (), runner.outputs).run(file.model.feeds)
    for tensor, value in found.items():
        assert value.shape == wanted[tensor].shape
        assert sqnr_db(wanted[tensor], value) > (100 if precision == "fp32" else 20), tensor
    quantized = {spec.name for spec in runner.outputs if spec.quant}
    assert inside <= quantized if precision == "int8" else not quantized


def test_where_equal_axes_hide_their_order_the_tensor_is_left_out(convert):
    file = convert("attention", "fp32")
    model = onnx.load(file.model.path)
    wanted = inner_tensors(model)
    cubes = {spec.name for spec in wanted if spec.shape == (1, 8, 8, 8)}
    assert cubes
    opened = TfliteTarget().open_layers(file.path, file.converted.inputs, wanted, model)
    with closing(opened) as runner:
        assert not cubes & {each.name for each in runner.outputs}
