"""Ops between, behind and before int8 convolutions."""

from __future__ import annotations

import re
from collections import Counter

import numpy as np
import pytest

from mobileq.graph import eight_bits
from mobileq.spec import TensorRange
from mobileq.targets.mnn.outline import read_outline

from ..tiny import TinyModel, sqnr_db
from ..tiny_models import weights
from .conversions import made, outputs_of

AROUND = {
    "plain": "t = Relu(d)",
    "leaky": "t = LeakyRelu<alpha=0.1>(d)",
    "joined": "t = Concat<axis=1>(d, r)",
    "parted": "t, o = Split<axis=1>(d, halves)",
    "added": "t = Add(d, r)",
}


@pytest.mark.parametrize("kind", ["float16", "int8", "float32"])
@pytest.mark.parametrize("around", AROUND)
def test_float_convolution_between_int8_ones_is_small_and_right(
    monkeypatch, tmp_path, around, kind
):
    # Described on both sides, or through the op behind it: MNN 3.6.1 would take it for int8.
    channels = {"joined": 32, "parted": 8}.get(around, 16)
    graph = f"""g (float[1,3,8,10] x) => (float[1,8,8,10] y) {{
        c = Conv<pads=[1,1,1,1]>(x, w)
        r = Relu(c)
        d = Conv<pads=[1,1,1,1], group=16>(r, v)
        {AROUND[around]}
        y = Conv(t, u)
    }}"""
    constants = {
        "w": weights(16, 3, 3, 3), "v": weights(16, 1, 3, 3), "u": weights(8, channels, 1, 1),
        "halves": np.array([8, 8]),
    }  # fmt: skip
    monkeypatch.setattr(eight_bits, "_MANY_WEIGHTS", 0 if kind == "int8" else 4096)
    if kind == "float32":
        constants["v"][0] *= np.float32(1e-7)
    file = made(monkeypatch, tmp_path, graph, constants, keep_float=("d",))
    assert file.converted.notes == ("MNN computes 2 of 3 convolutions and linear layers in int8.",)
    wanted = Counter(["int8", "int8", kind])
    assert read_outline(file.path).weight_types == wanted
    assert sqnr_db(file.model.wanted["y"], outputs_of(file)["y"]) > 30


NEAREST = 'mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor"'


LINEAR = 'mode="linear", coordinate_transformation_mode="half_pixel"'


POOLED = "kernel_shape=[3,3], pads=[1,1,1,1], strides=[1,1]"


BETWEEN = {
    # As in PicoDet's neck: MNN 3.6.1 crashes where a resize of codes is described as float, ...
    "resized, joined": (f"s = Resize<{NEAREST}>(h, , scales) j = Concat<axis=1>(s, r)", 32),
    "interpolated, joined": (f"s = Resize<{LINEAR}>(c, , scales) j = Concat<axis=1>(s, r)", 32),
    # ... takes no notice that what it gives has another scale, ...
    "interpolated": (f"j = Resize<{LINEAR}>(h, , scales)", 16),
    # ... and cuts off before it interpolates what a ReLU cuts off behind it.
    "interpolated, cut": (f"s = Resize<{LINEAR}>(h, , scales) j = Relu(s)", 16),
    # Its poolings compare codes with the wrong sign.
    "largest": (f"j = MaxPool<{POOLED}>(r)", 16),
    "averaged": (f"j = AveragePool<{POOLED}>(r)", 16),
    # It takes the 1.0 beside "float" for the scale of a sum of codes.
    "added, resized, joined": (
        f"d = Conv<pads=[1,1,1,1]>(h, t) a = Add(c, d) s = Resize<{LINEAR}>(a, , scales) "
        "j = Concat<axis=1>(s, r)", 32,
    ),
    "added, pooled, resized": (
        f"d = Conv<pads=[1,1,1,1]>(h, t) a = Add(h, d) m = MaxPool<{POOLED}>(a) "
        f"s = Resize<{NEAREST}>(m, , scales) j = Concat<axis=1>(s, r)", 32,
    ),
}  # fmt: skip


@pytest.mark.parametrize("keep_float", [(), ("z",)])
@pytest.mark.parametrize("activation", ["HardSwish", "LeakyRelu<alpha=0.1>"])
@pytest.mark.parametrize("between", BETWEEN)
def test_what_lies_between_int8_convolutions_is_right(
    monkeypatch, tmp_path, between, activation, keep_float
):
    body, channels = BETWEEN[between]
    graph = f"""g (float[1,3,16,20] x) => (float[1,4,16,20] y, float[1,4,8,10] z) {{
        b = Conv<pads=[1,1,1,1]>(x, w)
        r = {activation}(b)
        c = Conv<pads=[1,1,1,1], strides=[2,2]>(r, t)
        h = {activation}(c)
        {body}
        y = Conv(j, v)
        z = Conv(h, u)
    }}"""
    constants = {
        "w": weights(16, 3, 3, 3), "t": weights(16, 16, 3, 3), "v": weights(4, channels, 1, 1),
        "u": weights(4, 16, 1, 1), "scales": np.array([1, 1, 2, 2], np.float32),
    }  # fmt: skip
    file = made(monkeypatch, tmp_path, graph, constants, keep_float=keep_float)
    for name, found in outputs_of(file).items():
        assert sqnr_db(file.model.wanted[name], found) > 30


