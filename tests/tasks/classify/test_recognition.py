from __future__ import annotations

import numpy as np
import pytest
from onnx import ModelProto

from mobileq.errors import UsageError
from mobileq.preparation.recognise import Recognition, recognise, recognise_shapes
from mobileq.spec.classes import ClassesSpec, ClassHead
from tests.graph.builders import model_of, outputs_of, picture

PICTURE = picture(1, 3, 224, 224)


def row(end: str, count: int = 5, shape: str = "", **options: dict[str, str]) -> ModelProto:
    """A mean over the picture, a linear layer to `z` [1, count], and `end`, which gives `y`."""
    return model_of(
        f"""g (float[1,3,8,8] x) => (float[{shape or f"1,{count}"}] y) {{
            p = GlobalAveragePool(x)
            f = Flatten(p)
            z = Gemm(f, w)
            {end}
        }}""",
        {"w": np.ones((3, count), np.float32), "ends": np.array([1, count, 1, 1])},
        **options,  # type: ignore[arg-type]
    )


def is_classifier(found: Recognition) -> bool:
    return found.spec.task == "classify"


@pytest.mark.parametrize("end", ["y = Softmax(z)", "y = LogSoftmax(z)"])
def test_softmax_at_the_end_makes_classes(end: str) -> None:
    found = recognise(row(end))
    assert is_classifier(found)
    assert len(found.spec.labels) == 5


def test_softmax_is_found_behind_what_only_reshapes() -> None:
    end = "s = Softmax(z) r = Reshape(s, ends) y = Identity(r)"
    assert is_classifier(recognise(row(end, shape="1,5,1,1")))


@pytest.mark.parametrize(
    "end",
    [
        "y = Identity(z)",  # an embedding, or what a regression gives
        "y = Sigmoid(z)",
        "y = LpNormalization(z)",
        "s = Softmax(z) y = Mul(s, z)",  # attention, say
    ],
)
def test_one_row_of_numbers_alone_is_no_classifier(end: str) -> None:
    found = recognise(row(end))
    assert found.spec.task == "unknown"
    assert found.spec.labels == ()


@pytest.mark.parametrize("count", [1000, 1001, 21841])
def test_as_many_logits_as_imagenet_has_classes_are_its(count: int) -> None:
    assert is_classifier(recognise(row("y = Identity(z)", count)))


def test_embedding_as_long_as_imagenet_is_none_where_the_end_shows_it() -> None:
    assert not is_classifier(recognise(row("y = LpNormalization(z)", 1000)))
    assert not is_classifier(recognise(row("y = Tanh(z)", 1000)))


def test_as_many_names_as_values_make_classes() -> None:
    plain = row("y = Sigmoid(z)")
    assert is_classifier(recognise(plain, labels=list("abcde")))
    named = row("y = Sigmoid(z)", metadata={"names": "['a', 'b', 'c', 'd', 'e']"})
    assert recognise(named).spec.labels == tuple("abcde")
    assert not is_classifier(recognise(row("y = Sigmoid(z)", metadata={"names": "['a', 'b']"})))


def test_ultralytics_file_names_its_task_and_is_only_divided_by_255() -> None:
    metadata = {"task": "classify", "names": "['a', 'b']"}
    found = recognise_shapes(PICTURE, outputs_of((1, 2)), metadata)
    assert (found.spec.task, found.spec.labels) == ("classify", ("a", "b"))
    assert found.spec.preprocess is not None
    assert found.spec.preprocess.image_mean == (0,) * 3
    assert found.spec.preprocess.image_std == (1,) * 3
    assert "divided by 255, is assumed" in found.notices[0]


def test_file_of_another_task_is_none() -> None:
    assert not is_classifier(recognise_shapes(PICTURE, outputs_of((1, 1000)), {"task": "pose"}))


@pytest.mark.parametrize("shape", [(1, 1000), (1, 1000, 1, 1), (1, 1, 1, 1001)])
def test_without_a_graph_the_number_of_imagenets_classes_says_it(shape: tuple[int, ...]) -> None:
    found = recognise_shapes(PICTURE, outputs_of(shape), {})
    assert (found.spec.task, found.spec.family, found.spec.decode) == ("classify", None, None)
    assert len(found.spec.labels) == max(shape)
    assert found.spec.preprocess is not None
    assert "ImageNet" in found.notices[0]
    assert "name them with --labels FILE" in found.notices[-1]
    assert found.notices[-1].endswith("data.yaml) or imagenet1k.")


def test_maps_and_several_outputs_are_none() -> None:
    for shapes in ([(1, 1000, 7, 7)], [(1, 1000), (1, 1000)], [(1, 1)], [(1000,)]):
        assert not is_classifier(recognise_shapes(PICTURE, outputs_of(*shapes), {}))


