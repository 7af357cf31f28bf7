from __future__ import annotations

import re
from pathlib import Path

import onnx
import pytest

from mobileq.errors import InputError, MobileqError, UsageError
from mobileq.preparation.prepare import prepare
from mobileq.preparation.recognise import recognise_shapes
from mobileq.preparation.spec_file import apply_overrides, read_spec_file
from mobileq.spec.decode import HeadOutput
from tests.graph.builders import end2end, ints, model_of, outputs_of, picture, yolov8


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    return tmp_path / "spec.toml"


@pytest.fixture
def detector(tmp_path: Path) -> Path:
    path = tmp_path / "detector.onnx"
    onnx.save(yolov8(), path)
    return path


@pytest.fixture
def unknown(tmp_path: Path) -> Path:
    path = tmp_path / "unknown.onnx"
    model = model_of(
        "g (float[1,3,64,96] x) => (float[1,2048,9] rows) { rows = Reshape(x, s) }",
        {"s": ints(1, 2048, 9)},
    )
    onnx.save(model, path)
    return path


def refused(spec: Path, text: str) -> UsageError:
    spec.write_text(text)
    with pytest.raises(UsageError) as caught:
        read_spec_file(spec)
    assert "spec.toml" in caught.value.message
    return caught.value


def test_fields_given_replace_the_recognised_ones(spec: Path, detector: Path) -> None:
    spec.write_text(
        """[preprocess]
        channel_order = "BGR"
        image_mean = [1, 2.5, 3]
        [decode]
        score_threshold = 0.4
        """
    )
    plain, changed = prepare(detector).spec, prepare(detector, spec_file=spec).spec
    assert changed.preprocess is not None
    assert plain.preprocess is not None
    assert changed.preprocess.channel_order == "BGR"
    assert changed.preprocess.image_mean == (1.0, 2.5, 3.0)
    assert changed.preprocess.rescale_factor == plain.preprocess.rescale_factor
    assert changed.decode is not None
    assert plain.decode is not None
    assert changed.decode.score_threshold == 0.4
    assert changed.decode.outputs == plain.decode.outputs
    assert changed.labels == plain.labels


def test_unknown_model_can_be_described_wholly(spec: Path, unknown: Path) -> None:
    assert prepare(unknown).spec.task == "unknown"
    spec.write_text(
        """labels = ["cat", "dog", "cow", "hen"]
        [preprocess]
        channel_order = "BGR"
        [decode]
        kind = "yolov5"
        class_count = 4
        outputs = [{ name = "rows", role = "predictions" }]
        box_format = "xyxy"
        """
    )
    prepared = prepare(unknown, spec_file=spec)
    assert prepared.spec.task == "detect"
    assert prepared.spec.labels == ("cat", "dog", "cow", "hen")
    assert prepared.spec.preprocess is not None
    assert (prepared.spec.preprocess.width, prepared.spec.preprocess.height) == (96, 64)
    assert prepared.spec.decode is not None
    assert prepared.spec.decode.outputs == (HeadOutput(name="rows", role="predictions"),)
    assert prepared.notices == ()


def test_model_without_a_picture_input_needs_its_size(spec: Path, tmp_path: Path) -> None:
    path = tmp_path / "flat.onnx"
    model = model_of("g (float[1,2,6] x) => (float[1,2,6] rows) { rows = Relu(x) }")
    onnx.save(model, path)
    spec.write_text('[preprocess]\nchannel_order = "BGR"')
    with pytest.raises(UsageError, match=r"\[preprocess\].*width"):
        prepare(path, spec_file=spec)


def test_incomplete_description_names_the_missing_field(spec: Path, unknown: Path) -> None:
    spec.write_text('[decode]\nkind = "ssd"\nclass_count = 3')
    with pytest.raises(UsageError, match=r"\[decode\].*outputs"):
        prepare(unknown, spec_file=spec)


def test_family_is_insisted_on(spec: Path, detector: Path) -> None:
    spec.write_text('family = "ssd"')
    with pytest.raises(UsageError, match="not of the family ssd"):
        prepare(detector, spec_file=spec)
    assert prepare(detector, family="yolov8", spec_file=spec).spec.family == "yolov8"