BEHIND_CUT = {
    "added": "e = Conv<pads=[1,1,1,1]>(s, t) f = Add(e, s) h = Relu(f) j = Conv(h, k)",
    "turned": "h = Transpose<perm=[0,1,3,2]>(s) j = Conv(h, k)",
}


@pytest.mark.parametrize(
    ("op", "behind", "lowest"),
    [
        ("Add", "added", 0), ("Add", "added", -0.125), ("Add", "added", -1),
        ("Add", "turned", 0), ("Add", "turned", -0.125), ("Sub", "added", 0),
    ],
)  # fmt: skip
def test_relu_of_a_sum_of_codes_cuts_off_at_zero(monkeypatch, tmp_path, op, behind, lowest):
    # MNN 3.6.1 makes them one op, which cuts off what is below the code 0, whatever that means.
    graph = f"""g (float[1,3,12,12] x) => (float[1,4,12,12] y) {{
        b = Conv<pads=[1,1,1,1]>(x, w)
        r = LeakyRelu<alpha=0.1>(b)
        d = Conv<pads=[1,1,1,1]>(r, t)
        a = {op}(r, d)
        s = Relu(a)
        {BEHIND_CUT[behind]}
        y = Conv(j, v)
    }}"""
    constants = {"w": weights(16, 3, 3, 3), "t": weights(16, 16, 3, 3)}
    constants |= {"k": weights(16, 16, 1, 1), "v": weights(4, 16, 1, 1)}
    given = TinyModel.ranges

    def widened(model):
        """What the ReLUs give, as scales that came with a model may have it."""
        cut = {name: each for name, each in given(model).items() if name in ("s", "h")}
        wide = {n: TensorRange(min=lowest * each.max, max=each.max) for n, each in cut.items()}
        return {**given(model), **wide}

    monkeypatch.setattr(TinyModel, "ranges", widened)
    file = made(monkeypatch, tmp_path, graph, constants)
    assert sqnr_db(file.model.wanted["y"], outputs_of(file)["y"]) > 30


PARTS = "p0, p1 = Split<axis=1>(s, halves)"


CONTESTED = {
    # Each half is taken by an int8 convolution, which would hand its scale to what is split, past
    # what only moves values ...
    "turned": f"o = Transpose<perm=[0,1,3,2]>(s) {PARTS.replace('(s', '(o')} "
    "a = Conv(p0, t) e = Conv(p1, u)",
    # ... and past what computes, ...
    "cut": f"o = Relu(s) {PARTS.replace('(s', '(o')} a = Conv(p0, t) e = Conv(p1, u)",
    # ... or one half by a convolution, and both by a concatenation, as in YOLOv8's C2f.
    "joined": f"{PARTS} h = Add(p1, p1) a = Conv(p1, t) e = Concat<axis=1>(p0, h)",
    # Nothing is contested.
    "copied": "o = Transpose<perm=[0,1,3,2]>(s) e = Conv(o, v) a = Conv(s, v)",
}


@pytest.mark.parametrize("part", CONTESTED)
def test_int8_file_is_the_same_wherever_its_memory_lies(monkeypatch, tmp_path, part):
    # MNN 3.6.1 decides by addresses; of four such parts in a row, one falls out otherwise.
    inner = ("o", "p0", "p1", "a", "e", "h", "s")
    body = ""
    for number in range(4):
        text = f"s = Sigmoid(x) {CONTESTED[part]} y = Concat<axis=1>(a, e)"
        for name in inner:
            text = re.sub(rf"\b{name}\b", f"{name}_{number}", text)
        text = re.sub(r"\bx\b", f"c_{number}", text).replace("y =", f"j_{number} =")
        body += f"{text} c_{number + 1} = Conv(j_{number}, k)\n"
    graph = f"g (float[1,3,16,16] x) => (float[1,8,16,16] c_4) {{ c_0 = Conv(x, w) {body} }}"
    constants = {
        "w": weights(8, 3, 1, 1), "t": weights(8, 4, 1, 1), "u": 3 * weights(8, 4, 1, 1),
        "v": weights(8, 8, 1, 1), "k": weights(8, 16, 1, 1), "halves": np.array([4, 4]),
    }  # fmt: skip
    file = made(monkeypatch, tmp_path, graph, constants)
    assert sqnr_db(file.model.wanted["c_4"], outputs_of(file)["c_4"]) > 25
    runs = [outputs_of(file, disturbed=disturbed)["c_4"] for disturbed in (False, True)]
    np.testing.assert_array_equal(*runs)


def test_the_mean_over_all_places_of_codes_is_no_code(monkeypatch, tmp_path):
    # MNN 3.6.1 would round it to the scale of what it is the mean of, before a classifier's layer.
    graph = """g (float[1,3,8,10] x) => (float[1,4] y) {
        c = Conv<pads=[1,1,1,1]>(x, w)
        r = Relu(c)
        m = GlobalAveragePool(r)
        f = Flatten(m)
        y = Gemm<transB=1>(f, k)
    }"""
    constants = {"w": weights(32, 3, 3, 3), "k": weights(4, 32)}
    file = made(monkeypatch, tmp_path, graph, constants, keep_float=("y",))
    assert file.converted.notes == ("MNN computes 1 of 2 convolutions and linear layers in int8.",)
    assert sqnr_db(file.model.wanted["y"], outputs_of(file)["y"]) > 40
