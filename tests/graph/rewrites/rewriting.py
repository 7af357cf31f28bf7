"""What every rule is held to: it leaves no node that it matches, and the numbers stay."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
from onnx import parser

from mobileq.graph.rewrites.engine import apply_rules, unmatched
from mobileq.graph.rewrites.rule import Rule
from mobileq.graph.shapes import infer_shapes
from mobileq.graph.trial_run import run

HEADER = '<ir_version: 8, opset_import: ["": {opset}]>\n'


def parsed(text: str, opset: int = 17) -> onnx.ModelProto:
    return infer_shapes(parser.parse_model(HEADER.format(opset=opset) + text))


def rewritten(
    rule: Rule, text: str, *inputs: np.ndarray, opset: int = 17, atol: float = 1e-6
) -> onnx.ModelProto:
    """The model after the rule, which gives what it gave before on the inputs."""
    model = parsed(text, opset)
    result = apply_rules(model, [rule])
    assert result is not model, unmatched(model, [rule])
    onnx.checker.check_model(result, full_check=True)
    names = [value.name for value in model.graph.input]
    feeds = dict(zip(names, inputs, strict=True))
    before, after = run(model, feeds), run(result, feeds)
    assert before.keys() == after.keys()
    for name, wanted in before.items():
        assert after[name].dtype == wanted.dtype
        np.testing.assert_allclose(after[name], wanted, rtol=1e-5, atol=atol)
    return result


def ops(model: onnx.ModelProto) -> set[str]:
    return {node.op_type for node in model.graph.node}


def refusal(rule: Rule, text: str, opset: int = 17) -> str:
    """Why the rule leaves the model's one node alone."""
    model = parsed(text, opset)
    assert apply_rules(model, [rule]) is model
    (reason,) = unmatched(model, [rule]).values()
    return reason


def signed(*shape: int, scale: float = 3.0) -> np.ndarray:
    """Values of both signs, with zeros and ties."""
    numbers = np.random.default_rng(7).normal(0.0, scale, shape).astype(np.float32)
    numbers.reshape(-1)[::5] = 0.0
    numbers.reshape(-1)[1::7] = 1.5
    return numbers


def whole(dtype: str, low: int, high: int, shape: Sequence[int]) -> np.ndarray:
    return np.random.default_rng(7).integers(low, high, shape).astype(dtype)
