from __future__ import annotations

from collections import Counter

import onnx
from onnx import parser

from mobileq.preparation.prepare import PreparedModel
from mobileq.quantize.groups import OpGroup, find_groups


def _model(text: str) -> onnx.ModelProto:
    return parser.parse_model(f'<ir_version: 8, opset_import: ["": 17]>\n{text}')


def test_convolution_and_its_silu_of_two_nodes_are_one_group(
    demo: PreparedModel, groups: tuple[OpGroup, ...]
) -> None:
    silus = [group for group in groups if "SiLU" in group.op_type]
    # One more sigmoid is in the graph: that of the class scores, which is part of the decoding.
    assert len(silus) == sum(node.op_type == "Sigmoid" for node in demo.model.graph.node) - 1
    assert {group.op_type for group in silus} == {"Conv + SiLU"}
    assert all(len(group.nodes) == len(group.tensors) == 3 for group in silus)
    assert all(group.name == group.tensors[-1] and group.weights for group in silus)


def test_every_convolution_before_the_decoding_is_a_group(
    demo: PreparedModel, groups: tuple[OpGroup, ...]
) -> None:
    convolutions = Counter(group.kind for group in groups)["convolution"]
    # One more is in the graph: the DFL's sum over 16 bins, which is part of the decoding.
    assert convolutions == sum(node.op_type == "Conv" for node in demo.model.graph.node) - 1


def test_the_decoding_is_in_no_group(demo: PreparedModel, groups: tuple[OpGroup, ...]) -> None:
    grouped = {demo.model.graph.node[at].op_type for group in groups for at in group.nodes}
    assert not grouped & {"Softmax", "Div", "Sub"}
    assert "output0" not in {name for group in groups for name in group.tensors}


def test_sigmoid_that_is_used_twice_is_not_fused() -> None:
    weights = ",".join(["0.5"] * 64)
    model = _model(
        f"""g (float[1,8,4,4] x) => (float[1,8,4,4] y)
        <float[8,8,1,1] w = {{{weights}}}, float[8,8,1,1] v = {{{weights}}}> {{
            c = Conv(x, w)
            s = Sigmoid(c)
            m = Mul(c, s)
            a = Add(m, s)
            y = Conv(a, v)
        }}"""
    )
    assert [group.op_type for group in find_groups(model)] == [
        "Conv",
        "Sigmoid",
        "Mul",
        "Add",
        "Conv",
    ]


def test_ops_that_move_values_have_no_group(groups: tuple[OpGroup, ...]) -> None:
    types = {group.op_type for group in groups}
    assert not types & {"Reshape", "Transpose", "Slice", "Split", "MaxPool"}


def test_activation_functions_are_joined_to_their_convolution() -> None:
    weights = ",".join(["0.5"] * 64)
    for function in ("Relu", "Selu", "Celu", "Softsign", "ThresholdedRelu", "LogSoftmax"):
        model = _model(
            f"""g (float[1,8,4,4] x) => (float[1,8,4,4] y)
            <float[8,8,1,1] w = {{{weights}}}, float[8,8,1,1] v = {{{weights}}}> {{
                c = Conv(x, w)
                a = {function}(c)
                y = Conv(a, v)
            }}"""
        )
        assert [group.op_type for group in find_groups(model)] == [f"Conv + {function}", "Conv"]


def test_ops_that_select_values_have_no_group() -> None:
    weights = ",".join(["0.5"] * 64)
    model = _model(
        f"""g (float[1,8,4,4] x) => (float[1,8,1,1] y)
        <float[8,8,1,1] w = {{{weights}}}, float[8,8,1,1] v = {{{weights}}},
         int64[1,3] at = {{0, 1, 2}}> {{
            c = Conv(x, w)
            m = GlobalMaxPool(c)
            n = GatherND(c, at)
            o = Add(m, n)
            y = Conv(o, v)
        }}"""
    )
    assert [group.op_type for group in find_groups(model)] == ["Conv", "Add", "Conv"]
