"""Conversions of small models to .mnn, run and held against ONNX Runtime."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from collections import Counter
from contextlib import closing
from importlib.metadata import version

import numpy as np
import onnx
import pytest
from onnx import parser

from mobileq.errors import (
    MobileqError,
    UnsupportedOperatorError,
    UsageError,
    VerificationError,
)
from mobileq.external.child import Child
from mobileq.graph.outline import with_outputs
from mobileq.spec import QuantRecipe, TensorSpec
from mobileq.targets import hosted
from mobileq.targets.mnn.culprit import refuse_known
from mobileq.targets.mnn.metadata import embedded_spec
from mobileq.targets.mnn.outline import read_outline
from mobileq.targets.mnn.target import MnnTarget
from mobileq.targets.reference import ReferenceRunner

from ..tiny import TinyFile, convert_once, kept, sqnr_db
from ..tiny_models import MODELS, weights
from .conversions import made, outputs_of

LEAST_DB = {"fp32": 100, "fp16": 60, "w8": 38, "int8": 30}
"""A float32 file differs by rounding only; each of the others shows its own error."""
MOST_DB = {"fp32": np.inf, "fp16": 100, "w8": 70, "int8": 60}


@pytest.mark.parametrize("precision", LEAST_DB)
@pytest.mark.parametrize("name", ["conv", "dead", "anchors", "depthwise", "scores"])
def test_file_gives_what_the_model_gives(convert, name, precision):
    file = convert(name, precision)
    found = outputs_of(file)
    assert list(found) == [output.name for output in file.model.spec.outputs]
    for key, wanted in file.model.wanted.items():
        assert (found[key].dtype, found[key].shape) == (np.float32, wanted.shape)
        assert LEAST_DB[precision] < sqnr_db(wanted, found[key]) < MOST_DB[precision]


@pytest.mark.parametrize("name", MODELS)
def test_float_file_is_within_rounding_of_the_model(convert, name):
    file = convert(name, "fp32")
    for key, found in outputs_of(file).items():
        wanted = file.model.wanted[key]
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4 * np.abs(wanted).max())


def test_normalization_keeps_its_constants(monkeypatch, tmp_path):
    graph = """g (float[1,16,64] x) => (float[1,16,64] y) {
        n = LayerNormalization<axis=-1>(x, s, b)
        y = MatMul(n, w)
    }"""
    constants = {"s": weights(64), "b": weights(64, seed=1), "w": weights(64, 64)}
    file = made(monkeypatch, tmp_path, graph, constants, "w8")
    assert sqnr_db(file.model.wanted["y"], outputs_of(file)["y"]) > 38


def test_int8_of_a_transformer_block_says_what_it_was(convert):
    file = convert("block", "int8")
    assert sqnr_db(file.model.wanted["y"], outputs_of(file)["y"]) > 33


def test_pooling_between_convolutions_keeps_what_is_large(convert):
    file = convert("pooled", "int8")
    assert file.converted.notes == ("MNN computes 2 of 2 convolutions and linear layers in int8.",)
    assert sqnr_db(file.model.wanted["y"], outputs_of(file)["y"]) > 30


def test_small_weights_with_large_ones_behind_them_are_kept(convert):
    file = convert("faint", "w8")
    assert sqnr_db(file.model.wanted["y"], outputs_of(file)["y"]) > 38


def test_pixels_go_in_as_they_are(convert):
    file = convert("pixels", "w8")
    assert [(t.shape, t.dtype) for t in file.converted.inputs] == [((1, 16, 12, 3), "uint8")]
    assert sqnr_db(file.model.wanted["y"], outputs_of(file)["y"]) > 38


def test_file_carries_its_spec(convert):
    for precision in LEAST_DB:
        file = convert("conv", precision)
        assert embedded_spec(file.path) == file.model.spec


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_same_model_gives_the_same_bytes(tiny, convert, tmp_path, precision):
    first = convert("anchors", precision)
    job = dataclasses.replace(tiny("anchors").job(tmp_path, precision), output=tmp_path / "x.mnn")
    convert_once(job, MnnTarget)  # in another process
    assert job.output.read_bytes() == first.path.read_bytes()


def test_weights_are_kept_as_the_precision_says(convert):
    kinds = {precision: read_outline(convert("anchors", precision).path) for precision in LEAST_DB}
    assert kinds["fp32"].weight_types == {"float32": 3}
    assert kinds["fp16"].weight_types == {"float16": 3}
    assert kinds["w8"].weight_types == {"int8": 3}
    assert kinds["int8"].weight_types == {"int8": 3}


def test_ranges_of_what_is_int8_are_those_that_were_given(convert):
    file = convert("pooled", "int8")
    ranges, found = file.model.ranges(), read_outline(file.path).quantized
    # MNN's copies of the input and the output; what the concatenation joins is float.
    onnx_names = {"x___tr4c": "x", "c": "c", "j": "j", "y__before_tr": "y"}
    assert set(found) == set(onnx_names)
    for copy, (scale, zero, low, high) in found.items():
        name = onnx_names[copy]
        assert (low, high) == (-128, 127)
        assert scale * (low - zero) == pytest.approx(min(ranges[name].min, 0), abs=scale)
        assert scale * (high - zero) == pytest.approx(max(ranges[name].max, 0), abs=scale)
    assert read_outline(convert("pooled", "w8").path).quantized == {}


def test_int8_says_how_many_convolutions_are(convert):
    assert convert("anchors", "int8").converted.notes == (
        "MNN computes 3 of 3 convolutions and linear layers in int8.",
    )


def test_ops_that_are_to_stay_in_float_do(convert):
    # MNN makes the Relu part of the convolution: `c` exists in the ONNX model only.
    kept = convert("depthwise", "int8", keep_float=("c",))
    assert kept.converted.notes == ("MNN computes 1 of 2 convolutions and linear layers in int8.",)
    wanted = kept.model.wanted["y"]
    assert sqnr_db(wanted, outputs_of(kept)["y"]) > sqnr_db(
        wanted, outputs_of(convert("depthwise", "int8"))["y"]
    )


@pytest.mark.parametrize(
    ("size", "channels", "kind"),
    [
        (1.0, None, "float16"),
        (1e-7, None, "float32"),
        (1e-7, 1, "float32"),
        (1e6, None, "float32"),
    ],
)
def test_few_weights_that_float16_cannot_hold_are_float32(
    monkeypatch, tmp_path, size, channels, kind
):
    # One channel of next to nothing is enough, as dead ones are.
    graph, constants = MODELS["depthwise"]
    scaled = {**constants, "v": constants["v"].copy()}
    scaled["v"][:channels] *= np.float32(size)
    file = made(monkeypatch, tmp_path, graph, scaled, keep_float=("y",))
    assert read_outline(file.path).weight_types == Counter(["int8", kind])
    assert sqnr_db(file.model.wanted["y"], outputs_of(file)["y"]) > 35


def test_file_with_nothing_in_int8_is_no_int8_file(tiny, tmp_path):
    job = tiny("conv").job(tmp_path, "int8", keep_float=("c",))
    job = dataclasses.replace(job, output=tmp_path / "x.mnn")
    with pytest.raises(VerificationError, match="None of the 1 convolutions") as caught:
        kept(MnnTarget).convert(job)
    assert caught.value.hint == "Keep fewer ops in float, or use w8."
    name = job.spec.inputs[0].name
    without_range = dataclasses.replace(job, keep_float=(), ranges={name: job.ranges[name]})
    with pytest.raises(VerificationError, match="has no range") as caught:
        kept(MnnTarget).convert(without_range)
    assert caught.value.hint == "Use w8.", "nobody kept any op in float"


def test_int8_without_pictures_is_refused(tiny, tmp_path):
    with pytest.raises(UsageError, match="needs pictures"):
        kept(MnnTarget).convert(tiny("conv").job(tmp_path, "int8", calibrated=False))


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_tensors_inside_of_a_file_are_those_of_the_model(convert, precision):
    file = convert("pooled", precision)
    names = ("c", "s", "m", "p", "q", "j", "y", "no such tensor")
    specs = [TensorSpec(name=name, shape=(), dtype="float32") for name in names]
    model = onnx.load(file.model.path)
    inside = MnnTarget().open_layers(file.path, file.converted.inputs, specs, model)
    try:
        found = inside.run(file.model.feeds)
    finally:
        inside.close()
    assert {"c", "m", "p", "q", "j", "y"} <= set(found) <= set(names)
    quantized = {spec.name for spec in inside.outputs if spec.quant}
    assert quantized == ({"c", "j"} if precision == "int8" else set())
    opened = with_outputs(model, found)
    wanted = ReferenceRunner(opened, (), inside.outputs).run(file.model.feeds)
    for name, value in found.items():
        assert value.shape == wanted[name].shape
        assert sqnr_db(wanted[name], value) > (100 if precision == "fp32" else 30)


def test_latency_is_measured_as_often_as_asked(convert):
    file = convert("conv", "fp32")
    runner = MnnTarget().open(file.path, file.converted.inputs, file.converted.outputs)
    try:
        assert runner.interpreter == f"MNN {version('mnn')}"
        seconds = runner.latency(file.model.feeds, 4, 1)
    finally:
        runner.close()
    assert len(seconds) == 4
    assert all(0 < each < 1 for each in seconds)


def test_damaged_file_does_not_open(convert, tmp_path):
    whole = convert("conv", "fp32")
    path = tmp_path / "x.mnn"
    path.write_bytes(whole.path.read_bytes()[:700])
    with pytest.raises(MobileqError, match=r"x\.mnn") as caught:
        outputs_of(TinyFile(whole.model, path, whole.converted))
    assert "\n" not in caught.value.message


def test_files_of_one_model_share_a_conversion_and_a_child(tiny, convert, tmp_path, monkeypatch):
    children, conversions = [], []

    class Counted(Child):
        def __init__(self, *args, **kwargs):
            children.append(self)
            super().__init__(*args, **kwargs)

        def request(self, command, fields=None, arrays=None):
            conversions.extend([command] if (fields or {}).get("framework") == "ONNX" else [])
            return super().request(command, fields, arrays)

    monkeypatch.setattr(hosted, "Child", Counted)
    monkeypatch.setattr(hosted, "_idle", None)
    with closing(MnnTarget()) as target:
        for options in (("w8", ()), ("int8", ("c",)), ("int8", ())):
            job = tiny("depthwise").job(tmp_path, options[0], keep_float=options[1])
            target.convert(dataclasses.replace(job, output=tmp_path / "x.mnn"))
    assert (len(children), len(conversions)) == (1, 1)
    assert (tmp_path / "x.mnn").read_bytes() == convert("depthwise", "int8").path.read_bytes()


def test_target_lives_on_after_a_failure(tiny, tmp_path):
    unknown = "g (float[4] x) => (float[4] y) { y = StringNormalizer(x) }"
    broken = parser.parse_model(f'<ir_version: 8, opset_import: ["" : 17]>\n{unknown}')
    onnx.save(broken, tmp_path / "broken.onnx")
    job = dataclasses.replace(tiny("conv").job(tmp_path, "fp32"), output=tmp_path / "x.mnn")
    with closing(MnnTarget()) as target:
        with pytest.raises(UnsupportedOperatorError):
            target.convert(dataclasses.replace(job, model=tmp_path / "broken.onnx"))
        assert target.convert(job).ops["Convolution"] == 1


def test_versions_name_mnn():
    assert MnnTarget().tool_versions(QuantRecipe(precision="w8")) == {"mnn": version("mnn")}


def test_mnn_stays_out_of_this_process(convert):
    convert("conv", "w8")
    assert not {"MNN", "_tools"} & set(sys.modules)


def test_spec_of_another_file_is_none(tmp_path):
    for content in (b"", b"\x18\0\0\0" * 9, b"\xff" * 200, json.dumps({"mobileq": 1}).encode()):
        (tmp_path / "x.mnn").write_bytes(content)
        assert embedded_spec(tmp_path / "x.mnn") is None


WATCHED = """
import json, sys
events = []
def watch(event, args):
    if event.startswith(("socket.", "subprocess.", "os.exec", "os.system", "os.posix_spawn")):
        events.append(event)
