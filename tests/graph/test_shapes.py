from __future__ import annotations

import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mobileq.errors import InputError, UsageError
from mobileq.graph.outline import dims, graph_inputs
from mobileq.graph.shapes import (
    dynamic_outputs,
    fix_shapes,
    infer_shapes,
    parse_input_shapes,
)

from .builders import conv_weights, model_of


def conv_model(shape: str, output: str = "float[N,4,H,W] y") -> onnx.ModelProto:
    return model_of(f"g ({shape} x) => ({output}) {{ y = Conv(x, w) }}", {"w": conv_weights(4)})


def test_parses_several_inputs() -> None:
    parsed = parse_input_shapes(["a:1,3,8,8", "b: 2 , 4"])
    assert parsed == {"a": (1, 3, 8, 8), "b": (2, 4)}


def test_last_colon_ends_the_name() -> None:
    assert parse_input_shapes(["input:0:1,2"]) == {"input:0": (1, 2)}


@pytest.mark.parametrize(
    "option",
    ["", "images", "images:", ":1,3", "images:1,,3", "images:1,-3", "images:1,x", "images:0",
     "images:1.5", "images:²", "images:9999999999999", "images:1x3"],
)  # fmt: skip
def test_malformed_option_is_a_usage_error_with_an_example(option: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_input_shapes([option])
    assert "--input-shape images:1,3,640,640" in caught.value.hint


def test_input_given_twice_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="given twice"):
        parse_input_shapes(["a:1", "a:2"])


@given(
    st.text(min_size=1, max_size=20),
    st.lists(st.integers(1, 2**31 - 1), min_size=1, max_size=6),
)
def test_any_name_and_shape_is_read_back(name: str, shape: list[int]) -> None:
    assert parse_input_shapes([f"{name}:{','.join(map(str, shape))}"]) == {name: tuple(shape)}


@given(st.text(max_size=40))
def test_any_text_is_parsed_or_a_usage_error(text: str) -> None:
    try:
        parsed = parse_input_shapes([text])
    except UsageError:
        return
    assert all(min(shape) > 0 for shape in parsed.values())


def test_static_model_keeps_its_shape_without_a_notice() -> None:
    fixed, notices = fix_shapes(conv_model("float[2,3,8,8]"))
    assert dims(fixed.graph.input[0]) == (2, 3, 8, 8)
    assert dims(fixed.graph.output[0]) == (2, 4, 8, 8)
    assert notices == ()


def test_dynamic_batch_becomes_one_with_a_notice() -> None:
    fixed, notices = fix_shapes(conv_model("float[batch,3,8,6]"))
    assert dims(fixed.graph.input[0]) == (1, 3, 8, 6)
    assert dims(fixed.graph.output[0]) == (1, 4, 8, 6)
    assert ["batch" in notice for notice in notices] == [True]


def test_model_given_is_not_changed() -> None:
    model = conv_model("float[batch,3,8,6]")
    before = model.SerializeToString()
    fix_shapes(model)
    assert model.SerializeToString() == before


@pytest.mark.parametrize("shape", ["float[1,3,H,W]", "float[N,3,?,?]", "float[N,3,0,0]"])
def test_other_dynamic_dimension_asks_for_the_exact_option(shape: str) -> None:
    model = conv_model(shape.replace("0", "1"))
    if "0" in shape:
        for dim in model.graph.input[0].type.tensor_type.shape.dim[2:]:
            dim.dim_value = 0
    with pytest.raises(UsageError) as caught:
        fix_shapes(model)
    assert "--input-shape x:1,3,640,640" in caught.value.hint


def test_size_that_the_metadata_names_is_taken_with_a_notice() -> None:
    model = conv_model("float[N,3,H,W]")
    onnx.helper.set_model_props(model, {"imgsz": "[320, 416]"})
    fixed, notices = fix_shapes(model)
    assert dims(fixed.graph.input[0]) == (1, 3, 320, 416)
    assert "no fixed shape (N x 3 x H x W)" in notices[0]
    assert notices[0].endswith("--input-shape x:1,3,320,416")


@pytest.mark.parametrize("noted", ["[0, 0]", "[1e9]", "(" * 99, "['a', 'b']", "nonsense"])
def test_nonsense_size_in_the_metadata_is_ignored(noted: str) -> None:
    model = conv_model("float[1,3,H,W]")
    onnx.helper.set_model_props(model, {"imgsz": noted})
    with pytest.raises(UsageError) as caught:
        fix_shapes(model)
    assert "x:1,3,640,640" in caught.value.hint


