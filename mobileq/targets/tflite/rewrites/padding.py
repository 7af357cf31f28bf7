"""What convolutions are padded with: PAD ops, and the padding SAME."""

from __future__ import annotations

from typing import Any

from mobileq.targets.tflite import contents, editing


def spell_out_same(model: Any) -> bool:
    """Pad convolutions by a PAD where SAME goes wrong.

    XNNPACK (LiteRT 2.1.2) takes the rows that a kernel shorter than its stride leaves over at the
    end for an enormous number of zeros at both ends: the result is the bias everywhere.

    Returns:
        Whether there was any.
    """
    from ai_edge_litert import schema_py_generated as schema

    changed = False
    for op in contents.ops_of(model, "CONV_2D", "DEPTHWISE_CONV_2D"):
        if op.builtinOptions.padding != schema.Padding.SAME:
            continue
        missing = same_zeros(model, op)
        if min(missing) < 0:
            op.builtinOptions.padding = schema.Padding.VALID
            sides = [(max(each, 0) // 2, max(each + 1, 0) // 2) for each in missing]
            op.inputs = [insert_pad(model, op, int(op.inputs[0]), sides), *map(int, op.inputs[1:])]
            changed = True
    return changed


def same_zeros(model: Any, op: Any) -> tuple[int, int]:
    """Rows and columns of zeros that SAME adds to what a convolution takes.

    Less than none where it leaves some of them out. With an odd number the last end has more.
    """
    tensors, options = model.subgraphs[0].tensors, op.builtinOptions
    taken, kernel = (tensors[int(index)].shape for index in op.inputs[:2])
    results = tensors[int(op.outputs[0])].shape
    steps = (options.strideH, options.dilationHFactor), (options.strideW, options.dilationWFactor)
    rows, columns = (
        (int(results[at]) - 1) * step + (int(kernel[at]) - 1) * dilation + 1 - int(taken[at])
        for at, (step, dilation) in enumerate(steps, 1)
    )
    return rows, columns


def insert_pad(model: Any, op: Any, source: int, sides: Any) -> int:
    """Put a PAD of the tensor `source` before an op, where there is anything to add.

    Args:
        sides: (above, below), (left, right): rows and columns of zeros.

    Returns:
        The index of the padded tensor; `source` where nothing is added.
    """
    import numpy as np

    if not np.any(sides):
        return source
    graph = model.subgraphs[0]
    given = graph.tensors[source]
    amounts = np.array([(0, 0), *sides, (0, 0)], np.int32)
    name = graph.tensors[int(op.outputs[0])].name + b"/padded"
    padded = editing.like(given, name, np.array(given.shape) + amounts.sum(axis=1))
    added = editing.add_constant(model, name + b"/amounts", amounts)
    return editing.insert_op(model, op, "PAD", [source, added], padded)