def test_labels_file_is_beside_the_spec_file(spec: Path, detector: Path) -> None:
    (spec.parent / "names.txt").write_text("a\nb\nc\nd\n")
    spec.write_text('labels = "names.txt"')
    assert prepare(detector, spec_file=spec).spec.labels == tuple("abcd")
    assert prepare(detector, spec_file=spec, labels=list("wxyz")).spec.labels == tuple("wxyz")


def test_changed_class_count_is_compared_with_the_labels(spec: Path, tmp_path: Path) -> None:
    detector = tmp_path / "rows.onnx"  # of box, score and class: how many classes, none can tell
    onnx.save(end2end(), detector)
    spec.write_text("[decode]\nclass_count = 3")
    assert len(prepare(detector, spec_file=spec).spec.labels) == 3
    assert prepare(detector, spec_file=spec, labels=list("abc")).spec.labels == tuple("abc")
    with pytest.raises(InputError, match="4 labels, but the model has 3 classes"):
        prepare(detector, spec_file=spec, labels=list("abcd"))


def test_class_count_as_recognised_still_takes_the_labels(spec: Path, detector: Path) -> None:
    spec.write_text("[decode]\nclass_count = 4")
    prepared = prepare(detector, spec_file=spec, labels=list("abcd"))
    assert prepared.spec.labels == tuple("abcd")
    assert prepared.notices == ()


def test_output_that_the_model_does_not_have_is_refused(spec: Path, detector: Path) -> None:
    spec.write_text('[decode]\noutputs = [{ name = "nope", role = "predictions" }]')
    with pytest.raises(UsageError, match="no output 'nope'") as caught:
        prepare(detector, spec_file=spec)
    assert "output0" in caught.value.message


CONTRADICTIONS = {
    "[preprocess]\npad_value = 99999": "`preprocess.pad_value`: it must be 0 to 255",
    "[preprocess]\nwidth = 0": "`preprocess.width`: it must be 1 to",
    "[preprocess]\nwidth = 1000000": "`preprocess.width`: it must be 1 to",
    "[preprocess]\nwidth = 32": "it makes a tensor of [1, 3, 64, 32] where the model takes",
    "[preprocess]\nrescale_factor = nan": "`preprocess.rescale_factor`: it must be above 0",
    "[preprocess]\nrescale_factor = inf": "`preprocess.rescale_factor`: it must be above 0",
    "[preprocess]\nrescale_factor = 1e-12\nimage_mean = [0.5, 0.5, 0.5]": (
        "`preprocess.rescale_factor`: black and white both become -0.5"
    ),
    "[preprocess]\nimage_std = [1, 1e-300, 1]": "`preprocess.image_std`: white becomes 1e+300",
    "[preprocess]\nimage_std = [1, 0, 1]": "`preprocess.image_std[1]`: it must be above 0",
    "[preprocess]\nimage_mean = [nan, 0, 0]": "`preprocess.image_mean[0]`: it must be",
    '[preprocess]\nresize_mode = "fit"': "choose of letterbox, letterbox_top_left, stretch, center",
    '[preprocess]\ninterpolation = "nearest"': "choose of bilinear, bicubic",
    "[preprocess]\nantialias = 1": "`preprocess.antialias`: expected `bool`",
    '[preprocess]\nresize_mode = "center_crop"\nshortest_edge = 32': "shortest_edge`: 32 is less",
    "[decode]\nclass_count = 1000000000": "`decode.class_count`: it must be 1 to",
    "[decode]\nclass_count = 3": "no axis holds the 7 values per anchor",
    "[decode]\nscore_threshold = 1.5": "`decode.score_threshold`: it must be 0 to 1",
    "[decode]\niou_threshold = nan": "`decode.iou_threshold`: it must be 0 to 1",
    "[decode]\nstrides = [0]": "`decode.strides[0]`: it must be 1 to",
    "[decode]\nstrides = [8, 8]": "`decode.strides`: one is there twice",
    "[decode]\nreg_max = -1": "`decode.reg_max`: it must be 0 to",
    "[decode]\ndistance_bins = [0, 1]": "`decode.distance_bins`: 2 of them for a reg_max",
    "[decode]\noutputs = []": "`decode.outputs`: ",
    '[decode]\nhead = "raw"\nstrides = []': "`decode.strides`: a raw yolov8 head needs them",
    '[decode]\nkind = "yolo"': "choose of yolov5, yolov8, yolox, nanodet, picodet, split, end2end",
}


