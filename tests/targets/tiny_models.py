"""Models of a few weights, each with what a converter may get wrong."""

from __future__ import annotations

import numpy as np


def weights(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.3, shape).astype(np.float32)


MODELS: dict[str, tuple[str, dict[str, np.ndarray]]] = {
    # The output is 4-D: onnx2tf leaves it NHWC.
    "conv": (
        """g (float[1,3,16,12] x) => (float[1,8,10,7] y) {
            c = Conv<pads=[2,1,3,2], strides=[2,2]>(x, w, b)
            y = Relu(c)
        }""",
        {"w": weights(8, 3, 3, 3), "b": weights(8)},
    ),
    # YOLOv5's first layer.
    "stem": (
        """g (float[1,3,16,12] x) => (float[1,8,8,6] y) {
            y = Conv<pads=[2,2,2,2], strides=[2,2]>(x, w, b)
        }""",
        {"w": weights(8, 3, 6, 6), "b": weights(8)},
    ),
    # A row and a column in two are left out.
    "short": (
        """g (float[1,3,12,12] x) => (float[1,8,6,6] y) {
            y = Conv<auto_pad="SAME_UPPER", strides=[2,2]>(x, w, b)
        }""",
        {"w": weights(8, 3, 1, 3), "b": weights(8)},
    ),
    # PicoDet's unit.
    "gated": (
        """g (float[1,3,8,6] x) => (float[1,5,8,6] y) {
            a = Conv<pads=[1,1,1,1]>(x, w)
            h = HardSwish(a)
            kept, half = Split<axis=1>(h, halves)
            d = Conv<pads=[1,1,1,1]>(half, v)
            k = HardSwish(d)
            p = GlobalAveragePool(x)
            q = Conv(p, s)
            g = Relu(q)
            m = Mul(k, g)
            e = Concat<axis=1>(kept, m)
            apart = Reshape(e, groups)
            turned = Transpose<perm=[0,2,1,3,4]>(apart)
            mixed = Reshape(turned, together)
            y = Conv(mixed, last)
        }""",
        {
            "w": weights(12, 3, 3, 3),
            "v": weights(6, 6, 3, 3, seed=1),
            "s": weights(6, 3, 1, 1, seed=2),
            "last": weights(5, 12, 1, 1, seed=3),
            "halves": np.array([6, 6]),
            "groups": np.array([1, 2, 6, 8, 6]),
            "together": np.array([1, 12, 8, 6]),
        },
    ),
    # ShuffleNet's units, and one shuffle whole.
    "shuffled": (
        """g (float[1,3,8,6] x) => (float[1,5,8,6] y) {
            a = Conv<pads=[1,1,1,1]>(x, w)
            b = Conv<pads=[1,1,1,1]>(x, u)
            c = Concat<axis=1>(a, b)
            apart = Reshape(c, groups)
            turned = Transpose<perm=[0,2,1,3,4]>(apart)
            mixed = Reshape(turned, together)
            kept, half = Split<axis=1>(mixed, halves)
            d = Conv<pads=[1,1,1,1]>(half, v)
            e = Concat<axis=1>(kept, d)
            apart2 = Reshape(e, groups)
            turned2 = Transpose<perm=[0,2,1,3,4]>(apart2)
            mixed2 = Reshape(turned2, together)
            y = Conv(mixed2, last)
        }""",
        {
            "w": weights(6, 3, 3, 3),
            "u": weights(6, 3, 3, 3, seed=2),
            "v": weights(6, 6, 3, 3, seed=1),
            "last": weights(5, 12, 1, 1, seed=3),
            "groups": np.array([1, 2, 6, 8, 6]),
            "together": np.array([1, 12, 8, 6]),
            "halves": np.array([6, 6]),
        },
    ),
    # ResNet's first pooling, of values that are not all above zero.
    "padded_pool": (
        """g (float[1,3,16,12] x) => (float[1,16,6,4] y) {
            c = Conv<pads=[1,1,1,1]>(x, w)
            r = LeakyRelu<alpha=0.1>(c)
            p = MaxPool<kernel_shape=[3,3], pads=[1,1,1,1], strides=[2,2]>(r)
            y = Conv(p, v)
        }""",
        {"w": weights(8, 3, 3, 3), "v": weights(16, 8, 3, 3, seed=1)},
    ),
    # YOLOX's first layer.
    "focus": (
        """g (float[1,3,16,12] x) => (float[1,16,6,4] y) {
            a = Slice(x, at00, ends, axes, steps)
            b = Slice(x, at10, ends, axes, steps)
            c = Slice(x, at01, ends, axes, steps)
            d = Slice(x, at11, ends, axes, steps)
            j = Concat<axis=1>(a, b, c, d)
            y = Conv(j, w)
        }""",
        {
            "w": weights(16, 12, 3, 3),
            "axes": np.array([2, 3]),
            "steps": np.array([2, 2]),
            "ends": np.array([2**31 - 1, 2**31 - 1]),
            **{f"at{row}{column}": np.array([row, column]) for row in (0, 1) for column in (0, 1)},
        },
    ),
    "volume": (
        "g (float[1,3,4,6,10] x) => (float[1,8,4,6,10] y) { y = Conv<pads=[1,1,1,1,1,1]>(x, w) }",
        {"w": weights(8, 3, 3, 3, 3)},
    ),
    "mirrored": (
        """g (float[1,3,8,8] x) => (float[1,4,6,6] y) {
            c = Conv(x, w)
            p = Pad<mode="reflect">(c, pads)
            y = Conv(p, v)
        }""",
        {
            "w": weights(4, 3, 3, 3),
            "pads": np.array([0, 0, 1, 1, 0, 0, 1, 1]),
            "v": weights(4, 4, 3, 3),
        },
    ),
    # MatMul and Gemm as there are: the constant in front and behind, one matrix and several, axes
    # turned, weights shared between ops, channels of uneven weights, and no constant at all.
    "products": (
        """g (float[1,7,12] x) => (
            float[7,9] plane, float[1,7,9] rows, float[1,1,7,9] maps, float[1,7,9] positive,
            float[1,9,7] turned, float[1,7,12] back, float[1,7,9] uneven, float[1,7,9] stacked,
            float[5,7,9] several, float[1,9,12] front, float[1,7,7] likeness, float[7,9] gemm,
            float[7,9] gemm_turned, float[12,9] gemm_columns, float[9,12] gemm_front
        ) {
            flat = Reshape(x, flat_shape)
            map = Reshape(x, map_shape)
            plane = MatMul(flat, w)
            rows = MatMul(x, w)
            maps = MatMul(map, w)
            product = MatMul(x, v)
            positive = Relu(product)
            turned = Transpose<perm=[0,2,1]>(product)
            w_turned = Transpose<perm=[1,0]>(w)
            back = MatMul(rows, w_turned)
            uneven = MatMul(x, u)
            stacked = MatMul(x, one)
            several = MatMul(x, five)
            front = MatMul(k, x)
            x_turned = Transpose<perm=[0,2,1]>(x)
            likeness = MatMul(x, x_turned)
            gemm = Gemm(flat, w)
            gemm_turned = Gemm<transB=1, alpha=0.5>(flat, w_rows)
            gemm_columns = Gemm<transA=1>(flat, k_columns)
            gemm_front = Gemm(k, flat)
        }""",
        {
            "flat_shape": np.array([7, 12]),
            "map_shape": np.array([1, 1, 7, 12]),
            "w": weights(12, 9),
            "v": weights(12, 9, seed=1),
            "u": weights(12, 9, seed=2) * np.geomspace(0.01, 1, 9, dtype=np.float32),
            "one": weights(1, 12, 9, seed=3),
            "five": weights(5, 12, 9, seed=4),
            "k": weights(9, 7, seed=5),
            "w_rows": weights(9, 12, seed=6),
            "k_columns": weights(7, 9, seed=7),
        },
    ),
    "upward": (
        """g (float[1,8,8,8] x) => (float[1,4,16,16] y) {
            [up] u = ConvTranspose<kernel_shape=[2,2], strides=[2,2]>(x, w, b)
            j = Concat<axis = 1>(u, u)
            y = Conv(j, v)
        }""",
        {"w": weights(8, 6, 2, 2), "b": 2 * weights(6, seed=1), "v": weights(4, 12, 1, 1, seed=2)},
    ),
    # What TFLite computes in steps of its own, and what it has in float only.
    "normed": (
        """g (float[1,4,16] x) => (float[1,4,8] y) {
            h = LayerNormalization<axis = -1>(x, gamma, beta)
            y = MatMul(h, w)
        }""",
        {"gamma": 1 + weights(16), "beta": weights(16, seed=1), "w": weights(16, 8, seed=2)},
    ),
    "numbered": (
        """g (float[1,4,16] x) => (float[1,8] y) {
            place = ArgMax<axis = 2, keepdims = 0>(x)
            number = Cast<to = 1>(place)
            y = MatMul(number, w)
        }""",
        {"w": weights(4, 8)},
    ),
    "cosine": (
        """g (float[1,4,16] x) => (float[1,4,8] y) {
            h = Cos(x)
            y = MatMul(h, w)
        }""",
        {"w": weights(16, 8)},
    ),
    # Blocks as FastViT has them: two convolutions and a batch normalization take the same tensor.
    "branches": (
        """g (float[1,8,16,16] x) => (float[1,8,16,16] y) {
            a = Relu(x)
            normal = BatchNormalization(a, scale, bias, mean, var)
            mixed = Conv(a, w)
            sum = Add(normal, mixed)
            b = Relu(sum)
            again = BatchNormalization(b, scale, bias, mean, var)
            point = Conv<group=8>(b, p)
            cross = Conv<group=8, pads=[1,1,1,1]>(b, d)
            some = Add(point, again)
            y = Add(some, cross)
        }""",
        {
            "w": weights(8, 8, 1, 1),
            "p": weights(8, 1, 1, 1),
            "d": weights(8, 1, 3, 3),
            "scale": 1 + weights(8, seed=1),
            "bias": weights(8, seed=2),
            "mean": weights(8, seed=3),
            "var": 1 + weights(8, seed=4),
        },
    ),
    # Two channels whose weights are nothing beside their biases, as of classes never trained.
    "dead": (
        """g (float[1,3,16,16] x) => (float[1,8,16,16] y) {
            y = Conv<pads=[1,1,1,1]>(x, w, b)
        }""",
        {
            "w": weights(8, 3, 3, 3)
            * np.array([1, 1, 0, 1, 1, 1e-12, 1, 1], np.float32).reshape(8, 1, 1, 1),
            "b": weights(8) + np.array([0, 0, -4.6, 0, 0, 3, 0, 0], np.float32),
        },
    ),
    # Attention over the cells, the weights of the values behind, as YOLO11 and later write it.
    "attention": (
        """g (float[1,3,16,16] x) => (float[1,8,8,8] y) {
            c = Conv<pads=[1,1,1,1], strides=[2,2]>(x, w)
            flat = Reshape(c, shape)
            query, key, value = Split<axis=1>(flat, parts)
            turned = Transpose<perm=[0,2,1]>(query)
            likeness = MatMul(turned, key)
            attention = Softmax(likeness)
            weights = Transpose<perm=[0,2,1]>(attention)
            mixed = MatMul(value, weights)
            cells = Reshape(mixed, map)
            y = Conv(cells, v)
        }""",
        {
            "w": weights(24, 3, 3, 3),
            "v": weights(8, 8, 1, 1),
            "map": np.array([1, 8, 8, 8]),
            "shape": np.array([1, 24, 64]),
            "parts": np.array([8, 8, 8]),
        },
    ),
    "hard_swish": (
        """g (float[1,3,16,16] x) => (float[1,8,16,16] y) {
            c = Conv<pads=[1,1,1,1]>(x, w, b)
            h = HardSwish(c)
            y = Conv(h, v)
        }""",
        {"w": 3 * weights(8, 3, 3, 3), "b": weights(8), "v": weights(8, 8, 1, 1)},
    ),
    "limits": (
        """g (float[1,3,16,16] x) => (float[1,8,16,16] y) {
            c = Conv<pads=[1,1,1,1]>(x, w, b)
            l = Clip(c, least, most)
            f = Max(l, floor)
            n = Min(f, ceiling)
            t = Tanh(n)
            s = Max(t, floor)
            y = Conv(s, v)
        }""",
        {
            **{"w": 3 * weights(8, 3, 3, 3), "b": weights(8), "v": weights(8, 8, 1, 1)},
            **{"least": np.float32(-1.5), "most": np.float32(2.5)},
            **{"floor": np.float32([-1.0]), "ceiling": np.float32([[2.0]])},
        },
    ),
    # YOLOX's end: onnx2tf drops the transpose.
    "anchors": (
        """g (float[1,3,16,16] x) => (float[1,80,6] y) {
            c = Conv<pads=[1,1,1,1], strides=[2,2]>(x, w)
            r = Relu(c)
            fine = Conv(r, v)
            coarse = Conv<strides=[2,2]>(r, v)
            flat_fine = Reshape(fine, fine_shape)
            flat_coarse = Reshape(coarse, coarse_shape)
            all = Concat<axis=2>(flat_fine, flat_coarse)
            t = Transpose<perm=[0,2,1]>(all)
            y = Sigmoid(t)
        }""",
        {
            "w": weights(12, 3, 3, 3),
            "v": weights(6, 12, 1, 1),
            "fine_shape": np.array([1, 6, 64]),
            "coarse_shape": np.array([1, 6, 16]),
        },
    ),
    # All axes of the outputs are equal, as of a head's 80 classes on 80 x 80 cells: onnx2tf makes
    # NHWC of the first and drops the other's transpose.
    "cube": (
        """g (float[1,3,16,16] x) => (float[1,8,8,8] y, float[1,8,8] z) {
            c = Conv<pads=[1,1,1,1], strides=[2,2]>(x, w)
            y = Relu(c)
            p = MaxPool<kernel_shape=[8,1], strides=[8,1]>(y)
            f = Reshape(p, s)
            z = Transpose<perm=[0,2,1]>(f)
        }""",
        {"w": weights(8, 3, 3, 3), "s": np.array([1, 8, 8])},
    ),
    # The same of the input.
    "cube_in": (
        """g (float[1,8,8,8] x) => (float[1,5,4,4] y) {
            c = Conv<strides=[2,2]>(x, w)
            y = Sigmoid(c)
        }""",
        {"w": weights(5, 8, 2, 2)},
    ),
    # Pixels go in as they are, as in TensorFlow's SSDs.
    "pixels": (
        """g (uint8[1,16,12,3] x) => (float[1,8] y) {
            f = Cast<to=1>(x)
            t = Transpose<perm=[0,3,1,2]>(f)
            c = Conv<pads=[1,1,1,1], strides=[2,2]>(t, w)
            r = Relu(c)
            p = GlobalAveragePool(r)
            y = Flatten(p)
        }""",
        {"w": weights(8, 3, 3, 3)},
    ),
    # The last op has weights: with integer inputs and outputs nothing stays in float.
    "scores": (
        """g (float[1,3,8,8] x) => (float[1,5] y) {
            c = Conv<pads=[1,1,1,1], strides=[2,2]>(x, w)
            r = Relu(c)
            f = Flatten(r)
            y = Gemm<transB=1>(f, v, b)
        }""",
        {"w": weights(8, 3, 3, 3), "v": weights(5, 128), "b": weights(5)},
    ),
    "depthwise": (
        """g (float[1,3,8,10] x) => (float[1,16,8,10] y) {
            c = Conv<pads=[1,1,1,1]>(x, w)
            r = Relu(c)
            y = Conv<pads=[1,1,1,1], group=16>(r, v)
        }""",
        {"w": weights(16, 3, 3, 3), "v": weights(16, 1, 3, 3)},
    ),
    # A pooling and what it is joined with, before the next convolution. MNN 3.6.1 crashes where
    # strides are left out.
    "pooled": (
        """g (float[1,3,16,16] x) => (float[1,6,16,16] y) {
            c = Conv<pads=[1,1,1,1]>(x, w)
            s = Sigmoid(c)
            m = Mul(c, s)
            p = MaxPool<kernel_shape=[3,3], pads=[1,1,1,1], strides=[1,1]>(m)
            q = MaxPool<kernel_shape=[3,3], pads=[1,1,1,1], strides=[1,1]>(p)
            j = Concat<axis=1>(m, p, q)
            y = Conv(j, v)
        }""",
        {"w": weights(8, 3, 3, 3), "v": weights(6, 24, 1, 1)},
    ),
    # As folded batch normalizations leave it: a channel of tiny weights, and large ones behind it.
    "faint": (
        """g (float[1,3,8,8] x) => (float[1,4,8,8] y) {
            c = Conv<pads=[1,1,1,1]>(x, w)
            r = Relu(c)
            y = Conv(r, v)
        }""",
        {"w": weights(8, 3, 3, 3) * 1e-6, "v": weights(4, 8, 1, 1) * 1e6},
    ),
    # Two outputs, one of them after a transposed convolution.
    "upsampled": (
        """g (float[1,3,8,8] x) => (float[1,4,16,17] up, float[1,9,8,8] down) {
            c = Conv<pads=[1,1,1,1]>(x, w)
            r = Relu(c)
            u = ConvTranspose<strides=[2,2], kernel_shape=[2,2]>(r, v)
            z = Sigmoid(u)
            up = Pad(z, pads)
            d = Conv(r, k)
            down = Sigmoid(d)
        }""",
        {
            "w": weights(8, 3, 3, 3),
            "v": weights(8, 4, 2, 2),
            "k": weights(9, 8, 1, 1),
            "pads": np.array([0, 0, 0, 0, 0, 0, 0, 1]),
        },
    ),
}
