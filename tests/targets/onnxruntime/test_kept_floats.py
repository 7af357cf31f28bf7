"""What a plan keeps in float ONNX Runtime computes in float, between integers too."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from mobileq.graph.quantized import strip_quantizers
from mobileq.graph.trial_run import random_inputs, run
from mobileq.onnx_runtime import SessionOptions, open_session
from mobileq.spec import TensorRange
from mobileq.targets.onnxruntime.kept_floats import keep_floats
from mobileq.targets.qdq.options import QdqOptions
from mobileq.targets.qdq.writing import quantized_model

from ..tiny import sqnr_db
from ..tiny_models import weights
from .conversions import model_of

UNSIGNED = QdqOptions(weight_type="uint8")
"""No kernel of x86 cuts off sums of its products."""
BETWEEN = {
    "Conv": "b = Conv<group = 2>(a, v, c)\n r = Relu(b)\n y = Conv(r, u)",
    "ConvTranspose": "r = ConvTranspose(a, t, c)\n y = Conv(r, u)",
    "Gemm": "p = GlobalAveragePool(a)\n f = Flatten(p)\n d = Gemm<transB = 1>(f, h, c)\n"
    " r = Gemm<transB = 1>(d, g, c)\n y = Gemm(r, e, c)",
}


def uneven(*shape: int) -> np.ndarray:
    """Those of the first input, which is always 0, are a thousand times the others: with one scale
    for all, these have few levels."""
    values = np.array(weights(*shape), np.float32)
    values[:, 0] *= 1000.0
    return values


def lonely(kind: str) -> onnx.ModelProto:
    shape = "1,8" if kind == "Gemm" else "1,8,4,4"
    text = f"m (float[1,8,4,4] x) => (float[{shape}] y) {{ a = Conv(x, w)\n {BETWEEN[kind]} }}"
    first = np.array(weights(8, 8, 1, 1))
    first[0] = 0.0
    made = {
        "w": first,
        "v": uneven(8, 4, 1, 1),
        "t": uneven(8, 8, 1, 1).transpose(1, 0, 2, 3).copy(),
        "h": first[:, :, 0, 0],
        "g": uneven(8, 8),
        "c": np.where(np.arange(8) > 0, weights(8), 0).astype(np.float32),
        "u": weights(8, 8, 1, 1),
        "e": weights(8, 8),
    }
    return model_of(text, **{name: each for name, each in made.items() if f" {name}" in text})


@pytest.mark.parametrize("kind", list(BETWEEN))
def test_a_float_op_between_integers_keeps_its_weights(kind: str):
    model = lonely(kind)
    feeds = random_inputs(model, 1, signed=True)
    inside = onnx.ModelProto()
    inside.CopyFrom(model)
    names = [name for node in model.graph.node for name in node.output if name != "y"]
    inside.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in names)
    values = {**feeds, **run(inside, feeds)}
    ranges = {
        name: TensorRange(min=min(0.0, float(each.min())), max=float(each.max()))
        for name, each in values.items()
    }
    made = quantized_model(model, ranges, ("b", "r"), UNSIGNED)
    before = onnx.ModelProto()
    before.CopyFrom(made)
    keep_floats(made)
    onnx.checker.check_model(made, full_check=True)
    plain, fused, now = (
        open_session(each, SessionOptions(threads=1, optimization=level)).run(None, feeds)[0]
        for each, level in ((made, "none"), (before, "all"), (made, "all"))
    )
    assert sqnr_db(plain, fused) < 40.0, "what it is for"
    assert sqnr_db(plain, now) > sqnr_db(plain, fused) + 10.0
    taken = strip_quantizers(made)
    assert taken[1].ranges == strip_quantizers(before)[1].ranges
    assert [n.op_type for n in taken[0].graph.node] == [n.op_type for n in model.graph.node]


def test_where_nothing_is_float_nothing_changes():
    model = lonely("Conv")
    names = ["x", *(name for node in model.graph.node for name in node.output)]
    ranges = {name: TensorRange(min=-1.0, max=1.0) for name in names}
    made = quantized_model(model, ranges, (), UNSIGNED)
    content = made.SerializeToString(deterministic=True)
    keep_floats(made)
    assert made.SerializeToString(deterministic=True) == content