sys.addaudithook(watch)
from mobileq.targets.mnn.worker import MnnWorker
worker, folder = MnnWorker(), sys.argv[2]
files = {"framework": "ONNX", "source": sys.argv[1], "output": f"{folder}/a.mnn", "options": []}
worker.convert(files, {})
worker.outline({"path": f"{folder}/a.mnn"}, {})
tools = [name for name in sys.modules if name.startswith(("MNN.tools", "aliyun", "pip"))]
json.dump({"events": events, "tools": tools}, open(f"{folder}/seen.json", "w"))
"""


def test_nothing_is_sent_fetched_or_installed(tiny, tmp_path):
    # `import MNN.tools` would run pip and open sockets (MNN 3.6.1).
    subprocess.run(
        [sys.executable, "-c", WATCHED, str(tiny("conv").path), str(tmp_path)],
        check=True, capture_output=True, timeout=300,
    )  # fmt: skip
    assert json.loads((tmp_path / "seen.json").read_text()) == {"events": [], "tools": []}


SUPPRESSION = """g (float[1,3,8,8] x) => (float[1,20,6] y) {
    c = Conv<strides=[2,2]>(x, w)
    f = Reshape(c, flat)
    s = Sigmoid(f)
    b, p = Split<axis=1>(s, parts)
    boxes = Transpose<perm=[0,2,1]>(b)
    found = NonMaxSuppression(boxes, p, most, overlap, least)
    place = Gather<axis=1>(found, two)
    rows = Gather<axis=1>(boxes, place)
    turned = Transpose<perm=[0,2,1]>(p)
    scores = Gather<axis=1>(turned, place)
    joined = Concat<axis=2>(rows, scores)
    shape = Shape(place)
    missing = Sub(twenty, shape)
    pads = Concat<axis=0>(before, missing, behind)
    padded = Pad(joined, pads)
    y = Reshape(padded, rows6)
}"""


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_suppressed_boxes_that_would_be_filled_up_are_refused(monkeypatch, tmp_path, precision):
    constants = {
        "w": weights(6, 3, 2, 2), "flat": np.array([1, 6, 16]), "parts": np.array([4, 2]),
        "most": np.array(10), "overlap": np.float32(0.5), "least": np.float32(0.5),
        "two": np.array(2), "twenty": np.array([20]), "before": np.array([0, 0, 0, 0]),
        "behind": np.array([0]), "rows6": np.array([1, 20, 6]),
    }  # fmt: skip
    with pytest.raises(UnsupportedOperatorError, match=r"fills up what NonMaxSuppression .*found"):
        made(monkeypatch, tmp_path, SUPPRESSION, constants, precision)


def test_suppression_of_which_a_run_found_other_rows_than_the_model_says_is_refused() -> None:
    text = """<ir_version: 8, opset_import: ["" : 17]>
        m (float[1,9,4] b, float[1,1,9] s) => (int64[n,3] y)
        <int64 k = {3}, float i = {0.5}, float t = {0.0}>
        { y = NonMaxSuppression(b, s, k, i, t) }"""
    with pytest.raises(UnsupportedOperatorError, match="fills up what NonMaxSuppression"):
        refuse_known(parser.parse_model(text))


def test_output_without_values_has_none(monkeypatch, tmp_path):
    graph = "g (float[1,4,5] x) => (float[1,0,5] y) { m = Relu(x) y = Slice(m, a, b, axes) }"
    constants = {"a": np.array([4]), "b": np.array([9]), "axes": np.array([1])}
    assert outputs_of(made(monkeypatch, tmp_path, graph, constants, "fp32"))["y"].shape == (1, 0, 5)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("d = Det(n) y = Add(d, d)", "gives Det .* the wrong sign"),
        ("k = Cast<to=6>(n) v, i = TopK(k, eights) y = Cast<to=1>(v)", "equal numbers .* in TopK"),
        ("k = Cast<to=13>(n) d = Sub(k, k) y = Cast<to=1>(d)", "below zero in Sub"),
        ("k = Cast<to=7>(n) d = Sub(k, k) u = Cast<to=12>(d) y = Cast<to=1>(u)", "around in Cast"),
        (
            "c = Reshape(n, cube) d = ConvTranspose(c, cube_weights) y = Reshape(d, rows)",
            "three axes",
        ),
        ("h = HannWindow(eight) k = Add(n, h) y = Relu(k)", "no counterpart of HannWindow"),
        ("i = Cast<to=3>(n) j = Add(i, i) y = Cast<to=1>(j)", "crashes on Add"),
    ],
)
def test_operator_that_mnn_fails_on_is_named(monkeypatch, tmp_path, text, said):
    out = "1" if "Det" in text else "1,8,8"
    graph = f"g (float[1,8,8] x) => (float[{out}] y) {{ m = Relu(x) n = Sigmoid(m) {text} }}"
    constants = {
        "eight": np.array(8), "eights": np.array([8]), "cube": np.array([1, 1, 4, 4, 4]),
        "rows": np.array([1, 8, 8]), "cube_weights": weights(1, 1, 1, 1, 1),
    }  # fmt: skip
    for precision in ("fp32", "w8"):
        with pytest.raises(UnsupportedOperatorError, match=said) as caught:
            made(monkeypatch, tmp_path, graph, constants, precision)
        assert "\n" not in caught.value.message


@pytest.mark.parametrize("precision", LEAST_DB)
def test_mask_of_infinities_is_read(monkeypatch, tmp_path, precision):
    graph = """g (float[1,4,4,4] x) => (float[1,4,4,4] y) {
        c = Conv(x, w)
        m = Add(c, mask)
        y = Softmax<axis=3>(m)
    }"""
    mask = np.triu(np.full((4, 4), -np.inf, np.float32), 1)
    file = made(monkeypatch, tmp_path, graph, {"w": weights(4, 4, 1, 1), "mask": mask}, precision)
    assert sqnr_db(file.model.wanted["y"], outputs_of(file)["y"]) > LEAST_DB[precision]
