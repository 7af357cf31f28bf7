"""Weights that float ops of an int8 file take are small in the file, and float when it runs."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper

from mobileq.graph.outline import op_counts
from mobileq.graph.trial_run import random_inputs, run
from mobileq.targets.onnxruntime.float_weights import store_small

from ..tiny import sqnr_db
from ..tiny_models import weights
from .conversions import model_of

TWO = """g (float[1,3,8,8] x) => (float[1,4,8,8] y) {
    a = Conv(x, w)
    y = Conv(a, v)
}"""


def stored(model: onnx.ModelProto) -> dict[str, str]:
    return {t.name: numpy_helper.to_array(t).dtype.name for t in model.graph.initializer}


def two() -> onnx.ModelProto:
    return model_of(TWO, w=weights(3000, 3, 1, 1), v=weights(4, 3000, 1, 1))


def test_large_weights_have_eight_bits_and_small_ones_half_precision():
    model = two()
    model.graph.initializer.append(numpy_helper.from_array(weights(8, 8, 1, 1), "u"))
    model.graph.node.add(op_type="Conv", input=["z", "u"], output=["q"])
    model.graph.input.append(onnx.helper.make_tensor_value_info("z", 1, [1, 8, 8, 8]))
    model.graph.output.append(onnx.helper.make_tensor_value_info("q", 1, [1, 8, 8, 8]))
    found = onnx.ModelProto()
    found.CopyFrom(model)
    store_small(found)
    onnx.checker.check_model(found, full_check=True)
    assert stored(found) == {
        "w/codes": "int8", "w/steps": "float32", "v/codes": "int8", "v/steps": "float32",
        "u/half": "float16",
    }  # fmt: skip
    inputs = random_inputs(model, 1, signed=True)
    wanted, given = run(model, inputs), run(found, inputs)
    assert 35 < sqnr_db(wanted["y"], given["y"]) < 60
    assert 60 < sqnr_db(wanted["q"], given["q"]) < 90


def test_nothing_is_widened_in_an_inference(tmp_path):
    model = two()
    store_small(model)
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "x.onnx")
    content = model.SerializeToString()
    onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    assert not {"Cast", "Mul"} & op_counts(onnx.load(tmp_path / "x.onnx")).keys()


def test_weights_that_half_precision_does_not_hold_stay_as_they_are():
    model = model_of(
        """g (float[1,3,8,8] x, float[1,8,8,8] z) => (float[1,300,8,8] y, float[1,8,8,8] q) {
            y = Conv(x, w)
            q = Conv(z, v)
        }""",
        w=weights(300, 3, 1, 1), v=weights(8, 8, 1, 1) * np.float32(1e-7),
    )  # fmt: skip
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(weights(300, 3, 5, 5), "w"))
    store_small(model)
    assert stored(model)["v"] == "float32"


def test_float_ops_of_an_int8_file_have_small_weights(convert):
    types = stored(onnx.load(convert("anchors", "int8", keep_float=("r",)).path))
    float_values = [name for name, kind in types.items() if kind == "float32"]
    assert all(name.endswith(("/scale", "/steps")) for name in float_values if name[0] in "wv")
