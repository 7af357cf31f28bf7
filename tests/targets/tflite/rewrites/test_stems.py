"""Strided convolutions of few channels become convolutions of blocks, and give the same bytes."""

from __future__ import annotations

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mobileq.targets.tflite import editing
from mobileq.targets.tflite.rewrites.padding import spell_out_same
from mobileq.targets.tflite.rewrites.stems import convolve_blocks

from ...tiny import sqnr_db
from .one_convolution import Convolution, kinds, run

zeros = st.tuples(st.integers(0, 5), st.integers(0, 5))
convolutions = st.builds(
    Convolution,
    size=st.tuples(st.integers(1, 8), st.integers(1, 8)).map(lambda each: (2 * each[0], each[1])),
    channels=st.integers(1, 5),
    kernel=st.tuples(st.integers(1, 8), st.integers(1, 8)),
    stride=st.sampled_from((1, 2, 2, 2, 3, 4)),
    zeros=st.none() | st.tuples(zeros, zeros),
)


@settings(max_examples=150, deadline=None)
@given(convolutions, st.booleans())
def test_result_is_the_same_to_the_byte(convolution, plainly):
    scaled = tuple(size * convolution.stride for size in convolution.size)
    convolution = Convolution(**{**vars(convolution), "size": scaled})
    assume(min(convolution.result_size) > 0)
    model = convolution.file()
    spell_out_same(model)  # without it XNNPACK's are wrong
    wanted = run(model, plainly=plainly)
    convolve_blocks(model)
    np.testing.assert_array_equal(run(model, plainly=plainly), wanted)


@pytest.mark.parametrize(
    ("convolution", "wanted", "kernel"),
    [
        # YOLOv5's first layer, ResNet's, a grey picture's, patches of a transformer.
        (Convolution((8, 16), 3, (6, 6), 2, ((2, 2), (2, 2))), "SPC", [3, 3, 3, 12]),
        (Convolution((8, 16), 3, (6, 6), 2, None), "SPC", [3, 3, 3, 12]),
        (Convolution((8, 16), 3, (7, 7), 2, ((3, 3), (3, 3))), "SPC", [3, 4, 4, 12]),
        (Convolution((8, 16), 1, (3, 3), 2, ((1, 1), (1, 1))), "SPC", [3, 2, 2, 4]),
        (Convolution((8, 16), 3, (4, 4), 4), "SC", [3, 1, 1, 48]),
        # A third more products with ARM's dot products; no whole blocks; many channels; no stride.
        (Convolution((8, 16), 3, (3, 3), 2, ((1, 1), (1, 1))), "PC", [3, 3, 3, 3]),
        (Convolution((9, 16), 3, (6, 6), 2, ((2, 2), (2, 2))), "PC", [3, 6, 6, 3]),
        (Convolution((8, 16), 8, (6, 6), 2, ((2, 2), (2, 2))), "PC", [3, 6, 6, 8]),
        (Convolution((8, 16), 3, (6, 6), 1), "C", [3, 6, 6, 3]),
    ],
)
def test_blocks_are_taken_where_they_save_work(convolution, wanted, kernel):
    model = convolution.file()
    convolve_blocks(model)
    assert "".join(kind[0] for kind in kinds(model)) == wanted
    weights = next(t for t in model.subgraphs[0].tensors if t.name == b"w")
    assert list(weights.shape) == kernel


def test_weights_of_two_convolutions_stay():
    model = Convolution((8, 16), 3, (6, 6), 2).file()
    graph = model.subgraphs[0]
    second = schema.OperatorT()
    vars(second).update(vars(graph.operators[0]))
    result = editing.int8_tensor(b"z", graph.tensors[1].shape, 0.05, 5)
    second.outputs = [editing.add_tensor(model, result)]
    graph.operators.append(second)
    convolve_blocks(model)
    assert kinds(model) == ["CONV_2D"] * 2


@pytest.mark.parametrize(
    ("precision", "io"), [("int8", "float32"), ("int8-full", "uint8"), ("dynamic", "float32")]
)
def test_converted_file_takes_blocks(convert, precision, io):
    file = convert("stem", precision, io)
    assert sum(count for op, count in file.converted.ops.items() if "SPACE_TO_DEPTH" in op) == 1
    assert sqnr_db(file.model.wanted["y"], file.run()["y"]) > 30.0


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int16x8"])
def test_other_kernels_get_the_convolution_as_it_is(convert, precision):
    assert not any("SPACE_TO_DEPTH" in op for op in convert("stem", precision).converted.ops)
