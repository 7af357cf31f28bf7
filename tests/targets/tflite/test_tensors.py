"""The file's tensors are found again under the model's names and in its order of axes."""

from __future__ import annotations

from contextlib import closing

import numpy as np
import pytest

from mobileq.errors import VerificationError
from mobileq.spec import QuantParams, TensorSpec
from mobileq.targets.tflite import contents, counting, flatbuffer, interface
from mobileq.targets.tflite.target import TfliteTarget
from mobileq.targets.tflite.tensors import (
    EdgeOrders,
    code_limits,
    edge_orders,
    file_tensors,
    match_tensors,
    quantized_activations,
    restore_layouts,
)


def tensor(name: str, *shape: int, **fields) -> TensorSpec:
    return TensorSpec(name=name, shape=shape, dtype=fields.pop("dtype", "float32"), **fields)


def test_tensors_correspond_by_place():
    file = (tensor("a__1", 1, 8, 8, 3, artifact_name="a__1"), tensor("b", 4, artifact_name="b"))
    found = match_tensors((tensor("a:1", 1, 3, 8, 8, layout="NCHW"), tensor("c", 4)), file)
    assert [(spec.name, spec.artifact_name) for spec in found] == [("a:1", "a__1"), ("c", "b")]
    assert (found[0].shape, found[0].permutation) == ((1, 8, 8, 3), (0, 2, 3, 1))
    assert (found[0].layout, found[1].permutation) == ("NHWC", None)


def test_type_and_scale_are_the_files_own():
    quant = QuantParams(scale=(0.5,), zero_point=(3,))
    (found,) = match_tensors((tensor("x", 4),), (tensor("y", 4, dtype="int8", quant=quant),))
    assert (found.dtype, found.quant) == ("int8", quant)


def test_other_number_of_tensors_is_refused():
    with pytest.raises(VerificationError, match=r"2 tensors .* has 1"):
        match_tensors((tensor("x", 4),), (tensor("x", 4), tensor("y", 4)))


def test_other_shape_is_refused_by_name():
    with pytest.raises(VerificationError, match=r"'x' has shape \[5\] where the model has \[4\]"):
        match_tensors((tensor("x", 4),), (tensor("x", 5),))


def test_only_quantized_tensors_have_a_scale(convert):
    inputs, outputs = file_tensors(flatbuffer.read_model(convert("scores", "int8", "int8").path))
    for spec in (*inputs, *outputs):
        assert spec.quant is not None
        assert (len(spec.quant.scale), spec.quant.axis) == (1, None)
    inputs, outputs = file_tensors(flatbuffer.read_model(convert("scores", "int8").path))
    assert [spec.quant for spec in (*inputs, *outputs)] == [None, None]


def test_activations_in_integers_are_listed_and_weights_are_not(convert):
    file = flatbuffer.read_model(convert("scores", "int8", "int8").path)
    inputs, outputs = file_tensors(file)
    listed = {name: quant for name, _, quant in quantized_activations(file)}
    assert {spec.name: spec.quant for spec in (*inputs, *outputs)}.items() <= listed.items()
    assert {"c", "f"} <= set(listed)
    assert not {"w", "v", "b"} & set(listed)
    assert all(len(quant.scale) == 1 for quant in listed.values())
    assert not quantized_activations(flatbuffer.read_model(convert("scores", "fp16").path))
    assert code_limits("uint8") == (0, 255)


def no_run(_):
    raise AssertionError("the shapes tell")