@pytest.mark.parametrize(
    ("fields", "edge"),
    [
        ("crop_pct = 0.875", 73),  # floor(64 / .875)
        ("crop_pct = 1", 64),
        ("crop_pct = 0.95", 67),
        ("shortest_edge = 80", 80),
        ('resize_mode = "center_crop"', None),
    ],
)
def test_crop_is_said_by_its_share_or_by_the_edge(
    spec: Path, detector: Path, fields: str, edge: int | None
) -> None:
    spec.write_text(f"[preprocess]\n{fields}")
    preprocess = prepare(detector, spec_file=spec).spec.preprocess
    assert preprocess is not None
    assert (preprocess.resize_mode, preprocess.shortest_edge) == ("center_crop", edge)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ("crop_pct = 0.9\nshortest_edge = 80", "crop_pct cannot be used: shortest_edge says"),
        ('crop_pct = 0.9\nresize_mode = "stretch"', 'it is for "center_crop" alone'),
        ('shortest_edge = 80\nresize_mode = "letterbox"', 'it is for "center_crop" alone'),
        ("crop_pct = 1.5", "`preprocess.crop_pct`: it must be 0.01 to 1"),
        ("crop_pct = 1e-300", "`preprocess.crop_pct`: it must be 0.01 to 1"),
    ],
)
def test_crop_that_cannot_be_is_refused(
    spec: Path, detector: Path, fields: str, message: str
) -> None:
    spec.write_text(f"[preprocess]\n{fields}")
    with pytest.raises(UsageError, match=re.escape(message)):
        prepare(detector, spec_file=spec)


def test_classifier_that_is_stretched_after_all_has_no_edge_left() -> None:
    found = recognise_shapes(picture(1, 3, 224, 224), outputs_of((1, 1000)), {})
    assert found.spec.preprocess is not None
    assert found.spec.preprocess.shortest_edge == 256
    told = read_spec_file('preprocess.resize_mode = "stretch"')
    stretched = apply_overrides(found, told).spec.preprocess
    assert stretched is not None
    assert (stretched.resize_mode, stretched.shortest_edge) == ("stretch", None)
    assert stretched.antialias


def test_text_stands_for_a_file(detector: Path) -> None:
    text = 'preprocess = { channel_order = "BGR", crop_pct = 0.5 }\nlabels = ["a", "b", "c", "d"]'
    found = prepare(detector, spec_file=text).spec
    assert found.labels == tuple("abcd")
    assert found.preprocess is not None
    assert (found.preprocess.channel_order, found.preprocess.shortest_edge) == ("BGR", 128)
    with pytest.raises(UsageError, match="choose of bilinear, bicubic"):
        prepare(detector, spec_file='preprocess.interpolation = "area"')
    with pytest.raises(InputError, match="is not valid TOML"):
        prepare(detector, spec_file="preprocess.interpolation = area")


@pytest.mark.parametrize("text", CONTRADICTIONS)
def test_what_contradicts_itself_is_refused_by_its_field(
    spec: Path, detector: Path, text: str
) -> None:
    spec.write_text(text)
    with pytest.raises(UsageError) as caught:
        prepare(detector, spec_file=spec)
    assert CONTRADICTIONS[text] in caught.value.message
    assert "spec.toml" in caught.value.message


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("image_mean = [123.675, 116.28, 103.53]", "-123.7 to -102.5"),
        ("image_mean = [123.7, 116.3, 103.5]\nimage_std = [58, 57, 57]", "rescale_factor = 1"),
        ("rescale_factor = 1\nimage_std = [0.2, 0.2, 0.2]", "0 to 1275"),
        ("rescale_factor = 1e-6", "0 to 0.000255"),
    ],
)
def test_absurd_values_of_pixels_are_told(spec: Path, detector: Path, text: str, told: str) -> None:
    spec.write_text(f"[preprocess]\n{text}")
    assert any(told in notice for notice in prepare(detector, spec_file=spec).notices)