def test_channels_last_input_is_suggested_channels_last() -> None:
    model = model_of("g (uint8[N,H,W,3] x) => (uint8[N,H,W,3] y) { y = Identity(x) }")
    with pytest.raises(UsageError) as caught:
        fix_shapes(model)
    assert "--input-shape x:1,640,640,3" in caught.value.hint


def test_given_shape_fixes_input_and_output() -> None:
    fixed, _ = fix_shapes(conv_model("float[N,3,H,W]"), {"x": (1, 3, 16, 24)})
    assert dims(fixed.graph.output[0]) == (1, 4, 16, 24)


def test_input_of_unknown_rank_takes_the_given_shape() -> None:
    model = conv_model("float[N,3,H,W]")
    model.graph.input[0].type.tensor_type.ClearField("shape")
    with pytest.raises(UsageError, match="not even the number"):
        fix_shapes(model)
    fixed, _ = fix_shapes(model, {"x": (1, 3, 8, 8)})
    assert dims(fixed.graph.output[0]) == (1, 4, 8, 8)


def test_wrong_rank_for_a_convolution_is_refused_before_onnx_crashes() -> None:
    model = conv_model("float[N,3,H,W]")
    model.graph.input[0].type.tensor_type.ClearField("shape")
    with pytest.raises(InputError, match="works on 4 dimensions but gets 2"):
        fix_shapes(model, {"x": (8, 8)})


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        ({"nope": (1,)}, "no input 'nope'"),
        ({"x": (1, 3, 8)}, "4 dimensions"),
        ({"x": (1, 4, 8, 8)}, "Dimension 1 of the input 'x' is 3"),
        ({"x": (1, 3, 100_000, 100_000)}, "would hold 30,000,000,000 values"),
    ],
)
def test_shape_that_does_not_fit_is_a_usage_error(
    shapes: dict[str, tuple[int, ...]], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        fix_shapes(conv_model("float[N,3,H,W]"), shapes)


def test_weights_listed_as_inputs_are_not_inputs() -> None:
    model = model_of(
        "g (float[N,3,8,8] x, float[4,3,1,1] w) => (float[N,4,8,8] y) { y = Conv(x, w) }",
        {"w": conv_weights(4)},
        ir_version=3,
        opset=8,
    )
    fixed, _ = fix_shapes(model)
    assert [value.name for value in graph_inputs(fixed)] == ["x"]
    assert [value.name for value in fixed.graph.input] == ["x"]
    onnx.checker.check_model(fixed)


def test_stale_shapes_of_the_file_are_dropped() -> None:
    model = model_of(
        "g (float[1,3,H,W] x) => (float[1,4,99,99] y) { c = Conv(x, w)\n y = Relu(c) }",
        {"w": conv_weights(4)},
    )
    stale = onnx.helper.make_tensor_value_info("c", 1, [1, 4, 99, 99])
    model.graph.value_info.append(stale)
    fixed, _ = fix_shapes(model, {"x": (1, 3, 8, 8)})
    assert {value.name: dims(value) for value in fixed.graph.value_info} == {"c": (1, 4, 8, 8)}
    assert dims(fixed.graph.output[0]) == (1, 4, 8, 8)


def test_shapes_that_inference_refuses_are_an_input_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise onnx.shape_inference.InferenceError("[ShapeInferenceError] (op_type:Add)\nmore")

    monkeypatch.setattr(onnx.shape_inference, "infer_shapes", refuse)
    with pytest.raises(InputError, match=r"do not fit together: .*op_type:Add\)\.$"):
        fix_shapes(conv_model("float[1,3,8,8]"))


def test_output_that_depends_on_the_picture_stays_open_and_is_reported() -> None:
    model = model_of("g (float[8] x) => (int64[1,N] y) { y = NonZero(x) }")
    fixed, _ = fix_shapes(model)
    assert dims(fixed.graph.output[0]) == (1, -1)
    assert ["'y'" in notice for notice in dynamic_outputs(fixed)] == [True]


def test_padded_output_keeps_the_files_static_dimension() -> None:
    model = model_of("g (float[8] x) => (int64[1,5] y) { y = NonZero(x) }")
    assert dims(infer_shapes(model).graph.output[0]) == (1, 5)


def test_input_that_is_a_sequence_is_refused() -> None:
    model = model_of("g (seq(float[3]) x) => (float[3] y) { y = SequenceAt(x, i) }",
                     {"i": conv_weights(1)[0, 0, 0].astype("int64")[0].reshape(())})  # fmt: skip
    with pytest.raises(InputError, match=r"'x', taken by SequenceAt .*, is a list"):
        fix_shapes(model)
