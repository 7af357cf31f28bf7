import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.graph.builders import ints
from tests.graph.gradients.finite_differences import check_text

STEPS = st.tuples(st.integers(-7, 6), st.integers(-7, 7), st.sampled_from([-2, -1, 1, 2, 3]))


def squared(shape: str, body: str, rank: int) -> str:
    """The gradient of a sum of squares is of the values."""
    unknown = ",".join("?" * rank)
    return f"m (float[{shape}] x) => (float[{unknown}] y) {{ {body} y = Mul(z, z) }}"


@pytest.mark.parametrize(
    ("body", "rank"),
    [
        ("z = Reshape(x, s)", 2),
        ("z = Flatten<axis = 2>(x)", 2),
        ("z = Squeeze(x, axes)", 3),
        ("z = Unsqueeze(x, axes)", 5),
        ("z = Transpose(x)", 4),
        ("z = Transpose<perm = [2, 0, 3, 1]>(x)", 4),
        ("z = Concat<axis = -1>(x, x)", 4),
        ("t = Tanh(x) z = Concat<axis = 1>(x, t, c, x)", 4),
        ("z = Tile(x, repeats)", 4),
        ("z = CumSum(x, one)", 4),
        ("z = CumSum<exclusive = 1, reverse = 1>(x, one)", 4),
        ("a, z = Split<axis = 3>(x, parts)", 4),
        ("a, z, b = Split<axis = 1, num_outputs = 3>(x)", 4),
        ("a, b, c2 = Split<axis = -1, num_outputs = 3>(x) z = Concat<axis = 2>(c2, a)", 4),
    ],
)
def test_what_moves_all_values(body, rank):
    weights = {
        "s": ints(6, -1), "axes": ints(0), "repeats": ints(2, 1, 3, 1), "one": ints(1),
        "parts": ints(2, 4), "c": np.ones((1, 1, 4, 6), np.float32),
    }  # fmt: skip
    used = {name: value for name, value in weights.items() if name in body}
    check_text(squared("1,3,4,6", body, rank), used, opset=18)


@pytest.mark.parametrize(
    "body",
    ["z = DepthToSpace<blocksize = 2>(x)", 'z = DepthToSpace<blocksize = 2, mode = "CRD">(x)',
     "z = SpaceToDepth<blocksize = 2>(x)"],
)  # fmt: skip
def test_blocks(body):
    check_text(squared("2,8,2,4", body, 4))


@given(st.lists(STEPS, min_size=1, max_size=2), st.booleans())
def test_slices(steps, backwards):
    shape = (2, 5, 7)
    axes = [2, 1][: len(steps)]
    for at, (start, end, step) in enumerate(steps):
        if not len(range(shape[axes[at]])[slice(start, end, step)]):
            steps[at] = (0, 4, 1)
    starts, ends, strides = zip(*steps, strict=True)
    weights = {
        "s": ints(*starts), "e": ints(*ends), "t": ints(*strides),
        "a": ints(*(axis - 3 if backwards else axis for axis in axes)),
    }  # fmt: skip
    check_text(squared("2,5,7", "z = Slice(x, s, e, a, t)", 3), weights)


@pytest.mark.parametrize("stride", [1, -1])
def test_slice_to_the_very_end(stride):
    end = 2**62 * stride
    weights = {"s": ints(2), "e": ints(end), "a": ints(1), "t": ints(stride)}
    check_text(squared("2,5", "z = Slice(x, s, e, a, t)", 2), weights)


@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("indices", [1, [2, 0], [[0, -1], [1, 1]], [2, 2, 2]])
@pytest.mark.parametrize("computed", [False, True])
def test_gathered(axis, indices, computed):
    rank = 2 + np.ndim(indices)
    source = "j" if computed else "i"
    extra = ", int64 o" if computed else ""
    add = "j = Add(i, o)" if computed else ""
    unknown = ",".join("?" * rank)
    text = f"""m (float[3,4,3] x{extra}) => (float[{unknown}] y) {{
        {add} z = Gather<axis = {axis}>(x, {source}) y = Mul(z, z) }}"""
    check_text(text, {"i": np.array(indices, np.int64)})


def test_gathered_elements():
    text = """m (float[2,4] x) => (float[2,3] y) {
        z = GatherElements<axis = 1>(x, i) y = Mul(z, z) }"""
    check_text(text, {"i": np.array([[0, 0, 3], [-1, 2, 2]])})


@pytest.mark.parametrize("axis", [0, 1])
def test_largest(axis):
    text = f"""m (float[4,5] x) => (float[?,?] y) {{
        z, i = TopK<axis = {axis}>(x, k) y = Mul(z, z) }}"""
    check_text(text, {"k": ints(3)}, step=1e-3)


@pytest.mark.parametrize("mode", ["constant", "reflect", "edge", "wrap"])
@pytest.mark.parametrize("axes", [(), (3, 1)])
def test_padded(mode, axes):
    pads = ints(1, 2, 3, 1) if axes else ints(0, 1, 2, 0, 0, 0, 1, 3)
    weights = {"p": pads, "v": np.float32(2), **({"a": ints(*axes)} if axes else {})}
    inputs = "x, p, v, a" if axes else "x, p, v"
    body = f'z = Pad<mode = "{mode}">({inputs})'
    check_text(squared("2,4,5,6", body, 4), weights, opset=19)


def test_negative_pads():
    body = "z = Pad(x, p)"
    check_text(squared("2,4,5", body, 3), {"p": ints(0, -1, 2, 0, 2, -3)})


@pytest.mark.parametrize("padding", ["zeros", "border"])
@pytest.mark.parametrize("aligned", [0, 1])
def test_values_between_pixels_go_back_to_the_pixels_and_to_their_place(padding, aligned):
    """The places, some beyond the edges, are between the same pixels before and after a step."""
    options = f'mode = "bilinear", padding_mode = "{padding}", align_corners = {aligned}'
    text = f"""m (float[2,3,5,6] x, float[2,4,3,2] g) => (float[2,3,4,3] y) {{
        moved = Mul(g, spread) where = Add(moved, places)
        z = GridSample<{options}>(x, where) y = Mul(z, z) }}"""
    pixels = np.random.default_rng(2).integers(-2, 6, (2, 4, 3, 2)) + 0.5
    sizes = np.array([6, 5])
    places = pixels * 2 / (sizes - 1) - 1 if aligned else (pixels * 2 + 1) / sizes - 1
    spread = np.array(0.05, np.float32)
    check_text(text, {"spread": spread, "places": places.astype(np.float32)}, opset=16)
