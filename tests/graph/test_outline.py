from __future__ import annotations

import re
import subprocess
import sys

import pytest
from onnx import parser

from mobileq.errors import InputError
from mobileq.graph.outline import (
    all_nodes,
    attribute,
    constants,
    consumers,
    guess_layout,
    op_counts,
    opset,
    producers,
    tensor_specs,
)
from mobileq.spec import Layout, TensorSpec

from .builders import model_of, small_model


def test_producers_and_consumers_name_the_nodes() -> None:
    graph = small_model().graph
    assert {name: node.op_type for name, node in producers(graph).items()} == {
        "c": "Conv",
        "k": "Constant",
        "y": "Mul",
    }
    readers = {name: [node.op_type for node in nodes] for name, nodes in consumers(graph).items()}
    assert readers == {"x": ["Conv"], "w": ["Conv"], "c": ["Mul"], "k": ["Mul"]}


def test_node_that_reads_a_tensor_twice_is_one_consumer() -> None:
    graph = model_of("g (float[3] x) => (float[3] y) { y = Mul(x, x) }").graph
    assert len(consumers(graph)["x"]) == 1


def test_op_counts_enter_subgraphs_and_are_sorted() -> None:
    model = model_of(
        """g (bool b, float[3] x) => (float[3] y) {
            r = Relu(x)
            y = If (b) <then_branch = t () => (float[3] p) { p = Relu(r) },
                        else_branch = e () => (float[3] q) { q = Abs(r) }>
        }"""
    )
    assert list(op_counts(model).items()) == [("Abs", 1), ("If", 1), ("Relu", 2)]
    assert [node.op_type for node in all_nodes(model)] == ["Relu", "If", "Relu", "Abs"]


def test_constants_are_initializers_and_constant_nodes() -> None:
    values = constants(small_model().graph)
    assert values["k"].tolist() == [3.0]
    assert values["w"].shape == (4, 3, 1, 1)


def test_opset_counts_both_names_of_the_standard_domain() -> None:
    assert opset(small_model(opset=13)) == 13
    model = small_model()
    model.opset_import[0].domain = "ai.onnx"
    assert opset(model) == 17


def test_attribute_is_none_where_missing() -> None:
    node = small_model().graph.node[0]
    assert attribute(node, "axis") is None
    found = attribute(node, "value")
    assert found is not None
    assert found.name == "value"


@pytest.mark.parametrize(
    ("shape", "layout"),
    [
        ((1, 3, 640, 640), "NCHW"),
        ((1, 300, 300, 3), "NHWC"),
        ((1, 1, 28, 28), "NCHW"),
        ((1, 3, 8, 3), None),
        ((1, 8, 8, 8), None),
        ((1, 3, 8), None),
    ],
)
def test_layout_is_told_by_the_channels(shape: tuple[int, ...], layout: Layout | None) -> None:
    assert guess_layout(shape) == layout


def test_tensor_specs_have_numpy_dtypes_and_minus_one_for_dynamic() -> None:
    model = model_of(
        """g (uint8[1,8,8,3] x, float16[4] h) => (int64[1,N] y, float16[4] z) {
            f = Cast<to = 1>(x)
            y4 = NonZero(f)
            y = Identity(y4)
            z = Identity(h)
        }"""
    )
    assert tensor_specs(model) == (
        (
            TensorSpec(name="x", shape=(1, 8, 8, 3), dtype="uint8", layout="NHWC"),
            TensorSpec(name="h", shape=(4,), dtype="float16"),
        ),
        (
            TensorSpec(name="y", shape=(1, -1), dtype="int64"),
            TensorSpec(name="z", shape=(4,), dtype="float16"),
        ),
    )


def test_output_of_unknown_rank_is_an_input_error() -> None:
    model = small_model()
    model.graph.output[0].type.tensor_type.ClearField("shape")
    with pytest.raises(InputError, match="output 'y' is not known"):
        tensor_specs(model)


def test_unknown_element_type_is_an_input_error() -> None:
    model = small_model()
    model.graph.input[0].type.tensor_type.elem_type = 99
    with pytest.raises(InputError, match=r"'x', taken by .* type that is not known \(99\)"):
        tensor_specs(model)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "m (optional(float[3]) x) => (bool y) { y = OptionalHasElement(x) }",
            "input 'x', taken by OptionalHasElement (the node that gives 'y'), may be missing (an"
            " optional); runtimes of phones",
        ),
        (
            "m (float[4] x) => (seq(float[2]) y) { [splitting] y = SplitToSequence(x) }",
            "output 'y', made by SplitToSequence (node 'splitting'), is a list (a sequence);",
        ),
    ],
)
def test_what_is_no_tensor_is_told_with_its_operator(text: str, said: str) -> None:
    model = parser.parse_model(f'<ir_version: 8, opset_import: ["": 18]> {text}')
    with pytest.raises(InputError, match=re.escape(said)):
        tensor_specs(model)


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = (
        "import sys, mobileq.preparation.prepare, mobileq.preparation.recognise\n"
        "heavy = {'onnx', 'onnxslim', 'onnxruntime', 'numpy', 'yaml'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr == ""