def test_batch_has_a_row_for_each_picture() -> None:
    assert is_classifier(recognise_shapes(picture(4, 3, 64, 64), outputs_of((4, 1000)), {}))


def test_what_is_no_picture_can_be_classified_as_well() -> None:
    found = recognise_shapes(picture(1, 16000), outputs_of((1, 1000)), {})
    assert is_classifier(found)
    assert found.spec.preprocess is None


@pytest.mark.parametrize(
    ("end", "values"),
    [
        ("y = Softmax(z)", "probabilities"),
        ("y = LogSoftmax(z)", "logits"),
        ("y = Identity(z)", "logits"),
        ("y = Sigmoid(z)", "probabilities"),
    ],
)
def test_end_of_the_graph_shows_what_values_are(end: str, values: str) -> None:
    found = recognise(row(end), labels=list("abcde"))
    assert found.spec.classes == ClassesSpec(class_count=5, values=values)  # type: ignore[arg-type]
    assert "reading" not in found.questions


def test_end_that_shows_nothing_is_taken_for_logits_and_asked_about() -> None:
    found = recognise(row("y = Tanh(z)"), labels=list("abcde"))
    assert found.spec.classes == ClassesSpec(class_count=5)
    assert "logits are assumed" in found.questions["reading"]


def test_without_a_graph_classes_are_not_read() -> None:
    found = recognise_shapes(PICTURE, outputs_of((1, 1000)), {})
    assert found.spec.classes is None
    assert "not known" in found.questions["reading"]


def test_list_of_imagenets_classes_is_proposed_to_models_of_as_many() -> None:
    assert recognise(row("y = Softmax(z)")).notices[-1].endswith("or a data.yaml).")
    found = recognise(row("y = Identity(z)", 1000), labels="imagenet1k")
    assert (found.spec.labels[0], found.spec.labels[340]) == ("tench", "zebra")
    assert len(set(found.spec.labels)) == 1000
    tensorflow = recognise_shapes(PICTURE, outputs_of((1, 1001)), {}, labels="imagenet1k")
    assert tensorflow.spec.labels[:2] == ("background", "tench")


def keras(start: str) -> Recognition:
    """A picture with its channels last, `start` to `s`, and a softmax over five means."""
    made = model_of(
        f"""g (float[1,8,8,3] x) => (float[1,5] y) {{
            {start}
            t = Transpose<perm = [0, 3, 1, 2]>(s)
            p = GlobalAveragePool(t)
            f = Flatten(p)
            z = MatMul(f, w)
            y = Softmax(z)
        }}""",
        {
            "w": np.ones((3, 5), np.float32),
            "by": np.array(1 / 255, np.float32),
            "mean": np.array([0.485, 0.456, 0.406], np.float32),
            "std": np.array([0.229, 0.224, 0.225], np.float32),
        },
    )
    return recognise(made)


@pytest.mark.parametrize(
    "start", ["s = Mul(x, by)", "a = Mul(x, by) b = Sub(a, mean) s = Div(b, std)"]
)
def test_pixels_that_the_graph_scales_are_fed_as_they_are(start: str) -> None:
    found = keras(start)
    preprocess = found.spec.preprocess
    assert preprocess is not None
    assert (preprocess.rescale_factor, preprocess.image_mean, preprocess.image_std) == (
        *(1.0, (0.0,) * 3, (1.0,) * 3),
    )
    assert "scaled by the graph itself, is assumed" in found.notices[0]


@pytest.mark.parametrize("start", ["s = Identity(x)", "b = Sub(x, mean) s = Div(b, std)"])
def test_channels_last_are_tensorflows_and_lie_between_minus_one_and_one(start: str) -> None:
    preprocess = keras(start).spec.preprocess
    assert preprocess is not None
    assert (preprocess.layout, preprocess.image_mean, preprocess.image_std) == (
        *("NHWC", (0.5,) * 3, (0.5,) * 3),
    )


def heads(ends: str) -> ModelProto:
    """Two linear layers, to `a` [1, 5] and `b` [1, 2], and `ends` to `age` and `gender`."""
    return model_of(
        f"""g (float[1,3,8,8] x) => (float[1,5] age, float[1,2] gender) {{
            p = GlobalAveragePool(x)
            f = Flatten(p)
            a = Gemm(f, v)
            b = Gemm(f, w)
            {ends}
        }}""",
        {"v": np.ones((3, 5), np.float32), "w": np.ones((3, 2), np.float32)},
    )


