"""What rounding weights costs, as gradients tell it, against models with rounded weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from mobileq.preparation.prepare import PreparedModel
from mobileq.progress import Silent
from mobileq.quantize.fisher import Gradients, expected_errors, weighed_statistics
from mobileq.quantize.groups import OpGroup
from mobileq.quantize.hosted_parts import part_errors
from mobileq.quantize.layer_gradients import LayerGradients, inside_errors
from mobileq.quantize.repairs.layerwise import rounded_for
from mobileq.quantize.simulate import inside, switches
from mobileq.spec import TensorRange
from mobileq.tasks.noise import NoiseReference
from mobileq.vision.preprocess import feed_picture, read_image
from tests.graph.gradients.finite_differences import outputs_of, session

from .conftest import DEMO
from .small_models import Given, prepared_in

DRAWS = 64
EACH_DRAW = Gradients(DRAWS, 1, layers=DRAWS)
"""Signs of slopes differ from sample to sample, also of one that comes again and again."""


def layered(
    body: str, folder: Path, weights: np.ndarray, shape: str
) -> tuple[LayerGradients, list[np.ndarray]]:
    """Of "h" in a small model of one sample, and what it gives as it is, with rounded weights, and
    with these but for what they add to the means of the channels of "h"."""
    graph = f"g (float[{shape}] x) => (float[{shape}] y) {{ {body} }}"
    path, prepared = prepared_in(folder, graph, {"w": weights})
    numbers = np.random.default_rng(5)
    x = numbers.normal(1, 1, [int(each) for each in shape.split(",")]).astype(np.float32)
    found = weighed_statistics(
        path,
        prepared.model,
        prepared.spec,
        Given([{"x": x}] * DRAWS),
        Silent(),
        gradients=EACH_DRAW,
    )
    given = []
    (layer,) = (node for node in prepared.model.graph.node if "h" in node.output)
    for changed in (False, True):
        made = onnx.ModelProto()
        made.CopyFrom(prepared.model)
        for tensor in made.graph.initializer if changed else ():
            if tensor.name == layer.input[1]:
                rounded = rounded_for(layer, numpy_helper.to_array(tensor))
                tensor.CopyFrom(numpy_helper.from_array(rounded, tensor.name))
        made.graph.output.append(onnx.helper.make_empty_tensor_value_info("h"))
        given.append(outputs_of(session(made), {"x": x}))
    return found.layers["h"], given


KINDS = {
    "Conv": ("Conv<pads = [1, 1, 1, 1]>(x, w)", (4, 4, 3, 3), "1,4,6,6", 1),
    "depthwise": ("Conv<group = 4, pads = [1, 1, 1, 1]>(x, w)", (4, 1, 3, 3), "1,4,6,6", 1),
    "ConvTranspose": ("ConvTranspose<pads = [1, 1, 1, 1]>(x, w)", (4, 4, 3, 3), "1,4,6,6", 1),
    "Gemm": ("Gemm(x, w)", (8, 8), "1,8", 1),
    "MatMul": ("MatMul(x, w)", (8, 8), "1,12,8", -1),
}


@pytest.mark.parametrize("kind", KINDS)
def test_rounded_weights_cost_what_is_expected(kind: str, tmp_path: Path) -> None:
    op, weights_shape, shape, axis = KINDS[kind]
    weights = np.random.default_rng(3).normal(0.2, 1, weights_shape).astype(np.float32)
    layer, (plain, rounded) = layered(f"h = {op} y = Neg(h)", tmp_path, weights, shape)
    reference = NoiseReference({"y": plain["y"]})
    assert layer.error() == pytest.approx(reference.error({"y": rounded["y"]}), rel=0.25)
    axes = tuple(at for at in range(plain["h"].ndim) if at != axis % plain["h"].ndim)
    shift = (rounded["h"] - plain["h"]).mean(axis=axes, keepdims=True)
    corrected = reference.error({"y": rounded["y"] + shift})
    if plain["h"].size > plain["h"].shape[axis]:  # or there is nothing but the mean
        assert layer.error(shifted=True) == pytest.approx(corrected, rel=0.25)
        assert corrected < 0.95 * layer.error()
    else:
        assert layer.error(shifted=True) == pytest.approx(0.0, abs=1e-12)


def test_weights_that_are_made_or_come_first_are_left_out(tmp_path: Path) -> None:
    weights = np.eye(6, dtype=np.float32)
    with pytest.raises(KeyError):
        layered("h = MatMul(w, x) y = Neg(h)", tmp_path, weights, "1,6,6")
    with pytest.raises(KeyError):
        layered("v = Mul(w, x) h = MatMul(x, v) y = Neg(h)", tmp_path, weights, "1,6,6")


def group(name: str, *tensors: str, weights: str | None = None) -> OpGroup:
    nodes = tuple(range(len(tensors)))
    return OpGroup(name, "convolution", "Conv", nodes, tensors, ("x",), weights)


def test_inside_of_a_group_are_weights_and_what_is_between_its_nodes() -> None:
    tensors = {"a": 1.0, "b": 2.0, "c": 4.0}
    silu = group("c", "a", "s", "c", weights="w")
    found = inside_errors([silu], tensors, {"a": 0.5}, {"s"})
    assert found == {inside("c"): 1.5}
    assert inside_errors([silu], tensors, {"a": 0.5}, set()) == {}, "the sigmoid is not known"
    assert inside_errors([silu], tensors, {}, {"s"}) == {}
    alone = group("b", "b", weights="w")
    assert inside_errors([alone], {}, {"b": 0.25}, set()) == {inside("b"): 0.25}
    assert inside_errors([group("b", "b")], tensors, {}, set()) == {}, "an addition has none"


def test_gradients_tell_all_errors_of_the_demo_as_runs_do(
    demo: PreparedModel,
    groups: tuple[OpGroup, ...],
    ranges: dict[str, TensorRange],
    tmp_path: Path,
) -> None:
    pictures = sorted((DEMO / "calibration" / "images").glob("*.jpg"))[:16]
    samples = [feed_picture(demo.spec, read_image(path))[0] for path in pictures]
    path = tmp_path / "demo.onnx"
    onnx.save(demo.model, path)
    found = weighed_statistics(
        path,
        demo.model,
        demo.spec,
        Given(samples),
        Silent(),
        gradients=Gradients(16, 1, layers=8),
    )
    tensors = expected_errors(demo.model, demo.spec, found, ranges)
    layers = {name: each.error() for name, each in found.layers.items()}
    known = tensors | inside_errors(groups, tensors, layers, ())
    # No object of these pictures is found by the two coarser strides: of what only these read
    # nothing is known.
    idle = switches(demo.model, groups, ranges) - known.keys()
    tensors_of_them = [name.removeprefix("inside ") for name in idle]
    assert all(found.tensors[name].importance is None for name in tensors_of_them)
    runs = part_errors(path, ranges, samples[::2], demo.spec, Silent(), known={*tensors, *idle})
    names = sorted(runs)
    assert len(names) > 20
    assert all(name.startswith("inside ") for name in names)
    pair = np.log([[known[name], runs[name]] for name in names]).T
    assert np.corrcoef(pair)[0, 1] > 0.8
    assert np.exp(np.abs(pair[0] - pair[1]).mean()) < 2.0
