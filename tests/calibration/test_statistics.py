"""The statistics pass: what it finds is what numpy finds in the activations themselves."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from mobileq.calibration.ranges import estimate, quantization_noise
from mobileq.calibration.samples import open_samples
from mobileq.calibration.statistics import FirstLook, Statistics, collect
from mobileq.calibration.taps import strides
from mobileq.errors import InputError
from mobileq.progress import Silent
from mobileq.spec import PreprocessSpec, TensorSpec

from .networks import DERIVED, everything, model_of, network, pictures, run


@pytest.mark.parametrize("opset", [13, 17, 18, 21])
def test_extremes_are_those_of_all_values(opset: int) -> None:
    model, feeds = network(48, opset), pictures(5, 1, 3, 48, 48)
    found, exact = run(model, feeds), everything(model, feeds)
    assert found.sample_count == 5
    assert set(found.tensors) == set(exact)
    assert set(found.tensors) >= DERIVED
    for name, arrays in exact.items():
        array = np.stack(arrays)
        tensor = found.tensors[name]
        assert tensor.min == pytest.approx(array.min(), rel=1e-5, abs=1e-5), name
        assert tensor.max == pytest.approx(array.max(), rel=1e-5, abs=1e-5), name
        if array.ndim == 5:
            assert tensor.channels is not None, name
            np.testing.assert_allclose(
                tensor.channels.min, array.min(axis=(0, 1, 3, 4)), atol=2e-3, err_msg=name
            )
            np.testing.assert_allclose(
                tensor.channels.max, array.max(axis=(0, 1, 3, 4)), atol=1e-5, err_msg=name
            )
        else:
            assert tensor.channels is None, name


@pytest.mark.parametrize(
    "body",
    [
        "y = LeakyRelu<alpha = 2.0>(x)",
        "y = LeakyRelu(x)",
        "two = Add(x, x) bound = ReduceMax<keepdims = 0>(two) y = Clip(x, , bound)",
        "y = Clip(x, half)",
        "k = Constant<value = float {0.25}>() y = Clip(x, , k)",
        "y = Clip(x)",
        "y = HardSigmoid<alpha = -0.5>(x)",
        "g = HardSigmoid<alpha = -0.5>(x) y = Mul(g, x)",
        "g = HardSigmoid<alpha = 0.3, beta = 0.2>(x) y = Mul(g, x)",
        "g = HardSigmoid<alpha = 0.3, beta = -0.2>(x) y = Mul(g, x)",
        "n = Neg(x) g = Sigmoid(n) y = Mul(g, x)",
        "t = Tanh(x) y = Mul(t, x)",
        "y = HardSwish(x)",
        "y = Mul(x, x)",
        "y = Mul(half, x)",
        "y = Concat<axis = -3>(x, x)",
        "y = Concat<axis = -1>(x, x)",
        "y = Transpose(x)",
    ],
)
def test_extremes_of_functions_that_only_look_like_known_ones(body: str) -> None:
    model, feeds = model_of(body, 12, 17, half=np.float32(0.5)), pictures(2, 1, 3, 12, 12)
    for name, arrays in everything(model, feeds).items():
        tensor, array = run(model, feeds).tensors[name], np.stack(arrays)
        assert tensor.min == pytest.approx(array.min(), abs=1e-3), name
        assert tensor.max == pytest.approx(array.max(), abs=1e-5), name


@pytest.mark.parametrize("ir_version", [3, 8])
def test_old_models(ir_version: int) -> None:
    model = onnx.load_model_from_string(
        model_of("c = Clip<min = -0.5, max = 0.25>(x) y = Concat<axis = 1>(c, x, k)", 12, 8)
    )
    constant = numpy_helper.from_array(np.full((1, 1, 12, 12), 9, np.float32), "k")
    model.graph.initializer.append(constant)
    model.graph.input.append(onnx.helper.make_tensor_value_info("k", 1, (1, 1, 12, 12)))
    model.ir_version = ir_version
    found = run(model.SerializeToString(), [{"x": np.float32([[[[-1, 1] * 6] * 12] * 3])}]).tensors
    assert list(found) == ["x", "c", "y"]
    assert (found["c"].min, found["c"].max) == (-0.5, 0.25)
    assert found["y"].channels is not None
    assert found["y"].channels.max.tolist() == [0.25] * 3 + [1] * 3 + [9]


def test_small_tensors_are_counted_whole() -> None:
    model, feeds = network(2), pictures(21, 1, 3, 2, 2)
    found, exact = run(model, feeds), everything(model, feeds)
    for name, arrays in exact.items():
        array, tensor = np.stack(arrays).astype(float), found.tensors[name]
        assert tensor.histogram.counts.sum() == array.size, name
        assert tensor.mean == pytest.approx(array.mean(), rel=1e-4, abs=1e-5), name
        assert tensor.variance == pytest.approx(array.var(), rel=1e-3, abs=1e-6), name
        bins = np.floor(array / tensor.histogram.width).astype(int) - tensor.histogram.first
        expected = np.bincount(
            bins.clip(0, len(tensor.histogram.counts) - 1).reshape(-1),
            minlength=len(tensor.histogram.counts),
        )
        # Other kernels round otherwise, so a value may lie in the next bin.
        difference = np.abs(np.cumsum(expected - tensor.histogram.counts)).sum()
        assert difference <= 0.005 * array.size + 1, name
        if tensor.channels is not None:
            np.testing.assert_allclose(
                tensor.channels.mean, array.mean(axis=(0, 1, 3, 4)), atol=1e-5, err_msg=name
            )


def test_moving_average_is_over_the_samples_in_their_order() -> None:
    model, feeds = network(8), pictures(20, 1, 3, 8, 8)
    for index, each in enumerate(feeds):
        each["x"] *= index + 1  # reversed, they would give something else
    found = run(model, feeds)
    for name, arrays in everything(model, feeds).items():
        low, high = float(arrays[0].min()), float(arrays[0].max())
        for array in arrays[1:]:
            low, high = 0.9 * low + 0.1 * array.min(), 0.9 * high + 0.1 * array.max()
        if name not in ("silu", "silu2", "swish", "joined", "same", "flat", "logits", "turned"):
            assert found.tensors[name].average_min == pytest.approx(low, rel=1e-4, abs=1e-5), name
        assert found.tensors[name].average_max == pytest.approx(high, rel=1e-4, abs=1e-5), name


def test_subsample_has_the_positions_it_is_said_to_have() -> None:
    model = model_of("y = Neg(x)", inputs="float[2, 3, 90, 270] x")
    feeds = pictures(3, 2, 3, 90, 270)
    steps = strides((2, 3, 90, 270))
    assert steps is not None
    (rows, columns), all_ = steps, np.stack([each["x"] for each in feeds])
    part = all_[..., 89 % rows // 2 :: rows, 269 % columns // 2 :: columns].astype(float)
    assert part.size < all_.size / 20
    found = run(model, feeds).tensors["x"]
    assert found.histogram.counts.sum() == pytest.approx(all_.size)
    assert found.mean == pytest.approx(part.mean(), abs=1e-6)
    assert found.variance == pytest.approx(part.var(), abs=1e-5)
    assert found.channels is not None
    np.testing.assert_allclose(found.channels.mean, part.mean(axis=(0, 1, 3, 4)), atol=1e-6)


def test_upsampled_phases_are_all_sampled() -> None:
    # Every other row and column is 1, the rest 0: with even steps the mean would be 0 or 1.
    array = np.zeros((1, 1, 128, 128), np.float32)
    array[..., ::2, ::2] = 1
    model = model_of("y = Neg(x)", inputs="float[1, 1, 128, 128] x")
    found = run(model, [{"x": array}]).tensors["x"]
    assert found.mean == pytest.approx(0.25, abs=0.1)


def test_concatenation_of_narrow_and_wide_tensors() -> None:
    model = model_of(
        "a = Relu(x) b = Conv(x, w) y = Concat<axis = 1>(a, b)",
        52,
        w=np.random.default_rng(3).normal(size=(80, 3, 1, 1)).astype(np.float32),
    )
    assert strides((1, 3, 52, 52)) != strides((1, 80, 52, 52))
    feeds = pictures(2, 1, 3, 52, 52)
    found, exact = run(model, feeds).tensors["y"], np.stack(everything(model, feeds)["y"])
    assert found.channels is not None
    np.testing.assert_allclose(found.channels.max, exact.max(axis=(0, 1, 3, 4)), rtol=1e-5)


def test_only_the_wanted_tensors_are_told_of() -> None:
    model, feeds = network(8), pictures(2, 1, 3, 8, 8)
    found = run(model, feeds, ["sum", "silu"])
    assert list(found.tensors) == ["silu", "sum"]
    whole = run(model, feeds)
    for name in found.tensors:
        one, other = found.tensors[name], whole.tensors[name]
        assert (one.min, one.max) == pytest.approx((other.min, other.max), rel=1e-6)


def test_constants_weights_and_integers_are_no_activations() -> None:
    model = model_of(
        """k = Constant<value = float[1] {3.0}>()
           k2 = Mul(k, w)
           i = Cast<to = 7>(x)
           f = Cast<to = 1>(i)
           y = Mul(f, k2)""",
        inputs="float[1, 4] x",
        w=np.float32([2]),
    )
    assert list(run(model, pictures(1, 1, 4)).tensors) == ["x", "f", "y"]


def test_integer_input_is_fed_and_not_told_of() -> None:
    model = model_of("y = Cast<to = 1>(x)", inputs="uint8[1, 2, 2, 3] x")
    found = run(model, [{"x": np.arange(12, dtype=np.uint8).reshape(1, 2, 2, 3)}])
    assert list(found.tensors) == ["y"]
    assert (found.tensors["y"].min, found.tensors["y"].max) == (0, 11)


def test_random_numbers_are_no_constants() -> None:
    model = model_of("n = RandomNormal<shape = [4]>() y = Add(x, n)", inputs="float[1, 4] x")
    assert list(run(model, pictures(1, 1, 4)).tensors) == ["x", "n", "y"]


def test_tensors_whose_shape_is_known_only_at_run_time() -> None:
    model = model_of(
        """mask = Greater(x, zero)
           where = NonZero(mask)
           picked = Compress<axis = 0>(x, mask)
           y = Sigmoid(picked)""",
        inputs="float[n] x",
        zero=np.float32(0),
    )
    feeds = [{"x": np.float32([-1, 2, 3])}, {"x": np.float32([-5, -4])}, {"x": np.float32([9])}]
    found = run(model, feeds).tensors
    assert list(found) == ["x", "picked", "y"]
    assert (found["x"].min, found["x"].max) == (-5, 9)
    assert (found["picked"].min, found["picked"].max) == (2, 9)
    assert found["picked"].histogram.counts.sum() == 3
    assert found["y"].max == pytest.approx(1 / (1 + np.exp(-9)))


def test_tensor_that_is_never_a_number_is_left_out() -> None:
    model = model_of("l = Log(x) y = Relu(x)", inputs="float[1, 4] x", output="float l, float y")
    feeds = [{"x": np.float32([[-1, 2, 3, 4]])}]
    assert list(run(model, feeds).tensors) == ["x", "y"]
    feeds.append({"x": np.float32([[1, 1, 1, 1]])})
    found = run(model, feeds).tensors
    assert (found["l"].min, found["l"].max) == (0, 0)
    assert found["x"].min == -1


def test_names_that_shape_inference_does_not_know_do_not_break_the_pass() -> None:
    model = onnx.load_model_from_string(network(8))
    node = onnx.helper.make_node("QuickGelu", ["sum"], ["own"], domain="com.microsoft", alpha=1.0)
    model.graph.node.append(node)
    model.opset_import.append(onnx.helper.make_opsetid("com.microsoft", 1))
    found = run(model.SerializeToString(), pictures(2, 1, 3, 8, 8)).tensors
    assert found["own"].max == pytest.approx(found["sum"].max, rel=0.2)


def test_unknown_tensor_is_refused() -> None:
    with pytest.raises(InputError, match="no float32 activation 'nothing'"):
        run(network(8), pictures(1, 1, 3, 8, 8), ["nothing"])


def test_the_first_samples_are_shown_before_the_others_are_run() -> None:
    model, feeds = network(16), pictures(19, 1, 3, 16, 16)
    taken: list[int] = []
    shown: list[tuple[Statistics, int]] = []

    def read() -> Iterator[dict[str, np.ndarray]]:
        for at, each in enumerate(feeds):
            yield each
            taken.append(at)

    for count in (5, 30):
        taken.clear()
        first = FirstLook(count, lambda found: shown.append((found, len(taken))))
        found = collect(model, None, read(), Silent(), first=first)
        seen, read_until_then = shown.pop()
        assert not shown
        assert read_until_then == min(count, len(feeds))
        for name, tensor in run(model, feeds[:count]).tensors.items():
            assert (seen.tensors[name].min, seen.tensors[name].max) == (tensor.min, tensor.max)
        assert found.sample_count == len(feeds)
        for name, tensor in run(model, feeds).tensors.items():
            counts = found.tensors[name].histogram.counts
            np.testing.assert_allclose(counts, tensor.histogram.counts, rtol=1e-9)


def test_power_of_channels_is_their_mean_square() -> None:
    model = model_of("y = Relu(x)", 4, output="float[1, 3, 4, 4] y")
    feeds = pictures(6, 1, 3, 4, 4)
    channels = run(model, feeds).tensors["y"].channels
    assert channels is not None
    values = np.maximum([each["x"] for each in feeds], 0)
    np.testing.assert_allclose(channels.power, (values**2).mean(axis=(0, 1, 3, 4)), rtol=1e-6)


def test_no_samples_are_refused() -> None:
    with pytest.raises(InputError, match="no calibration samples"):
        run(network(8), [])


def test_sample_of_another_shape_is_refused() -> None:
    with pytest.raises(InputError, match="can't run the model") as caught:
        run(network(8), pictures(3, 1, 3, 9, 9))
    assert caught.value.hint


def test_model_that_does_not_load_is_refused() -> None:
    model = onnx.load_model_from_string(network(8))
    model.graph.node[0].op_type = "Convolve"
    with pytest.raises(InputError, match="can't load the model"):
        run(model.SerializeToString(), pictures(1, 1, 3, 8, 8))


def test_given_model_is_not_changed() -> None:
    model = network(8)
    run(model, pictures(1, 1, 3, 8, 8))
    assert model == network(8)


@pytest.mark.real_model
def test_yolox_nano_statistics_are_those_of_its_activations(data_folder: Path) -> None:
    model = (data_folder / "models" / "yolox_nano.onnx").read_bytes()
    samples = open_samples(
        data_folder / "coco128" / "images",
        PreprocessSpec(width=416, height=416, channel_order="BGR", rescale_factor=1.0),
        (TensorSpec(name="images", shape=(1, 3, 416, 416), dtype="float32", layout="NCHW"),),
        count=4,
    )
    feeds = [sample.feeds for sample in samples]
    statistics, exact = run(model, feeds), everything(model, feeds)
    assert set(statistics.tensors) == set(exact)
    ranges = estimate(statistics, "mse")
    expected = quantization_noise(statistics, ranges)
    off = []
    for name, arrays in exact.items():
        array, tensor = np.stack(arrays), statistics.tensors[name]
        slack = 1e-3 * float(np.abs(array).max())
        assert tensor.max == pytest.approx(array.max(), abs=slack), name
        assert array.min() - 2e-3 - slack <= tensor.min <= array.min() + slack, name
        scale = (ranges[name].max - ranges[name].min) / 255
        zero = round(-ranges[name].min / scale)
        quantized = (np.clip(np.rint(array / scale) + zero, 0, 255) - zero) * scale
        noise = float(np.mean((quantized - array) ** 2))
        if noise > 0:  # the picture holds whole numbers from 0 to 255: nothing is lost
            true = 10 * np.log10(float(np.mean(array.astype(float) ** 2)) / noise)
            off.append(abs(true - expected[name]))
    assert len(off) > 350
    assert np.median(off) < 0.3
    assert np.percentile(off, 95) < 2
