"""Roots that have integer kernels, for normalizations in integers.

LiteRT 2.1.2 has integers for RSQRT, and none for SQRT and for a division by what it gives.
Its RSQRT of 16 bits interpolates between 513 roots and is up to 13 % off where v is small; one step
of Newton's, r (3 - v r^2) / 2, squares that error.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mobileq.targets.tflite import contents, editing
from mobileq.targets.tflite.normalizations import find_normalizations
from mobileq.targets.tflite.wiring import Wiring


def take_roots(model: Any) -> bool:
    """Turn 1 / SQRT(v) and c / SQRT(v) of a float file into RSQRT(v) and c RSQRT(v).

    Returns:
        Whether there was any.
    """
    from ai_edge_litert import schema_py_generated as schema

    graph, changed = Wiring(model), False
    for op in contents.ops_of(model, "SQRT"):
        root = int(op.outputs[0])
        takers = graph.takers(root)
        if not takers or root in map(int, model.subgraphs[0].outputs):
            continue
        if any(graph.kind(taker) != "DIV" or int(taker.inputs[1]) != root for taker in takers):
            continue
        op.opcodeIndex = editing.opcode_index(model, "RSQRT")
        op.builtinOptionsType, op.builtinOptions = schema.BuiltinOptions.NONE, None
        inverses = [taker for taker in takers if _is_one(graph, taker.inputs[0])]
        for taker in takers:
            if taker not in inverses:
                taker.opcodeIndex = editing.opcode_index(model, "MUL")
                taker.builtinOptionsType = schema.BuiltinOptions.MulOptions
                taker.builtinOptions = schema.MulOptionsT()
        if len(inverses) == len(takers) == 1:
            op.outputs = list(map(int, inverses[0].outputs))
            graph.ops.remove(inverses[0])
        changed = True
    return changed


def take_refined_roots(model: Any) -> bool:
    """`take_roots`, and a step of Newton's behind that of each normalization."""
    changed = take_roots(model)
    if changed:
        _refine_roots(model)
    return changed


def _is_one(wiring: Wiring, index: Any) -> bool:
    value = wiring.constant(index)
    return value is not None and bool((value == 1).all())


def _refine_roots(model: Any) -> None:
    """Put a step of Newton's behind the root of each normalization of a float file."""
    graph = model.subgraphs[0]
    for each in find_normalizations(model):
        product = next(op for op in graph.operators if int(op.outputs[0]) == each.normalized)
        root = each.inverse
        scaled = _insert(model, product, "MUL", each.raised, root, like=root)
        likeness = _insert(model, product, "MUL", scaled, root, like=root)
        half = _insert(model, product, "MUL", likeness, -0.5, like=root)
        correction = _insert(model, product, "ADD", half, 1.5, like=root)
        refined = _insert(model, product, "MUL", root, correction, like=root)
        product.inputs = [refined if index == root else index for index in map(int, product.inputs)]


def _insert(model: Any, before: Any, kind: str, first: int, second: int | float, like: int) -> int:
    """An op on floats of a tensor by another or by a number; gives the index of what it makes."""
    graph = model.subgraphs[0]
    shape, name = graph.tensors[like].shape, graph.tensors[first].name + b"/newton"
    if isinstance(second, float):
        value = np.array([second], np.float32)
        second = editing.add_constant(model, name + b"/constant", value)
    made = editing.float_tensor(name, shape)
    return editing.insert_op(model, before, kind, [first, second], made)
