from __future__ import annotations

import pytest

from mobileq.spec import ModelSpec, TensorSpec
from mobileq.workflows.inputs import guessed_preprocess


def _spec(shape: tuple[int, ...], dtype: str = "float32", **more: TensorSpec) -> ModelSpec:
    first = TensorSpec(name="x", shape=shape, dtype=dtype)
    inputs = (first, *more.values())
    return ModelSpec(name="m", task="unknown", family=None, inputs=inputs, outputs=())


@pytest.mark.parametrize(
    ("shape", "dtype"),
    [
        ((2, 2, 64, 64), "float32"),
        ((1, 2, 5, 5), "float32"),  # a picture has three channels, or one
        ((3, 4, 5, 1), "float32"),
        ((3, 5, 5), "float32"),
        ((1, 3, 8, 8), "int64"),
        ((1, 3, 8), "float32"),
    ],
)
def test_no_picture_is_guessed_where_none_fits(shape: tuple[int, ...], dtype: str) -> None:
    assert guessed_preprocess(_spec(shape, dtype)) is None


def test_a_picture_is_guessed_for_the_first_input() -> None:
    sizes = TensorSpec(name="sizes", shape=(1, 2), dtype="int64")
    found = guessed_preprocess(_spec((1, 3, 48, 64), sizes=sizes))
    assert found is not None
    assert (found.width, found.height, found.layout) == (64, 48, "NCHW")
    assert guessed_preprocess(_spec((2, 3, 48, 64))) == found  # a batch is pictures as well
    found = guessed_preprocess(_spec((1, 1, 48, 64)))
    assert found is not None
    assert found.channel_order == "GRAY"
    found = guessed_preprocess(_spec((1, 48, 64, 3), "uint8"))
    assert found is not None
    assert (found.rescale_factor, found.image_mean, found.image_std) == (1.0, (0,) * 3, (1,) * 3)
    assert found is not None
    assert (found.width, found.height, found.layout) == (64, 48, "NHWC")
