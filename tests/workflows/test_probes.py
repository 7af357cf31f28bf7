"""Files are compared where photos do not reach, and a model's own limits are no fault of a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import parser

from mobileq.evaluate.verify import Verification, run_reference, verify
from mobileq.progress import Silent
from mobileq.spec import ModelSpec, PreprocessSpec, TensorSpec
from mobileq.targets.reference import ReferenceRunner
from mobileq.targets.registry import TARGETS
from mobileq.workflows.convert import convert
from mobileq.workflows.inputs import verification_samples
from mobileq.workflows.probes import probe_samples, signed
from mobileq.workflows.request import ConvertOptions

X = TensorSpec(name="x", shape=(3, 40, 5), dtype="float32")
Y = TensorSpec(name="y", shape=(3, 40, 5), dtype="float32")
FP32 = TARGETS["tflite"].precision("fp32")
SPEC = ModelSpec(name="m", task="unknown", family=None, inputs=(X,), outputs=(Y,))


def _runner(path: Path, body: str) -> ReferenceRunner:
    text = '<ir_version: 8, opset_import: ["" : 17]>\n'
    graph = f"g (float[3,40,5] x) => (float[3,40,5] y) {{ y = {body} }}"
    onnx.save(parser.parse_model(text + graph), path)
    return ReferenceRunner(path, SPEC.inputs, SPEC.outputs)


def _compared(folder: Path, wanted: str, found: str, probed: bool) -> Verification:
    runner, model = _runner(folder / "a.onnx", wanted), folder / "a.onnx"
    samples = list(verification_samples(SPEC, None, 8, 0, model))
    if probed:
        samples += probe_samples(SPEC, 0, model)
    reference = run_reference(runner, SPEC, samples, Silent())
    return verify(_runner(folder / "b.onnx", found), "a", reference, SPEC, FP32, Silent())


def test_another_alpha_of_an_elu_is_seen_on_negative_numbers_only(tmp_path: Path) -> None:
    pair = "Elu<alpha=2.0>(x)", "Elu<alpha=1.0>(x)"
    assert _compared(tmp_path, *pair, probed=False).problems == ()
    assert _compared(tmp_path, *pair, probed=True).problems != ()


def test_another_rounding_of_ties_is_seen(tmp_path: Path) -> None:
    pair = "Round(x)", "Ceil(x)"
    assert _compared(tmp_path, *pair, probed=True).problems != ()


def test_what_is_no_number_in_both_is_no_problem(tmp_path: Path) -> None:
    for body in ("Log(x)", "Sqrt(x)", "Reciprocal(x)", "Exp(x)", "Elu<alpha=2.0>(x)"):
        assert _compared(tmp_path, body, body, probed=True).problems == (), body


def test_floats_reach_both_signs_all_sizes_zeros_and_ties() -> None:
    values = signed(np.random.default_rng(0), X)
    assert values.dtype == np.float32
    assert values.min() < -8
    assert values.max() > 8
    assert (values == 0).any()
    assert ((np.abs(values) > 0) & (np.abs(values) < 1e-2)).any()
    assert (np.abs(values) % 1 == 0.5).any()


def test_bytes_reach_their_limits_and_indices_stay_small() -> None:
    numbers = np.random.default_rng(0)
    for name, low, high in (("int8", -128, 127), ("uint8", 0, 255), ("int64", 0, 1)):
        values = signed(numbers, TensorSpec(name="x", shape=(5000,), dtype=name))
        assert values.dtype == name
        assert (values.min(), values.max()) == (low, high)


def test_picture_probes_pass_through_the_preprocessing_and_hold_no_objects(tmp_path: Path) -> None:
    picture = TensorSpec(name="x", shape=(1, 3, 32, 32), dtype="float32", layout="NCHW")
    spec = ModelSpec(
        name="m",
        task="unknown",
        family=None,
        inputs=(picture,),
        outputs=(),
        preprocess=PreprocessSpec(
            width=32, height=32, resize_mode="stretch", image_mean=(0.5,) * 3, image_std=(0.5,) * 3
        ),
    )
    _runner(tmp_path / "a.onnx", "Relu(x)")
    probes = list(probe_samples(spec, 0, tmp_path / "a.onnx"))
    assert [probe.id for probe in probes] == ["probe-noise", "probe-extremes"]
    for probe in probes:
        assert probe.pictures == ()
        assert probe.feeds["x"].shape == picture.shape
    assert (probes[1].feeds["x"].min(), probes[1].feeds["x"].max()) == (-1.0, 1.0)


def test_scores_of_which_a_suppression_finds_fewer_rows_than_it_declares_are_no_probe(
    tmp_path: Path,
) -> None:
    """MNN always gives as many rows as a model declares; of no score above 0 there are none."""
    graph = """<ir_version: 8, opset_import: ["" : 17]>
        m (float[1,1,4] b, float[1,1,1] s) => (int64[1,3] y)
        <int64 k = {3}, float i = {0.5}, float t = {0.0}>
        { y = NonMaxSuppression(b, s, k, i, t) }"""
    onnx.save(parser.parse_model(graph), tmp_path / "m.onnx")
    options = ConvertOptions(targets=("mnn",), precisions=("fp32",))
    manifest = convert(tmp_path / "m.onnx", tmp_path / "bundle", options, cache=False)
    assert [output.shape for output in manifest.artifacts[0].outputs] == [(1, 3)]
