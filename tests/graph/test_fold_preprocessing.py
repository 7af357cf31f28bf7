"""A graph that takes pixels gives what the graph gave of the preprocessed picture."""

from __future__ import annotations

import msgspec
import numpy as np
import onnx
import pytest
from onnx import numpy_helper, parser

from mobileq.graph.fold_preprocessing import fold_preprocessing, is_folded
from mobileq.graph.shapes import infer_shapes
from mobileq.graph.trial_run import run
from mobileq.spec import ModelSpec, PreprocessSpec, TensorSpec
from mobileq.vision.preprocess import preprocess

IMAGENET = {"image_mean": (0.485, 0.456, 0.406), "image_std": (0.229, 0.224, 0.225)}
WAYS = {
    "mean and deviation": PreprocessSpec(width=12, height=8, **IMAGENET),
    "BGR": PreprocessSpec(width=12, height=8, channel_order="BGR", **IMAGENET),
    "channels last": PreprocessSpec(width=12, height=8, layout="NHWC", **IMAGENET),
    "BGR, channels last": PreprocessSpec(
        width=12, height=8, layout="NHWC", channel_order="BGR", **IMAGENET
    ),
    "gray": PreprocessSpec(
        width=12, height=8, channel_order="GRAY", image_mean=(0.5,), image_std=(0.3,)
    ),
}


def model_of(way: PreprocessSpec) -> tuple[onnx.ModelProto, ModelSpec]:
    """A padded convolution; the input is taken twice, and a tensor has a name of ours."""
    channels, first = way.channels, way.layout == "NCHW"
    shape = list(way.tensor_shape())
    turn = "t = Identity(x)" if first else "t = Transpose<perm=[0,3,1,2]>(x)"
    model = parser.parse_model(
        f"""<ir_version: 8, opset_import: ["" : 17]>
        g (float{shape} x) => (float[1,4,8,12] y, float{shape} z) {{
            {turn}
            y = Conv<pads=[1,1,1,1]>(t, w)
            z = Relu(x)
        }}"""
    )
    weights = np.random.default_rng(0).normal(0, 1, (4, channels, 3, 3)).astype(np.float32)
    model.graph.initializer.append(numpy_helper.from_array(weights, "w"))
    model.graph.node[0].output[0] = model.graph.node[1].input[0] = "mobileq_preprocessing/x"
    tensor = TensorSpec(name="x", shape=tuple(shape), dtype="float32", layout=way.layout)
    spec = ModelSpec(
        name="m", task="unknown", family=None, inputs=(tensor,), outputs=(), preprocess=way
    )
    return infer_shapes(model), spec


@pytest.mark.parametrize("way", WAYS)
def test_pixels_give_what_the_prepared_picture_gave(way: str) -> None:
    model, spec = model_of(WAYS[way])
    picture = np.random.default_rng(1).integers(0, 256, (8, 12, 3), np.uint8)
    wanted = run(model, {"x": preprocess(picture, WAYS[way])[0]})
    folded, about = fold_preprocessing(model, spec)
    onnx.checker.check_model(folded, full_check=True)
    assert about.preprocess is not None
    assert is_folded(about.preprocess)
    assert about.inputs == spec.inputs
    pixels, _ = preprocess(picture, about.preprocess)
    assert {float(value) for value in pixels.ravel()} <= set(map(float, range(256)))
    found = run(folded, {"x": pixels})
    for name, array in wanted.items():
        np.testing.assert_allclose(found[name], array, atol=1e-5)


def test_only_pixels_are_left_alone() -> None:
    assert not is_folded(PreprocessSpec(width=1, height=1))
    plain = PreprocessSpec(width=1, height=1, rescale_factor=1.0)
    assert is_folded(plain)
    assert not is_folded(msgspec.structs.replace(plain, channel_order="BGR"))
