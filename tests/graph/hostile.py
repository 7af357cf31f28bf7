"""Models that run without end, or unfold into gigabytes."""

from __future__ import annotations

import numpy as np
from onnx import ModelProto

from .builders import ints, model_of


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
