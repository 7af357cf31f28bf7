from __future__ import annotations

import pytest

from mobileq.errors import InputError
from mobileq.graph.foreign_ops import ForeignOp, foreign_ops, require_standard_ops

from .builders import model_of, small_model


def one_op(domain: str, op_type: str) -> object:
    return model_of(
        f"g (float[3] x) => (float[3] y) {{ [last] y = {domain}.{op_type}(x) }}",
        domains=f', "{domain}" : 1',
    )


def test_standard_model_has_none() -> None:
    assert foreign_ops(small_model()) == ()
    assert require_standard_ops(small_model()) == ()


def test_custom_operator_is_listed_and_refused() -> None:
    model = one_op("TRT", "EfficientNMS_TRT")
    op = ForeignOp(
        label="node 'last'", op_type="EfficientNMS_TRT", domain="TRT", runtime_only=False
    )
    assert foreign_ops(model) == (op,)
    with pytest.raises(InputError, match=r"TRT::EfficientNMS_TRT \(node 'last'\)") as caught:
        require_standard_ops(model)
    assert "Export the model again without it" in caught.value.hint


def test_operator_of_onnx_runtime_is_a_notice() -> None:
    model = one_op("com.microsoft", "Gelu")
    assert foreign_ops(model)[0].runtime_only
    assert ["com.microsoft::Gelu" in notice for notice in require_standard_ops(model)] == [True]


def test_operator_in_a_subgraph_is_found() -> None:
    model = model_of(
        """g (bool b, float[3] x) => (float[3] y) {
            y = If (b) <then_branch = t () => (float[3] p) { p = acme.Twist(x) },
                        else_branch = e () => (float[3] q) { q = Abs(x) }>
        }""",
        domains=', "acme" : 1',
    )
    assert [op.op_type for op in foreign_ops(model)] == ["Twist"]


def test_function_of_the_model_itself_is_not_foreign() -> None:
    model = model_of(
        """g (float[3] x) => (float[3] y) { y = own.Double(x) }
        <domain: "own", opset_import: ["" : 17]>
        Double (a) => (b) { b = Add(a, a) }""",
        domains=', "own" : 1',
    )
    assert foreign_ops(model) == ()
