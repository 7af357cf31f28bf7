from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import ModelProto
from onnxruntime.quantization import quantize_dynamic

from mobileq.graph.integer_ends import write_integers
from mobileq.graph.trial_run import run
from mobileq.preparation.prepare import prepare

from .builders import model_of

NUMBERS = np.random.default_rng(0)
WEIGHTS = {
    "w": NUMBERS.normal(0.0, 0.3, (4, 3, 3, 3)).astype(np.float32),
    "b": NUMBERS.normal(0.0, 0.3, 4).astype(np.float32),
    "m": NUMBERS.normal(0.0, 0.3, (6, 5)).astype(np.float32),
}
FLOAT = """g (float[1,3,8,8] x) => (float[1,4,6,5] y) {
    c = Conv(x, w, b) r = Relu(c) y = MatMul(r, m)
}"""


def kinds(model: ModelProto) -> set[str]:
    return {node.op_type for node in model.graph.node}


def test_float_model_is_found_inside(tmp_path: Path) -> None:
    onnx.save(model_of(FLOAT, WEIGHTS), tmp_path / "f.onnx")
    quantize_dynamic(tmp_path / "f.onnx", tmp_path / "d.onnx")
    prepared = prepare(tmp_path / "d.onnx")
    assert kinds(onnx.load(tmp_path / "d.onnx")) >= {"ConvInteger", "MatMulInteger"}
    assert set(prepared.op_counts) <= {"Conv", "Relu", "MatMul", "Mul", "Add"}
    assert any("finds its scales anew" in notice for notice in prepared.notices)
    fed = {"x": NUMBERS.normal(0.0, 1.0, (1, 3, 8, 8)).astype(np.float32)}
    wanted, found = run(onnx.load(tmp_path / "f.onnx"), fed)["y"], run(prepared.model, fed)["y"]
    assert np.abs(wanted - found).max() < 0.02 * np.abs(wanted).max()


@pytest.mark.parametrize(
    "body",
    [
        # The sums are an output, or are added to.
        "q, s, z = DynamicQuantizeLinear(x) y = MatMulInteger(q, w, z)",
        "q, s, z = DynamicQuantizeLinear(x) p = MatMulInteger(q, w, z) y = Add(p, one)",
        # The codes are read by others, or with another zero-point.
        """q, s, z = DynamicQuantizeLinear(x) p = MatMulInteger(q, w, z) f = Cast<to=1>(p)
           g = Cast<to=1>(q) h = ReduceSum(g) k = Add(f, h) y = Cast<to=6>(k)""",
        """q, s, z = DynamicQuantizeLinear(x) p = MatMulInteger(q, w) f = Cast<to=1>(p)
           g = Mul(f, s) y = Cast<to=6>(g)""",
    ],
)
def test_codes_that_mean_more_are_worked_out(body: str) -> None:
    values = {"w": np.arange(8, dtype=np.uint8).reshape(4, 2), "one": np.array(1, np.int32)}
    values = {name: value for name, value in values.items() if name == "w" or name in body}
    model = model_of(f"g (float[3,4] x) => (int32[3,2] y) {{ {body} }}", values)
    written = write_integers(model)
    assert kinds(written).isdisjoint({"DynamicQuantizeLinear", "MatMulInteger"})
    fed = {"x": NUMBERS.normal(0.0, 1.0, (3, 4)).astype(np.float32)}
    assert np.array_equal(run(model, fed)["y"], run(written, fed)["y"])
