"""`--set`: an input becomes a constant of its own shape and type, or is refused in a sentence."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, numpy_helper, parser

from mobileq.errors import InputError, UsageError
from mobileq.graph.set_inputs import parse_set_inputs, set_inputs
from mobileq.preparation.prepare import prepare


def two_inputs(kind: str = "int64", shape: str = "N, 2") -> onnx.ModelProto:
    """y = x * sizes[0, 0]"""
    return parser.parse_model(
        f"""<ir_version: 8, opset_import: ["" : 17]>
        net (float[1, 3] x, {kind}[{shape}] sizes) => (float[1, 3] y)
        <int64[1] first = {{0}}> {{
            row = Gather <axis = 0> (sizes, first)
            width = Gather <axis = 1> (row, first)
            factor = Cast <to = 1> (width)
            y = Mul(x, factor)
        }}"""
    )


def value_of(model: onnx.ModelProto, name: str) -> np.ndarray:
    (tensor,) = (each for each in model.graph.initializer if each.name == name)
    return numpy_helper.to_array(tensor)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[[640, 480]]", [[640, 480]]),
        ("[640,480]", [[640, 480]]),
        ("640", [[640, 640]]),
        ("[[640,480],[320,240]]", [[640, 480], [320, 240]]),
        ("640.0", [[640, 640]]),
    ],
)
def test_value_takes_the_shape_and_type_of_the_input(text: str, expected: list[list[int]]) -> None:
    model, told = set_inputs(two_inputs(), parse_set_inputs([f"sizes={text}"]), {})
    assert [value.name for value in model.graph.input] == ["x"]
    value = value_of(model, "sizes")
    assert value.dtype == np.int64
    np.testing.assert_array_equal(value, expected)
    again, _ = set_inputs(two_inputs(), parse_set_inputs([f"sizes={told['sizes']}"]), {})
    np.testing.assert_array_equal(value_of(again, "sizes"), value)


def test_model_computes_what_it_did_with_the_input(tmp_path: Path) -> None:
    onnx.save(two_inputs(), tmp_path / "net.onnx")
    prepared = prepare(tmp_path / "net.onnx", constants=["sizes=[640,480]"])
    assert [spec.name for spec in prepared.spec.inputs] == ["x"]
    assert prepared.set_inputs == {"sizes": "[[640, 480]]"}
    x = np.array([[1, 2, 3]], np.float32)
    session = onnxruntime.InferenceSession(prepared.model.SerializeToString())
    np.testing.assert_array_equal(session.run(None, {"x": x})[0], 640 * x)


def test_array_file_is_taken(tmp_path: Path) -> None:
    np.save(tmp_path / "sizes.npy", np.array([[7, 8]], np.int32))
    values = parse_set_inputs([f"sizes={tmp_path / 'sizes.npy'}"])
    model, told = set_inputs(two_inputs(), values, {})
    np.testing.assert_array_equal(value_of(model, "sizes"), [[7, 8]])
    assert told == {"sizes": "[[7, 8]]"}


def test_large_array_is_told_by_its_hash_and_has_to_be_given_again() -> None:
    model = two_inputs("float", "64, 128")
    _, told = set_inputs(model, {"sizes": np.ones((64, 128))}, {})
    assert told["sizes"].startswith("sha256:")
    with pytest.raises(UsageError, match="too large") as caught:
        parse_set_inputs([f"sizes={told['sizes']}"])
    assert caught.value.hint == "Give it again: --set sizes=FILE.npy."


def test_dynamic_dimension_takes_the_shape_that_is_given(tmp_path: Path) -> None:
    onnx.save(two_inputs(), tmp_path / "net.onnx")
    prepared = prepare(tmp_path / "net.onnx", ["sizes:2,2"], constants=["sizes=[640,480]"])
    assert prepared.set_inputs == {"sizes": "[[640, 480], [640, 480]]"}


@pytest.mark.parametrize(
    "option", ["sizes", "=3", "sizes=", "sizes=wide", "sizes=[1,[2]]", "sizes=[]", "sizes={}",
               "sizes=[null]", 'sizes="a"', "sizes=" + "[" * 5000]
)  # fmt: skip
def test_what_is_no_value_is_a_usage_error(option: str) -> None:
    with pytest.raises(UsageError, match=r"^--set .*cannot be used: it is n"):
        parse_set_inputs([option])


def test_input_cannot_be_set_twice() -> None:
    with pytest.raises(UsageError, match="'a' twice"):
        parse_set_inputs(["a=1", "a=2"])


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("size=1", "names the input 'size', which the model has not"),
        ("sizes=[1,2,3]", r"the shape \[3\]; it is \[\?, 2\]"),
        ("sizes=[[[1,2]]]", r"the shape \[1, 1, 2\]; it is \[\?, 2\]"),
        ("sizes=0.5", "values that its type int64 can't hold"),
        ("sizes=true", "values that its type int64 can't hold"),
        ("sizes=1e30", "values that its type int64 can't hold"),
    ],
)
def test_what_does_not_fit_is_a_usage_error(option: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        set_inputs(two_inputs(), parse_set_inputs([option]), {})


def test_shape_that_the_model_cannot_have_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match=r"it is \[1, 3\]"):
        set_inputs(two_inputs(), {"sizes": np.array(1)}, {"sizes": (1, 3)})


def test_one_input_must_be_left() -> None:
    with pytest.raises(UsageError, match="without an input"):
        set_inputs(two_inputs(), {"sizes": np.array(1), "x": np.array(1.0)}, {})


def test_too_large_a_float_is_a_usage_error() -> None:
    model = two_inputs("float", "1, 2")
    with pytest.raises(UsageError, match="float32 can't hold"):
        set_inputs(model, {"sizes": np.array(1e300)}, {})
    half, _ = set_inputs(model, {"sizes": np.array(0.1)}, {})
    assert half.graph.initializer[-1].data_type == TensorProto.FLOAT


def test_file_that_is_no_array_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.npy").write_bytes(b"\x93NUMPY")
    with pytest.raises(InputError, match=r"a\.npy is not a \.npy array"):
        parse_set_inputs([f"sizes={tmp_path / 'a.npy'}"])
    with pytest.raises(UsageError, match=r"no file .*b\.npy"):
        parse_set_inputs([f"sizes={tmp_path / 'b.npy'}"])
