import numpy as np
import pytest

from mobileq.graph.rewrites.dft import RULE
from tests.graph.rewrites.rewriting import ops, rewritten, signed

ATOL = 5e-5
"""ONNX Runtime's own error, of sums up to 20; where they are 0 it gives 4e-6."""


@pytest.mark.parametrize(
    ("parts", "attributes", "given"),
    [
        (1, "axis=1", 10),
        (2, "axis=1", 10),
        (1, "axis=2", 7),
        (2, "axis=2", 7),
        (1, "axis=1, onesided=1", 6),
        (1, "axis=2, inverse=1", 7),
        (2, "axis=2, inverse=1", 7),
    ],
)
def test_transform_along_an_axis(parts, attributes, given):
    counts = {10: "3,10,7", 7: "3,10,7", 6: "3,6,7"}[given]
    text = f"m (float[3,10,7,{parts}] x) => (float[{counts},2] y) {{ y = DFT<{attributes}>(x) }}"
    assert ops(rewritten(RULE, text, signed(3, 10, 7, parts), atol=ATOL)) <= {
        "Transpose", "Reshape", "MatMul",
    }  # fmt: skip


@pytest.mark.parametrize("length", [4, 16])
def test_shorter_and_longer_transform(length):
    text = (
        f"m (float[2,10,1] x) => (float[2,{length},2] y) <int64 n = {{{length}}}>"
        "{ y = DFT<axis=1>(x, n) }"
    )
    assert "DFT" not in ops(rewritten(RULE, text, signed(2, 10, 1), atol=ATOL))


@pytest.mark.parametrize("onesided", [0, 1])
def test_frames_with_a_window(onesided):
    count = 9 if onesided else 16
    text = (
        f"m (float[2,60,1] x, float[16] w) => (float[2,6,{count},2] y) <int64 s = {{8}}>"
        f"{{ y = STFT<onesided={onesided}>(x, s, w) }}"
    )
    window = np.hanning(16).astype(np.float32)
    assert "STFT" not in ops(rewritten(RULE, text, signed(2, 60, 1), window, atol=ATOL))