def test_several_softmaxes_are_heads_with_classes_of_their_own() -> None:
    found = recognise(heads("age = Softmax(a) gender = LogSoftmax(b)")).spec
    assert found.classes == ClassesSpec(
        class_count=7,
        heads=(
            ClassHead(name="age", output="age", class_count=5, values="probabilities"),
            ClassHead(name="gender", output="gender", class_count=2, values="logits"),
        ),
    )
    assert len(found.labels) == 7


def test_several_rows_of_which_one_may_be_anything_are_none() -> None:
    assert not is_classifier(recognise(heads("age = Identity(a) gender = Softmax(b)")))


def test_square_inputs_get_the_middle_as_classifiers_are_evaluated() -> None:
    found = recognise_shapes(PICTURE, outputs_of((1, 1000)), {})
    preprocess = found.spec.preprocess
    assert preprocess is not None
    assert (preprocess.resize_mode, preprocess.shortest_edge) == ("center_crop", 256)
    assert (preprocess.interpolation, preprocess.antialias) == ("bilinear", True)
    words = "RGB, center crop to 224x224 of shortest edge 256, antialiased bilinear, ImageNet's"
    assert words in found.notices[0]


def test_ultralytics_cuts_the_longer_side_alone() -> None:
    found = recognise_shapes(PICTURE, outputs_of((1, 2)), {"task": "classify"})
    assert found.spec.preprocess is not None
    assert found.spec.preprocess.resize_mode == "center_crop"
    assert found.spec.preprocess.shortest_edge == 224


def test_inputs_that_are_not_square_get_stretched_pictures() -> None:
    found = recognise_shapes(picture(1, 3, 48, 192), outputs_of((1, 1000)), {})
    assert found.spec.preprocess is not None
    assert (found.spec.preprocess.resize_mode, found.spec.preprocess.antialias) == ("stretch", True)


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ((1, 3, 32, 32), "RGB, stretch to 32x32, antialiased bilinear, CIFAR-10's mean"),
        ((1, 1, 28, 28), "GRAY, stretch to 28x28, antialiased bilinear, MNIST's mean"),
        ((1, 28, 28, 1), "GRAY, stretch to 28x28, antialiased bilinear, divided by 255"),
        ((1, 3, 64, 64), "RGB, stretch to 64x64, antialiased bilinear, ImageNet's mean"),
        ((1, 3, 96, 96), "RGB, center crop to 96x96 of shortest edge 109, antialiased"),
    ],
)
def test_inputs_as_small_as_a_data_sets_pictures_take_whole_ones(
    shape: tuple[int, ...], words: str
) -> None:
    found = recognise_shapes(picture(*shape), outputs_of((1, 10)), {}, labels=list("0123456789"))
    assert found.spec.task == "classify"
    assert words in found.notices[0]
    named = recognise_shapes(picture(*shape), outputs_of((1, 10)), {"task": "classify"})
    assert named.spec.preprocess is not None
    assert named.spec.preprocess.resize_mode == "center_crop"


def test_family_says_how_pictures_are_prepared_and_nothing_is_assumed() -> None:
    found = recognise(row("y = Identity(z)", 1000), family="efficientnet_lite", labels="imagenet1k")
    assert (found.spec.family, found.spec.classes) == (
        *("efficientnet_lite", ClassesSpec(class_count=1000)),
    )
    assert found.notices == ()
    preprocess = found.spec.preprocess
    assert preprocess is not None
    assert (preprocess.rescale_factor, preprocess.image_mean, preprocess.image_std) == (
        *(1.0, (127.0,) * 3, (128.0,) * 3),
    )
    assert (preprocess.resize_mode, preprocess.interpolation) == ("center_crop", "bicubic")
    caffe = recognise_shapes(PICTURE, outputs_of((1, 9)), {}, family="caffe").spec.preprocess
    assert caffe is not None
    assert (caffe.channel_order, caffe.image_mean[0], caffe.rescale_factor) == ("BGR", 103.939, 1.0)


def test_family_makes_a_classifier_of_what_does_not_look_like_one() -> None:
    assert recognise(row("y = Identity(z)")).spec.task == "unknown"
    assert recognise(row("y = Identity(z)"), family="imagenet").spec.task == "classify"
    with pytest.raises(UsageError, match="family keras: it does not give one row of values"):
        recognise_shapes(PICTURE, outputs_of((1, 1000, 7, 7)), {}, family="keras")
    with pytest.raises(UsageError, match=r"family keras: its input .* is no picture"):
        recognise_shapes(picture(1, 16000), outputs_of((1, 1000)), {}, family="keras")


def test_families_that_one_may_choose_are_told() -> None:
    (assumed, _) = recognise(row("y = Softmax(z)")).notices
    assert (
        "--family (imagenet, yolo_cls, keras, caffe, efficientnet_lite, cifar, mnist) or a --spec"
        in assumed
    )
