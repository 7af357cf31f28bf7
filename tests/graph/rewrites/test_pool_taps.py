import pytest

from mobileq.graph.rewrites.pool_taps import RULE
from tests.graph.rewrites.rewriting import ops, refusal, rewritten, signed

_POOLS = {"MaxPool", "AveragePool", "LpPool"}


@pytest.mark.parametrize("pads", ["0,0,0,0", "1,0,1,1"])
@pytest.mark.parametrize("ceil_mode", [0, 1])
@pytest.mark.parametrize("op", ["MaxPool", "AveragePool"])
def test_dilated_windows_are_slices(op, ceil_mode, pads):
    text = f"""m (float[1,2,9,11] x) => (float[?,?,?,?] y)
        {{ y = {op}<kernel_shape=[2,3], dilations=[2,3], strides=[2,1], pads=[{pads}],
                   ceil_mode={ceil_mode}>(x) }}"""
    x = signed(1, 2, 9, 11) - 4.0
    assert not _POOLS & ops(rewritten(RULE, text, x, opset=19))


@pytest.mark.parametrize("include", [0, 1])
def test_average_counts_its_padding_where_it_is_told_to(include):
    text = f"""m (float[1,1,4,5,6] x) => (float[?,?,?,?,?] y)
        {{ y = AveragePool<kernel_shape=[2,2,2], dilations=[2,2,2], pads=[1,1,1,1,1,1],
                          count_include_pad={include}>(x) }}"""
    rewritten(RULE, text, signed(1, 1, 4, 5, 6), opset=19)


@pytest.mark.parametrize("p", [1, 2, 3])
def test_powers_are_summed(p):
    text = f"""m (float[1,2,6,7] x) => (float[?,?,?,?] y)
        {{ y = LpPool<kernel_shape=[3,2], strides=[2,1], pads=[1,0,0,1], p={p}>(x) }}"""
    assert not _POOLS & ops(rewritten(RULE, text, signed(1, 2, 6, 7), opset=18))


def test_plain_pooling_stays():
    text = """m (float[1,1,6,6] x) => (float[?,?,?,?] y) { y = MaxPool<kernel_shape=[2,2]>(x) }"""
    assert refusal(RULE, text) == "it is not dilated"


def test_indices_stay():
    text = """m (float[1,1,9] x) => (float[?,?,?] y, int64[?,?,?] i)
        { y, i = MaxPool<kernel_shape=[2], dilations=[2]>(x) }"""
    assert refusal(RULE, text) == "it gives indices too"
