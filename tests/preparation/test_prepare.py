from __future__ import annotations

import contextlib
import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mobileq.errors import InputError, MobileqError, UsageError
from mobileq.graph.outline import op_counts
from mobileq.graph.trial_run import random_inputs, run
from mobileq.preparation.prepare import prepare
from tests.graph.builders import YOLOV5_ANCHORS, model_of, small_model, yolov5, yolov8


def saved(folder: Path, model: onnx.ModelProto, name: str = "model.onnx") -> Path:
    path = folder / name
    onnx.save(model, path)
    return path


def test_prepared_model_carries_its_spec_and_origin(tmp_path: Path) -> None:
    path = saved(tmp_path, yolov8(metadata={"names": "['a', 'b', 'c', 'd']"}), "My net.onnx")
    prepared = prepare(path)
    assert prepared.spec.name == "My net"
    assert prepared.spec.family == "yolov8"
    assert prepared.spec.labels == ("a", "b", "c", "d")
    assert prepared.spec.inputs[0].shape == (1, 3, 64, 96)
    assert prepared.opset == 17
    assert prepared.source_sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert prepared.op_counts == op_counts(prepared.model)
    assert prepared.notices == ()


def test_dynamic_batch_is_fixed_and_recognised(tmp_path: Path) -> None:
    prepared = prepare(saved(tmp_path, yolov5(batch="N")))
    assert prepared.spec.inputs[0].shape[0] == 1
    assert prepared.spec.family == "yolov5"
    assert prepared.spec.decode is not None
    assert prepared.spec.decode.anchors == tuple(YOLOV5_ANCHORS.values())
    assert "batch" in prepared.notices[0]


def test_input_shapes_are_taken_as_text_or_mapping(tmp_path: Path) -> None:
    model = small_model()
    for dim, name in zip(model.graph.input[0].type.tensor_type.shape.dim[2:], "HW", strict=True):
        dim.dim_param = name
    path = saved(tmp_path, model)
    by_text = prepare(path, ["x:1,3,16,8"])
    assert by_text.spec.inputs[0].shape == (1, 3, 16, 8)
    assert by_text.spec.outputs[0].shape == (1, 4, 16, 8)
    assert prepare(path, {"x": (1, 3, 16, 8)}).spec == by_text.spec
    with pytest.raises(UsageError, match="no fixed shape"):
        prepare(path)


def test_half_precision_detector_is_recognised_and_agrees(tmp_path: Path) -> None:
    model = yolov8()
    reference = onnx.ModelProto()
    reference.CopyFrom(model)
    for tensor in model.graph.initializer:
        if tensor.data_type == 1:
            array = onnx.numpy_helper.to_array(tensor).astype(np.float16)
            tensor.CopyFrom(onnx.numpy_helper.from_array(array, tensor.name))
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.elem_type = 10
    prepared = prepare(saved(tmp_path, model))
    assert prepared.spec.family == "yolov8"
    assert prepared.spec.inputs[0].dtype == "float32"
    assert "float16" in prepared.notices[0]
    inputs = random_inputs(reference, 0)
    np.testing.assert_allclose(
        run(prepared.model, inputs)["output0"],
        run(reference, inputs)["output0"],
        rtol=2e-2,
        atol=0.1,
    )


def test_functions_of_the_model_are_written_out(tmp_path: Path) -> None:
    model = model_of(
        """g (float[3] x) => (float[3] y) { y = own.Double(x) }
        <domain: "own", opset_import: ["" : 17]>
        Double (a) => (b) { b = Add(a, a) }""",
        domains=', "own" : 1',
    )
    assert prepare(saved(tmp_path, model)).op_counts == {"Add": 1}


def test_custom_operator_is_refused_by_name(tmp_path: Path) -> None:
    model = model_of(
        "g (float[3] x) => (float[3] y) { [n1] y = acme.Twist(x) }", domains=', "acme" : 1'
    )
    with pytest.raises(InputError, match=r"acme::Twist \(node 'n1'\)"):
        prepare(saved(tmp_path, model))


def test_same_file_gives_the_same_bytes_in_every_process(tmp_path: Path) -> None:
    path = saved(tmp_path, yolov5())
    code = (
        "import sys, hashlib; from mobileq.preparation.prepare import prepare\n"
        "model = prepare(sys.argv[1]).model\n"
        "print(hashlib.sha256(model.SerializeToString(deterministic=True)).hexdigest())"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", code, str(path)],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(digests) == 1


VALID = small_model(metadata={"names": "{0: 'a'}"}).SerializeToString()


@settings(deadline=None, max_examples=100)
@given(st.lists(st.tuples(st.integers(0, len(VALID) - 1), st.binary(max_size=2)), max_size=3))
def test_any_mutation_is_prepared_or_refused(changes: list[tuple[int, bytes]]) -> None:
    data = bytearray(VALID)
    for position, replacement in changes:
        data[position : position + 1] = replacement
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(MobileqError):
        path = Path(folder, "model.onnx")
        path.write_bytes(data)
        prepare(path)
