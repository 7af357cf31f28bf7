import numpy as np

from mobileq.graph.rewrites.whole_power import RULE
from tests.graph.rewrites.rewriting import refusal, rewritten


def test_whole_powers_are_whole():
    text = "m (int64[5] x, int64[5] e) => (int64[5] y) { y = Pow(x, e) }"
    base = np.array([3, -3, 7, 10, 0], np.int64)
    rewritten(RULE, text, base, np.array([2, 3, 5, 5, 1], np.int64))


def test_fractions_are_cut_off():
    text = "m (int32[3] x, float[3] e) => (int32[3] y) { y = Pow(x, e) }"
    exponents = np.array([0.5, 1.5, 2.0], np.float32)
    rewritten(RULE, text, np.array([2, 3, 9], np.int32), exponents)


def test_floats_stay():
    text = "m (float[3] x, float[3] e) => (float[3] y) { y = Pow(x, e) }"
    assert refusal(RULE, text) == "its base is no whole number"
