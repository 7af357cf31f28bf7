"""Applies rules to a model until none matches."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from mobileq.graph.prune import prune
from mobileq.graph.rewrites.rule import Editing, Rule
from mobileq.graph.shapes import infer_shapes

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

_MOST_ROUNDS = 12
"""A rule may give what another one takes; more rounds than this are two that undo each other."""


def apply_rules(model: ModelProto, rules: Sequence[Rule]) -> ModelProto:
    """A copy in which no rule matches any more; the model itself where none ever did.

    Args:
        model: With static input shapes, and shapes inferred.
    """
    for _ in range(_MOST_ROUNDS):
        changed = _round(model, rules)
        if changed is None:
            break
        model = changed
    return model


def unmatched(model: ModelProto, rules: Iterable[Rule]) -> dict[str, str]:
    """{`rule, node`: why the rule does not match it}, of rules that know the node's operator."""
    found = {}
    for rule in rules:
        for node in model.graph.node:
            if _is_of(rule, node):
                reason = rule.apply(node, Editing(model))
                if reason is not None:
                    found[f"{rule.name}, {node.name or node.output[0]}"] = reason
    return found


def _is_of(rule: Rule, node: NodeProto) -> bool:
    return node.op_type in rule.ops and node.domain in ("", "ai.onnx")


def _round(model: ModelProto, rules: Sequence[Rule]) -> ModelProto | None:
    """Every node rewritten once by the first rule that matches, or None where none does."""
    from onnx import ModelProto

    edit = Editing(model)
    matched = False
    for node in model.graph.node:
        done = next((True for rule in rules if _is_of(rule, node) and _applied(rule, node, edit)),
                    False)  # fmt: skip
        matched |= done
        if not done:
            edit.nodes.append(node)
    if not matched:
        return None
    changed = ModelProto()
    changed.CopyFrom(model)
    del changed.graph.node[:]
    changed.graph.node.extend(edit.nodes)
    changed.graph.initializer.extend(edit.initializers)
    prune(changed.graph)
    return infer_shapes(changed)


def _applied(rule: Rule, node: NodeProto, edit: Editing) -> bool:
    before = len(edit.nodes), len(edit.initializers)
    matched = rule.apply(node, edit) is None
    assert matched or before == (len(edit.nodes), len(edit.initializers)), rule.name
    return matched
