from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import ModelProto

from mobileq.graph.operator_format import as_pairs
from mobileq.graph.quantized import strip_quantizers
from mobileq.graph.trial_run import run
from mobileq.preparation.prepare import prepare

from .builders import model_of

NUMBERS = np.random.default_rng(0)
DOMAIN = ', "com.microsoft": 1'


def codes(kind: str, *shape: int) -> np.ndarray:
    """Weights in 7 bits: sums of two products end at 16 bits in ONNX Runtime without VNNI."""
    low, high = (-64, 64) if kind == "int8" else (0, 256)
    return NUMBERS.integers(low, high, shape).astype(kind)


def scales(*shape: int) -> np.ndarray:
    return NUMBERS.uniform(0.005, 0.02, shape).astype(np.float32)


SHARED = {
    **{"s": np.array(0.02, np.float32), "z": np.array(120, np.uint8)},
    **{"t": np.array(0.05, np.float32), "v": np.array(7, np.uint8)},
    **{"t1": np.array([0.05], np.float32), "v1": np.array([7], np.uint8)},
    **{"w": codes("int8", 4, 3, 3, 3), "ws": scales(4), "wz": np.zeros(4, np.int8)},
    **{"b": np.array([100, -50, 7, 0], np.int32), "n": np.array(0, np.uint8)},
    **{"m": codes("int8", 6, 5), "ms": scales(5), "mz": np.zeros(5, np.int8)},
    **{"g": codes("int8", 5, 6), "o": np.array(0, np.int8), "gb": np.arange(5, dtype=np.int32)},
}
PICTURE, ROWS = "uint8[1,3,6,6] x", "uint8[2,6] x"


def operator(
    body: str, given: str = PICTURE, result: str = "uint8 y", opset: int = 17
) -> ModelProto:
    words = set(re.findall(r"\w+", body))
    used = {name: value for name, value in SHARED.items() if name in words}
    return model_of(f"g ({given}) => ({result}) {{ {body} }}", used, opset=opset, domains=DOMAIN)


MICROSOFT = "y = com.microsoft."


@pytest.mark.parametrize(
    ("body", "given"),
    [
        ("y = QLinearConv<pads=[1,1,1,1]>(x, s, z, w, s, o, t, v)", PICTURE),
        ("y = QLinearConv<strides=[2,2]>(x, s, z, w, ws, wz, t, v, b)", PICTURE),
        ("y = QLinearMatMul(x, s, z, m, s, o, t1, v1)", ROWS),
        ("y = QLinearMatMul(x, s, z, m, ms, mz, t, v)", ROWS),
        (f"{MICROSOFT}QLinearAdd(x, s, z, x, t, v, t, v)", PICTURE),
        (f"{MICROSOFT}QLinearMul(x, s, z, x, t, v, t, v)", PICTURE),
        (f"{MICROSOFT}QGemm<transB=1>(x, s, z, g, ms, mz, gb, t, v)", ROWS),
        (f"{MICROSOFT}QLinearConcat<axis=1>(t, v, x, s, z, x, t, v)", PICTURE),
        (f"{MICROSOFT}QLinearSigmoid(x, s, z, s, n)", PICTURE),
        (f"{MICROSOFT}QLinearLeakyRelu<alpha=0.1>(x, s, z, t, v)", PICTURE),
        (f"{MICROSOFT}QLinearSoftmax<axis=1, opset=17>(x, s, z, s, n)", ROWS),
        (f"{MICROSOFT}QLinearAveragePool<kernel_shape=[2,2]>(x, s, z, t, v)", PICTURE),
        (f"{MICROSOFT}QLinearGlobalAveragePool(x, s, z, t, v)", PICTURE),
    ],
)
def test_pairs_give_the_same_codes(body: str, given: str) -> None:
    model = operator(body, given)
    before = model.SerializeToString()
    pairs = as_pairs(model)
    assert model.SerializeToString() == before
    assert {node.domain for node in pairs.graph.node} == {""}
    assert not any(node.op_type.startswith("Q") and node.op_type != "QuantizeLinear"
                   for node in pairs.graph.node)  # fmt: skip
    shape = (1, 3, 6, 6) if given is PICTURE else (2, 6)
    fed = {"x": codes("uint8", *shape)}
    wanted, found = run(model, fed)["y"], run(pairs, fed)["y"]
    # ONNX Runtime's own kernels round a few halves the other way.
    assert np.abs(wanted.astype(int) - found).max() <= 1
    assert np.mean(wanted != found) < 0.05
    assert len(np.unique(wanted)) > 2


def test_scales_along_an_axis_need_a_newer_opset() -> None:
    model = operator("y = QLinearConv(x, s, z, w, ws, wz, t, v, b)", opset=11)
    pairs = as_pairs(model)
    onnx.checker.check_model(pairs)
    fed = {"x": codes("uint8", 1, 3, 6, 6)}
    assert np.abs(run(model, fed)["y"].astype(int) - run(pairs, fed)["y"]).max() <= 1


def test_other_models_are_left_alone() -> None:
    model = model_of("g (float[2] x) => (float[2] y) { y = Relu(x) }")
    assert as_pairs(model) is model


def test_scales_that_are_computed_stay() -> None:
    model = operator("r = Relu(q) y = QLinearMatMul(x, r, z, m, s, o, t, v)", f"{ROWS}, float q")
    assert [node.op_type for node in as_pairs(model).graph.node] == ["Relu", "QLinearMatMul"]


def test_scales_of_the_operators_are_kept() -> None:
    body = """q = QuantizeLinear(f, s, z) c = QLinearConv(q, s, z, w, ws, wz, t, v, b)
        y = DequantizeLinear(c, t, v)"""
    model = operator(body, "float[1,3,6,6] f", "float[1,4,4,4] y")
    stripped, given, _ = strip_quantizers(as_pairs(model))
    assert [node.op_type for node in stripped.graph.node] == ["Conv"]
    assert given.ranges["f"].max == pytest.approx(0.02 * (255 - 120))
    assert {len(each.scale) for each in given.constants.values()} == {4}


def test_model_in_the_operator_format_is_prepared(tmp_path: Path) -> None:
    body = """q = QuantizeLinear(f, s, z) c = QLinearConv(q, s, z, w, ws, wz, t, v, b)
        d = com.microsoft.QLinearSigmoid(c, t, v, s, z) y = DequantizeLinear(d, s, z)"""
    model = operator(body, "float[1,3,6,6] f", "float[1,4,4,4] y")
    onnx.save(model, tmp_path / "m.onnx")
    prepared = prepare(tmp_path / "m.onnx")
    assert set(prepared.op_counts) == {"Conv", "Sigmoid"}
    assert prepared.given is not None
    assert not any("com.microsoft" in notice for notice in prepared.notices)
