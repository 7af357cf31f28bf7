"""The reference gives the model's own outputs, under their names."""

from __future__ import annotations

from importlib.metadata import version

import numpy as np
import pytest

from mobileq.errors import InputError
from mobileq.targets.reference import ReferenceRunner


def conv_by_hand(image: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """The first convolution of the tiny model `upsampled`, with a loop."""
    padded = np.pad(image, ((0, 0), (0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(2, 3))
    return np.einsum("ncyxij,ocij->noyx", windows, kernel)


def test_outputs_are_those_of_the_arithmetic(tiny):
    from .tiny_models import MODELS

    model = tiny("upsampled")
    kernels = MODELS["upsampled"][1]
    features = np.maximum(conv_by_hand(model.samples[0], kernels["w"]), 0)
    logits = np.einsum("ncyx,oc->noyx", features, kernels["k"][:, :, 0, 0])
    np.testing.assert_allclose(model.wanted["down"], 1 / (1 + np.exp(-logits)), rtol=1e-5)
    assert list(model.wanted) == ["up", "down"]


@pytest.mark.parametrize("threads", [0, 1])
def test_path_and_bytes_are_the_same_model(tiny, threads):
    model = tiny("pixels")
    for source in (model.path, model.path.read_bytes()):
        runner = ReferenceRunner(source, model.spec.inputs, model.spec.outputs, threads)
        np.testing.assert_array_equal(runner.run(model.feeds)["y"], model.wanted["y"])
        assert runner.interpreter == f"onnxruntime {version('onnxruntime')}"
        runner.close()


def test_unoptimized_model_differs_by_rounding_only(tiny):
    model = tiny("upsampled")
    runner = ReferenceRunner(model.path, model.spec.inputs, model.spec.outputs, optimized=False)
    found = runner.run(model.feeds)
    for name, wanted in model.wanted.items():
        np.testing.assert_allclose(found[name], wanted, rtol=1e-5)
    runner.close()


def test_only_the_outputs_of_the_spec_are_given(tiny):
    model = tiny("upsampled")
    runner = ReferenceRunner(model.path, model.spec.inputs, model.spec.outputs[1:])
    assert list(runner.run(model.feeds)) == ["down"]
    runner.close()


def test_latency_has_one_figure_per_run(tiny):
    model = tiny("conv")
    runner = ReferenceRunner(model.path, model.spec.inputs, model.spec.outputs)
    seconds = runner.latency(model.feeds, runs=5, warmup=3)
    assert len(seconds) == 5
    assert all(0 < value < 1 for value in seconds)
    runner.close()


@pytest.mark.parametrize("content", [b"", b"nothing like a model", bytes(1000)])
def test_file_that_is_no_model_is_one_sentence(tmp_path, content):
    path = tmp_path / "x.onnx"
    path.write_bytes(content)
    for source in (path, content):
        with pytest.raises(InputError, match=r"^ONNX Runtime can't load the model: ") as caught:
            ReferenceRunner(source, (), ())
        assert "\n" not in caught.value.message
        assert caught.value.hint


def test_missing_file_is_an_input_error(tmp_path):
    with pytest.raises(InputError):
        ReferenceRunner(tmp_path / "none.onnx", (), ())


def test_samples_that_the_model_cannot_take_are_told(tiny):
    model = tiny("pixels")
    runner = ReferenceRunner(model.path, model.spec.inputs, model.spec.outputs)
    feeds = {name: array[..., :1] for name, array in model.feeds.items()}
    with pytest.raises(InputError, match="can't run the model on the samples"):
        runner.run(feeds)
    runner.close()
