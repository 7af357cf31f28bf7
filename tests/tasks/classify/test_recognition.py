from __future__ import annotations

import numpy as np
import pytest
from onnx import ModelProto

from mobileq.preparation.recognise import Recognition, recognise, recognise_shapes
from mobileq.spec.classes import ClassesSpec
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
    assert "coco" not in found.notices[-1]


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
