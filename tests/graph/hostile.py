"""Models that run without end, or unfold into gigabytes."""

from __future__ import annotations

import numpy as np
from onnx import ModelProto

from .builders import conv_weights, ints, model_of


def endless(shape: str = "1") -> ModelProto:
    """Runs for hours, in little memory."""
    return model_of(
        f"""g (float[{shape}] x) => (float[{shape}] y) {{
            y = Loop (count, yes, x) <body = step (int64 i, bool going, float[{shape}] a)
                => (bool on, float[{shape}] b) {{ on = Identity(going) b = Neg(a) }}>
        }}""",
        {"count": ints(2**40)[0], "yes": np.array(True)},
    )


def unfolding(values: int) -> ModelProto:
    """A file of some bytes that computes on a tensor of so many values."""
    return model_of(
        """g (float[1,3,8,8] x) => (float[1,3,8,8] y) {
            big = Expand(x, shape)
            mean = ReduceMean<axes = [0], keepdims = 0>(big)
            y = Add(x, mean)
        }""",
        {"shape": ints(values // 192, 3, 8, 8)},
    )


def lingering() -> ModelProto:
    """Runs at once on inputs below 100, and on others for hours."""
    return model_of(
        """g (float[1,3,8,8] x) => (float[1,16,8,8] y) {
            most = ReduceMax<keepdims = 0>(x)
            hundreds = Div(most, hundred)
            whole = Floor(hundreds)
            more = Cast<to = 7>(whole)
            count = Mul(more, repeats)
            c = Conv(x, w)
            y = Loop(count, yes, c) <body = step (int64 i, bool going, float[1,16,8,8] a)
                => (bool on, float[1,16,8,8] b) { on = Identity(going) b = Neg(a) }>
        }""",
        {
            "hundred": np.array(100, np.float32),
            "repeats": ints(2**40)[0],
            "yes": np.array(True),
            "w": conv_weights(16),
        },
    )


def swelling() -> ModelProto:
    """Runs in little memory on inputs below 100, and on others in 10 GB for each hundred."""
    return model_of(
        """g (float[1,3,8,8] x) => (float[1,16,8,8] y) {
            most = ReduceMax<keepdims = 0>(x)
            hundreds = Div(most, hundred)
            whole = Floor(hundreds)
            more = Cast<to = 7>(whole)
            times = Mul(more, many)
            count = Add(times, one)
            shape = Concat<axis = 0>(count, rest)
            c = Conv(x, w)
            big = Expand(c, shape)
            y = ReduceMean<axes = [0]>(big)
        }""",
        {
            "hundred": np.array(100, np.float32),
            "many": ints(2_500_000),
            "one": ints(1),
            "rest": ints(16, 8, 8),
            "w": conv_weights(16),
        },
    )


def slow_to_load(products: int = 200) -> ModelProto:
    """Whose constants take minutes to fold, which happens where the model is loaded."""
    side = 3000
    chain = "".join(f"m{at + 1} = MatMul(m{at}, m0) " for at in range(products))
    return model_of(
        f"""g (float[{side}] x) => (float[{side}] y) {{
            m0 = Expand(one, shape) {chain} y = MatMul(x, m{products})
        }}""",
        {"one": np.array([1 / side], np.float32), "shape": ints(side, side)},
    )