def test_outputs_in_the_order_of_the_model_are_left_alone(convert):
    file = convert("anchors", "fp32")
    before = file.path.read_bytes()
    spec = file.model.spec
    orders = edge_orders(file.path, spec.inputs, spec.outputs, no_run)
    assert orders == (((0, 2, 3, 1),), ((0, 1, 2),))
    restore_layouts(file.path, spec.inputs, orders)
    assert file.path.read_bytes() == before


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (0, 2, 3, 1), (0, 3, 1, 2)])
def test_numbers_tell_the_order_where_axes_are_equal(convert, order):
    file = convert("cube", "fp32")
    wanted = file.model.wanted
    noise = np.random.default_rng(2).normal(0, 0.01, wanted["y"].shape)

    def run_both(fed):
        assert fed == ((0, 2, 3, 1),)
        return wanted, {**wanted, "y": (wanted["y"] + noise).transpose(order)}

    spec = file.model.spec
    found = edge_orders(file.path, spec.inputs, spec.outputs, run_both)
    assert found.outputs == (order, (0, 1, 2))


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (0, 2, 3, 1), (0, 3, 1, 2)])
def test_numbers_tell_the_order_in_which_an_input_of_equal_axes_is_taken(convert, order):
    file = convert("cube_in", "fp32")
    wanted, spec = file.model.wanted, file.model.spec

    def run_both(fed):
        return wanted, {"y": wanted["y"] + (0.01 if fed == (order,) else 0.02)}

    assert edge_orders(file.path, spec.inputs, spec.outputs, run_both).inputs == (order,)


@pytest.mark.parametrize("precision", ["fp32", "int8"])
@pytest.mark.parametrize("order", [(0, 2, 3, 1), (0, 3, 1, 2)])
def test_input_of_equal_axes_gets_the_models_order_again(convert, tmp_path, precision, order):
    file = convert("cube_in", precision, "int8" if precision == "int8" else "float32")
    spec, path = file.model.spec, tmp_path / "restored.tflite"
    path.write_bytes(file.path.read_bytes())
    feeds = {"x": file.model.samples[0]}

    def outputs(at, feeds):
        with closing(TfliteTarget().open(at, *matched(at))) as runner:
            return runner.run(feeds)["y"]

    def matched(at):
        inputs, outputs = file_tensors(flatbuffer.read_model(at))
        return match_tensors(spec.inputs, inputs), match_tensors(spec.outputs, outputs)

    # As if the converter had made the file take the axes in this order.
    unmoved = tuple(tuple(range(len(output.shape))) for output in spec.outputs)
    restore_layouts(path, spec.inputs, EdgeOrders((order,), unmoved))
    wanted = outputs(file.path, {"x": feeds["x"].transpose(order)})
    np.testing.assert_array_equal(outputs(path, feeds), wanted)
    assert not np.array_equal(outputs(path, {"x": feeds["x"].transpose(order)}), wanted)
    made = flatbuffer.read_model(path)
    (name,) = {tensor.name for tensor in file_tensors(made)[0]}
    assert name == file_tensors(flatbuffer.read_model(file.path))[0][0].name
    before = counting.op_counts(flatbuffer.read_model(file.path))
    assert counting.op_counts(made) == {**before, "TRANSPOSE": before.get("TRANSPOSE", 0) + 1}


def test_transposed_output_takes_over_the_name_and_the_signature(convert):
    model = flatbuffer.read_model(convert("upsampled", "fp32").path)
    graph = model.subgraphs[0]
    names = [contents.tensor_name(graph.tensors[index]) for index in graph.outputs]
    assert names == ["up", "down"]
    (signature,) = model.signatureDefs
    named = {entry.name.decode(): entry.tensorIndex for entry in signature.outputs}
    assert named == dict(zip(names, graph.outputs, strict=True))


def test_outputs_are_put_in_the_order_of_the_signatures_names(convert):
    model = flatbuffer.read_model(convert("upsampled", "fp32").path)
    graph = model.subgraphs[0]
    up, down = (int(index) for index in graph.outputs)
    graph.outputs = [down, up]
    assert not interface.order_outputs(model, ("up", "other"))
    assert graph.outputs == [down, up]
    assert interface.order_outputs(model, ("up", "down"))
    assert graph.outputs == [up, down]
    assert not interface.order_outputs(model, ("up", "down"))