@pytest.mark.parametrize(
    "text",
    [
        "rescale_factor = 1",
        "rescale_factor = 1\nimage_mean = [127, 127, 127]\nimage_std = [128, 128, 128]",
        "image_mean = [0.485, 0.456, 0.406]\nimage_std = [0.229, 0.224, 0.225]",
        "rescale_factor = 1\nimage_mean = [103.53, 116.28, 123.675]",
    ],
)
def test_usual_values_of_pixels_need_no_word(spec: Path, detector: Path, text: str) -> None:
    plain = prepare(detector).notices
    spec.write_text(f"[preprocess]\n{text}")
    assert prepare(detector, spec_file=spec).notices == plain


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("familly = 'x'", "unknown key 'familly'", "Did you mean 'family'?"),
        ("[preprocess]\nwide = 3", "unknown key 'wide' in [preprocess]", "channel_order"),
        ("[decode]\nzzz = 3", "unknown key 'zzz' in [decode]", "class_count"),
        ("[preprocess]\nwidth = '3'", "preprocess.width", ""),
        ("[preprocess]\nwidth = 3.5", "preprocess.width", ""),
        ("[preprocess]\nimage_mean = [1, 2]", "preprocess.image_mean", ""),
        ("[preprocess]\nchannel_order = 'GRB'", "preprocess.channel_order", ""),
        ("[decode]\noutputs = [{ name = 'a', rolle = 'b' }]", "decode.outputs", ""),
        ("preprocess = 1", "preprocess cannot be used", ""),
        ("family = 1", "family cannot be used", ""),
        ("labels = [1]", "labels cannot be used", ""),
        (
            "[decode]\nkind = 'yolov5'\n[classes]\nvalues = 'logits'",
            "[decode] and [classes] say what two different models give",
            "Correct the spec file.",
        ),
    ],
)
def test_wrong_key_or_type_is_a_usage_error(spec: Path, text: str, message: str, hint: str) -> None:
    error = refused(spec, text)
    assert message in error.message
    assert hint in error.hint


def test_missing_file_is_a_usage_error(spec: Path) -> None:
    with pytest.raises(UsageError, match="no spec file"):
        read_spec_file(spec)


@pytest.mark.parametrize(
    "data", [b"[decode", b"\xff\xfe", b"a = " + b"[" * 100_000, b"#" * (1 << 21)]
)
def test_file_that_is_no_toml_is_refused(spec: Path, data: bytes) -> None:
    spec.write_bytes(data)
    with pytest.raises(MobileqError):
        read_spec_file(spec)


def test_class_count_answers_the_notice_that_it_is_assumed(spec: Path, tmp_path: Path) -> None:
    path = tmp_path / "final.onnx"
    model = model_of(
        "g (float[1,3,64,96] x) => (float[1,3072,6] rows) { rows = Reshape(x, s) }",
        {"s": ints(1, 3072, 6)},
    )
    onnx.save(model, path)
    assert any("80 are assumed" in notice for notice in prepare(path).notices)
    spec.write_text("[decode]\nclass_count = 2")
    notices = prepare(path, spec_file=spec, labels=["cat", "dog"]).notices
    assert not any("assumed" in notice or "--labels" in notice for notice in notices)


def test_each_table_answers_its_own_question(spec: Path, unknown: Path) -> None:
    reading, feeding = prepare(unknown).notices
    assert ("outputs mean" in reading, "Pictures are fed" in feeding) == (True, True)
    spec.write_text('[preprocess]\nchannel_order = "BGR"')
    assert prepare(unknown, spec_file=spec).notices == (reading,)
    spec.write_text(
        'labels = ["a", "b", "c", "d"]\n[decode]\nkind = "yolov5"\nclass_count = 4\n'
        'box_format = "xyxy"\noutputs = [{ name = "rows", role = "predictions" }]'
    )
    assert prepare(unknown, spec_file=spec).notices == (feeding,)


def test_described_preprocessing_of_a_classifier_is_no_assumption(
    spec: Path, tmp_path: Path
) -> None:
    path = tmp_path / "classes.onnx"
    model = model_of(
        """g (float[1,3,8,8] x) => (float[1,3] y) {
            p = GlobalAveragePool(x) f = Flatten(p) y = Softmax(f)
        }""",
        metadata={"names": "['a', 'b', 'c']"},
    )
    onnx.save(model, path)
    (assumed,) = prepare(path).notices
    assert "assumed" in assumed
    spec.write_text('[preprocess]\nchannel_order = "BGR"')
    assert prepare(path, spec_file=spec).notices == ()
