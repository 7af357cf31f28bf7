"""What transformers are made of, in models of a few weights."""

from __future__ import annotations

import numpy as np

from .tiny_models import weights

TRANSFORMERS: dict[str, tuple[str, dict[str, np.ndarray]]] = {
    # Anchors of RT-DETR and D-FINE, of the best cells; those at the rim are infinite, and no good.
    "rim": (
        """g (float[1,3,6,6] x) => (float[1,1,5] y) {
            c = Conv<pads=[1,1,1,1]>(x, w)
            cells = Reshape(c, flat)
            inside = Add(cells, worth)
            best, place = TopK<axis=1>(inside, five)
            own = Gather<axis=1>(anchors, place)
            row = Squeeze(own, first)
            moved = Conv(x, v)
            mean = GlobalAveragePool(moved)
            shift = Reshape(mean, five_of_one)
            box = Add(row, shift)
            y = Sigmoid(box)
        }""",
        {
            "w": weights(1, 3, 3, 3),
            "v": weights(5, 3, 1, 1, seed=1),
            "five_of_one": np.array([1, 1, 5]),
            "flat": np.array([1, 36]),
            "five": np.array([5]),
            "first": np.array([0]),
            "worth": np.where(np.arange(36) % 3, 0, -9).astype(np.float32),
            "anchors": np.where(np.arange(36) % 3, weights(1, 36), np.inf).astype(np.float32),
        },
    ),
    # How DETRs take a box back to where they refine it: chances of 0 and 1 are among them.
    "inverse_sigmoid": (
        """g (float[1,3,6,6] x) => (float[1,4,6,6] y) {
            c = Conv(x, w)
            chance = Sigmoid(c)
            rest = Sub(one, chance)
            over = Clip(chance, least)
            under = Clip(rest, least)
            odds = Div(over, under)
            logit = Log(odds)
            moved = Add(logit, c)
            y = Sigmoid(moved)
        }""",
        {
            "w": weights(4, 3, 1, 1) * 20,
            "one": np.array(1, np.float32),
            "least": np.array(1e-5, np.float32),
        },
    ),
    # Tokens of very different variances; and as exporters write it below opset 17.
    "tokens": (
        """g (float[1,16,32] x) => (float[1,16,8] y, float[1,16,8] parts) {
            spread = Mul(x, loudness)
            h = LayerNormalization<axis = -1>(spread, gamma, beta)
            y = MatMul(h, w)
            mean = ReduceMean<axes=[-1]>(spread)
            centred = Sub(spread, mean)
            squared = Mul(centred, centred)
            variance = ReduceMean<axes=[-1]>(squared)
            raised = Add(variance, epsilon)
            deviation = Sqrt(raised)
            normalized = Div(centred, deviation)
            parts = MatMul(normalized, w)
        }""",
        {
            "loudness": np.geomspace(0.3, 4, 16, dtype=np.float32).reshape(1, 16, 1),
            "gamma": 1 + weights(32),
            "beta": weights(32, seed=1),
            "w": weights(32, 8, seed=2),
            "epsilon": np.array(1e-5, np.float32),
        },
    ),
    # A normalization without a mean.
    "loud": (
        """g (float[1,16,32] x) => (float[1,16,8] y) {
            spread = Mul(x, loudness)
            power = Mul(spread, spread)
            mean = ReduceMean<axes=[-1]>(power)
            raised = Add(mean, epsilon)
            root = Sqrt(raised)
            level = Div(spread, root)
            y = MatMul(level, w)
        }""",
        {
            "loudness": np.geomspace(0.3, 4, 16, dtype=np.float32).reshape(1, 16, 1),
            "w": weights(32, 8, seed=2),
            "epsilon": np.array(1e-5, np.float32),
        },
    ),
    # Gelu by tanh: as ONNX has it, and in the steps that exporters write it in.
    "gelu": (
        """g (float[1,4,16] x) => (float[1,4,8] y) {
            h = MatMul(x, w)
            square = Mul(h, h)
            cube = Mul(square, h)
            small = Mul(cube, third)
            sum = Add(h, small)
            inner = Mul(sum, root)
            tanh = Tanh(inner)
            gate = Add(tanh, one)
            gated = Mul(h, gate)
            act = Mul(gated, half)
            y = MatMul(act, v)
        }""",
        {
            "w": 3 * weights(16, 12),
            "v": weights(12, 8, seed=1),
            "third": np.array(0.044715, np.float32),
            "root": np.array(np.sqrt(2 / np.pi), np.float32),
            "one": np.array(1, np.float32),
            "half": np.array(0.5, np.float32),
        },
    ),
    # One block as a ViT has it; the Gelu by erf.
    "block": (
        """g (float[1,3,16,16] x) => (float[1,5] y) {
            patches = Conv<strides=[4,4]>(x, p)
            flat = Reshape(patches, flat_shape)
            tokens = Transpose<perm=[0,2,1]>(flat)
            a = LayerNormalization<axis = -1>(tokens, gamma, beta)
            q = MatMul(a, wq)
            k = MatMul(a, wk)
            v = MatMul(a, wv)
            kt = Transpose<perm=[0,2,1]>(k)
            likeness = MatMul(q, kt)
            attention = Softmax(likeness)
            mixed = MatMul(attention, v)
            attended = Add(tokens, mixed)
            b = LayerNormalization<axis = -1>(attended, gamma, beta)
            h = MatMul(b, w1)
            scaled = Div(h, root2)
            erf = Erf(scaled)
            gate = Add(erf, one)
            gated = Mul(h, gate)
            act = Mul(gated, half)
            widened = MatMul(act, w2)
            block = Add(attended, widened)
            pooled = ReduceMean<axes=[1], keepdims=0>(block)
            y = MatMul(pooled, head)
        }""",
        {
            "p": weights(16, 3, 4, 4),
            "flat_shape": np.array([1, 16, 16]),
            "gamma": 1 + weights(16),
            "beta": weights(16, seed=1),
            "wq": weights(16, 16, seed=2),
            "wk": weights(16, 16, seed=3),
            "wv": weights(16, 16, seed=4),
            "w1": weights(16, 32, seed=5),
            "root2": np.array(np.sqrt(2), np.float32),
            "one": np.array(1, np.float32),
            "half": np.array(0.5, np.float32),
            "w2": weights(32, 16, seed=6),
            "head": weights(16, 5, seed=7),
        },
    ),
    # As detectors with queries choose the cells that become queries.
    "choices": (
        """g (float[1,16,8] x) => (float[1,4,6] y) {
            scores = MatMul(x, w)
            best = ReduceMax<axes=[2], keepdims=0>(scores)
            values, places = TopK<axis=1>(best, four)
            column = Unsqueeze(places, two)
            index = Expand(column, shape)
            chosen = GatherElements<axis=1>(x, index)
            y = MatMul(chosen, v)
        }""",
        {
            "w": weights(8, 3),
            "v": weights(8, 6, seed=1),
            "four": np.array([4]),
            "two": np.array([2]),
            "shape": np.array([1, 4, 8]),
        },
    ),
}
