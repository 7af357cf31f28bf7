"""Models without boxes, of the kinds that people export, in float and int8 on all runtimes.

Small stand-ins, with random weights, for what `tools/export_models.py` exports in full.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper, parser

import mobileq

pytestmark = pytest.mark.usefixtures("children")

PRECISIONS = {
    "tflite": "fp32,fp16,dynamic,int8",
    "mnn": "fp32,fp16,w8,int8",
    "onnxruntime": "fp32,fp16,dynamic,int8",
}
LEAST_DB = {"fp32": 100, "fp16": 45, "dynamic": 30, "w8": 30, "int8": 25}
Shapes = dict[str, tuple[int, ...]]

ATTENTION = (
    """g (float[1,3,16,16] x) => (float[1,5] y) {
        patches = Conv<kernel_shape = [4, 4], strides = [4, 4]>(x, embed)
        flat = Reshape(patches, tokens)
        h = Transpose<perm = [0, 2, 1]>(flat)
        n = LayerNormalization<axis = -1>(h, gamma, beta)
        q = MatMul(n, wq)
        k = MatMul(n, wk)
        v = MatMul(n, wv)
        qh = Reshape(q, heads)
        kh = Reshape(k, heads)
        vh = Reshape(v, heads)
        qt = Transpose<perm = [0, 2, 1, 3]>(qh)
        kt = Transpose<perm = [0, 2, 3, 1]>(kh)
        vt = Transpose<perm = [0, 2, 1, 3]>(vh)
        qk = MatMul(qt, kt)
        scaled = Mul(qk, scale)
        a = Softmax<axis = -1>(scaled)
        av = MatMul(a, vt)
        back = Transpose<perm = [0, 2, 1, 3]>(av)
        joined = Reshape(back, rows)
        o = MatMul(joined, wo)
        s = Add(h, o)
        f = MatMul(s, w1)
        e = Erf(f)
        g1 = Add(e, one)
        g2 = Mul(f, g1)
        m = MatMul(g2, w2)
        t = Add(s, m)
        p = ReduceMean<axes = [1], keepdims = 0>(t)
        y = Gemm(p, wy, by)
    }""",
    {
        "embed": (32, 3, 4, 4), "gamma": (32,), "beta": (32,), "wq": (32, 32), "wk": (32, 32),
        "wv": (32, 32), "wo": (32, 32), "w1": (32, 64), "w2": (64, 32), "wy": (32, 5), "by": (5,),
    },
    {"tokens": [1, 32, 16], "heads": [1, 16, 4, 8], "rows": [1, 16, 32], "scale": 0.35, "one": 1.0},
)  # fmt: skip
U_NET = (
    """g (float[1,3,32,32] x) => (float[1,4,32,32] y) {
        a0 = Conv<kernel_shape = [3, 3], pads = [1, 1, 1, 1]>(x, wa)
        a = Relu(a0)
        d = MaxPool<kernel_shape = [2, 2], strides = [2, 2]>(a)
        b0 = Conv<kernel_shape = [3, 3], pads = [1, 1, 1, 1]>(d, wb)
        b = Relu(b0)
        u = ConvTranspose<kernel_shape = [2, 2], strides = [2, 2]>(b, wu)
        j = Concat<axis = 1>(u, a)
        c0 = Conv<kernel_shape = [3, 3], pads = [1, 1, 1, 1]>(j, wc)
        c = Relu(c0)
        y = Conv(c, wy)
    }""",
    {"wa": (8, 3, 3, 3), "wb": (16, 8, 3, 3), "wu": (16, 8, 2, 2), "wc": (8, 16, 3, 3),
     "wy": (4, 8, 1, 1)},
    {},
)  # fmt: skip
SEGMENTATION_HEAD = (
    """g (float[1,3,32,32] x) => (float[1,5,32,32] y) {
        a0 = Conv<kernel_shape = [3, 3], strides = [2, 2], pads = [1, 1, 1, 1]>(x, wa)
        a = HardSwish(a0)
        b0 = Conv<kernel_shape = [3, 3], group = 16, dilations = [2, 2], pads = [2, 2, 2, 2]>(a, wd)
        b = Relu(b0)
        p = GlobalAveragePool(b)
        q = Conv(p, wp)
        s = Sigmoid(q)
        r = Mul(b, s)
        l = Conv(r, wl)
        y = Resize<mode = "linear", coordinate_transformation_mode = "half_pixel">(l, , scales)
    }""",
    {"wa": (16, 3, 3, 3), "wd": (16, 1, 3, 3), "wp": (16, 16, 1, 1), "wl": (5, 16, 1, 1)},
    {"scales": [1.0, 1.0, 2.0, 2.0]},
)
TWO_INPUTS = (
    """g (float[1,3,16,16] left, float[1,3,16,16] right) => (float[1,1] y) {
        a0 = Conv<kernel_shape = [3, 3], strides = [2, 2], pads = [1, 1, 1, 1]>(left, wa)
        b0 = Conv<kernel_shape = [3, 3], strides = [2, 2], pads = [1, 1, 1, 1]>(right, wa)
        a1 = Relu(a0)
        b1 = Relu(b0)
        a2 = GlobalAveragePool(a1)
        b2 = GlobalAveragePool(b1)
        a3 = Flatten(a2)
        b3 = Flatten(b2)
        a = Gemm(a3, wl, bl)
        b = Gemm(b3, wl, bl)
        ab = Mul(a, b)
        dot = ReduceSum<keepdims = 1>(ab, last)
        an = ReduceL2<axes = [1], keepdims = 1>(a)
        bn = ReduceL2<axes = [1], keepdims = 1>(b)
        n0 = Mul(an, bn)
        n = Add(n0, tiny)
        y = Div(dot, n)
    }""",
    {"wa": (16, 3, 3, 3), "wl": (16, 8), "bl": (8,)},
    {"last": [1], "tiny": 1e-6},
)
KERAS = (
    """g (float[n,32,32,3] image) => (float[n,10] "Identity:0") {
        scaled = Mul(image, k_scale)
        shifted = Add(scaled, k_offset)
        x = Transpose<perm = [0, 3, 1, 2]>(shifted)
        c = Conv<kernel_shape = [3, 3], strides = [2, 2], pads = [0, 0, 1, 1]>(x, w, b)
        r = Clip(c, zero, six)
        d0 = Conv<kernel_shape = [3, 3], group = 8, pads = [1, 1, 1, 1]>(r, wd)
        d1 = Mul(d0, norm)
        d = Clip(d1, zero, six)
        p = Pad(d, around)
        m = MaxPool<kernel_shape = [3, 3], strides = [2, 2]>(p)
        e0 = Conv<kernel_shape = [1, 1]>(m, we)
        e1 = Sigmoid(e0)
        e = Mul(e0, e1)
        g0 = GlobalAveragePool(e)
        g1 = Reshape(g0, sixteen)
        f0 = Conv<kernel_shape = [1, 1]>(g1, wf)
        f1 = Relu(f0)
        f2 = Reshape(f1, four)
        h0 = Conv<kernel_shape = [1, 1]>(f2, wh)
        h = Sigmoid(h0)
        s = Mul(e, h)
        a = GlobalAveragePool(s)
        q = Squeeze(a, last)
        o = MatMul(q, wo)
        "Identity:0" = Softmax(o)
    }""",
    {"w": (8, 3, 3, 3), "b": (8,), "wd": (8, 1, 3, 3), "norm": (1, 8, 1, 1), "we": (16, 8, 1, 1),
     "wf": (4, 16, 1, 1), "wh": (16, 4, 1, 1), "wo": (16, 10)},
    {"k_scale": 2.0, "k_offset": -1.0, "zero": 0.0, "six": 6.0, "sixteen": [-1, 16, 1, 1],
     "four": [-1, 4, 1, 1], "last": [2, 3], "around": [0, 0, 1, 1, 0, 0, 1, 1]},
)  # fmt: skip
"""What `keras.Model.export(format="onnx")` (keras 3.15, tf2onnx 1.17) makes of a small classifier
with rescaling, zero padding, normalization, a squeeze-and-excite block: node by node, with names
of one's own. The padding's value is left out, the batch is open, pictures are NHWC."""
KINDS = {
    "keras": KERAS,
    "attention": ATTENTION,
    "u_net": U_NET,
    "segmentation_head": SEGMENTATION_HEAD,
    "two_inputs": TWO_INPUTS,
}


def _saved(path: Path, text: str, weights: Shapes, constants: dict[str, object]) -> list[str]:
    """Names of the inputs. Weights are such that values keep their size from layer to layer."""
    model = parser.parse_model('<ir_version: 8, opset_import: ["" : 17]>\n' + text)
    draw = np.random.default_rng(0)
    for name, shape in weights.items():
        taken = shape[0] if len(shape) < 4 else int(np.prod(shape[1:]))
        values = draw.normal(0, (2 / taken) ** 0.5, shape).astype(np.float32)
        if name == "gamma":
            values = np.abs(values) + 1
        model.graph.initializer.append(numpy_helper.from_array(values, name))
    for name, value in constants.items():
        array = np.array(value)
        kind = np.float32 if array.dtype.kind == "f" else np.int64
        model.graph.initializer.append(numpy_helper.from_array(array.astype(kind), name))
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return [value.name for value in model.graph.input]


def _samples(model: Path, folder: Path, count: int = 8) -> Path:
    """Smooth pictures, as cameras give them, under the names of the inputs."""
    draw = np.random.default_rng(1)
    folder.mkdir()
    inputs = onnx.load(model).graph.input
    for index in range(count):
        arrays = {}
        for value in inputs:
            shape = [dim.dim_value or 1 for dim in value.type.tensor_type.shape.dim]
            across = 1 if shape[-1] == 3 else 2
            shape[across : across + 2] = [length // 4 for length in shape[across : across + 2]]
            coarse = draw.random(shape, np.float32)
            arrays[value.name] = coarse.repeat(4, axis=across).repeat(4, axis=across + 1)
        np.savez(folder / f"{index}.npz", **arrays)
    return folder


@pytest.mark.parametrize("target", PRECISIONS)
@pytest.mark.parametrize("kind", KINDS)
def test_every_file_is_right_and_no_boxes_are_claimed(
    kind: str, target: str, tmp_path: Path
) -> None:
    model, heard = tmp_path / f"{kind}.onnx", mobileq.Silent()
    _saved(model, *KINDS[kind])

    manifest = mobileq.convert(
        model, tmp_path / "bundle", target=target, precision=PRECISIONS[target],
        calib=_samples(model, tmp_path / "samples"), search=False, progress=heard,
    )  # fmt: skip

    assert manifest.failures == ()
    assert manifest.model.decode is None
    assert not [told for told in heard.notices if re.search(r"detect|\bbox", told)]
    report = json.loads((tmp_path / "bundle" / "report.json").read_text())
    found = {
        name.removeprefix(f"{target}-"): min(map(_sqnr_db, verified["outputs"]))
        for name, verified in report["verifications"].items()
    }
    assert found.keys() == set(PRECISIONS[target].split(","))
    assert {name: db for name, db in found.items() if db < LEAST_DB[name]} == {}


def _sqnr_db(scores: dict[str, float | None]) -> float:
    """None stands for no noise at all, where the cosine is one."""
    db, cosine = scores["sqnr_db"], scores["cosine"]
    return np.inf if db is None and cosine and cosine > 1 - 1e-6 else db or -np.inf
