"""From the ONNX model's tensors to the .tflite file's: ranges, and ops that stay float."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from mobileq.targets.tflite import contents, interface
from mobileq.targets.tflite.op_facts import CHOOSING, LIMITING, MOVING

Range = tuple[float, float]

_CODES = 255
_FAR = 1e30
_PADDING = "PADV2"
REPORT_SUFFIX = ".correspondence.json"
"""Beside a float file: which of its tensors is which of the ONNX model's."""


def read_correspondence(
    report: Path, model: Any, onnx_names: Iterable[str], takers: Mapping[str, str] | None = None
) -> dict[str, str]:
    """{ONNX tensor: TFLite tensor} from the report that onnx2tf (2.6.9) writes beside its file.

    The report has colons replaced, calls tensors missing that are there under the name of their
    op, and names the transposed copy of a convolution's output instead of the output. What a
    transposed convolution gives has its bias added by an op of its own. A tensor may also be there
    under the name of the op that takes it, or alone with its channels last.

    Args:
        takers: {op: the first tensor it takes}, both as the ONNX model names them.
    """
    graph = model.subgraphs[0]
    # Not tensors that a pass has left behind.
    used = {int(index) for op in graph.operators for index in (*op.inputs, *op.outputs)}
    used.update(map(int, (*graph.inputs, *graph.outputs)))
    present = {contents.tensor_name(graph.tensors[index]) for index in used if index >= 0}
    by_written = {name.replace(":", "__"): name for name in onnx_names}
    found = {}
    for record in json.loads(report.read_text())["records"]:
        written = record["onnx_output_name"]
        candidates = (
            f"{record['onnx_op_name'] or None}_output_nhwc_bias",
            f"{record['onnx_op_name'] or None}_output_nhwc",
            record.get("resolved_tflite_tensor_name"),
            written,
            f"{written}__to_nhwc",
        )
        known = next((each for each in candidates if each in present), None)
        if known is not None and written in by_written:
            # What the op itself gives: a transposed copy of it has no precision of its own.
            found[by_written[written]] = interface.before_transpose(known, present)
    for op, name in (takers or {}).items():
        if f"{op}_input_nhwc" in present and name not in found:
            found[name] = f"{op}_input_nhwc"
    return found


def file_ranges(
    model: Any, names: Mapping[str, str], ranges: Mapping[str, Range]
) -> dict[str, Range]:
    """Ranges of the file's tensors, those of tensors that only it has taken from their source.

    Args:
        model: The float file (a schema `ModelT`).
        names: From `read_correspondence`, and the inputs' names.
        ranges: By ONNX name.
    """
    found = {names[name]: value for name, value in ranges.items() if name in names}
    for taken, given, bias in _biased(model):
        if given in found:
            low, high = found[given]
            found[taken] = low - float(bias.max()), high - float(bias.min())
    for taken, given in reversed(list(_limited(model))):
        if given in found:  # what lies outside is cut by the limit, or by the range
            found.setdefault(taken, found[given])
    moving = list(_moving_ops(model))
    for kind, sources, results in reversed(moving):
        # The other way round for what the model's output was before its axes were put in order.
        known = next((found[name] for name in results if name in found), None)
        if known is not None and sources and kind not in CHOOSING:
            found.setdefault(sources[0], known)
    for _, sources, results in moving:
        known = next((found[name] for name in sources if name in found), None)
        if known is not None:
            # Also where the file's tensor has a range of its own: the kernels copy integers.
            found.update(dict.fromkeys(results, known))
    return found


def float_outputs(model: Any, kept: Collection[str], known: Mapping[str, Range]) -> set[str]:
    """Output tensors of all ops that must be float.

    Args:
        kept: Output tensors of ops that are to stay float.
        known: Ranges of tensors; an op that takes or gives one without a range stays float.

    An op that only moves values stays float too where what it feeds or is fed by is float, or the
    values would be rounded for nothing.
    """
    wanted = {*kept, *without_scale(model, known)}
    # No range is known inside of loops and branches.
    for graph in model.subgraphs[1:]:
        for op in graph.operators:
            names = (contents.tensor_name(graph.tensors[int(index)]) for index in op.outputs)
            wanted.update(names)
    moving = list(_moving_ops(model))
    users = _users(model)
    changed = True
    while changed:
        changed = False
        for _, sources, results in moving:
            given = results[0]
            if given in wanted:
                continue
            fed = [name for result in results for name in users.get(result, ())]
            if any(name in wanted for name in fed) or any(name in wanted for name in sources):
                wanted.add(given)
                changed = True
    return wanted


def _biased(model: Any) -> Iterator[tuple[str, str, Any]]:
    """(what it takes, what it gives, the bias) of each op that adds a transposed convolution's.

    What it gives may be limited already, by a ReLU that became part of it.
    """
    graph = model.subgraphs[0]
    made = {int(op.outputs[0]) for op in contents.ops_of(model, "TRANSPOSE_CONV")}
    for op in contents.ops_of(model, "ADD"):
        if int(op.inputs[0]) in made:
            bias = contents.float32_values(model, graph.tensors[int(op.inputs[1])])
            if bias is not None:
                (given,) = _tensor_names(model, op.outputs)
                yield _tensor_names(model, op.inputs)[0], given, bias


def _limited(model: Any) -> Iterator[tuple[str, str]]:
    """(what it takes, what it gives) of each op that limits values by a constant; a Clip is two."""
    activations = contents.activation_indices(model)
    for op in contents.ops_of(model, *LIMITING):
        taken = [index for index in op.inputs if int(index) in activations]
        if len(taken) == 1:
            yield _tensor_names(model, taken)[0], _tensor_names(model, op.outputs)[0]


def _tensor_names(model: Any, indices: Any) -> list[str]:
    tensors = model.subgraphs[0].tensors
    return [contents.tensor_name(tensors[int(index)]) for index in indices if int(index) >= 0]


def _moving_ops(model: Any) -> Iterator[tuple[str, list[str], list[str]]]:
    """(kind, activations it takes, tensors it gives) of each op that only moves values."""
    activations = contents.activation_indices(model)
    for op in contents.ops_of(model, *MOVING):
        taken = [index for index in op.inputs if int(index) in activations]
        kind = contents.op_name(model, op)
        yield kind, _tensor_names(model, taken), _tensor_names(model, op.outputs)


def _users(model: Any) -> dict[str, list[str]]:
    """{tensor: first output of each op that takes it}."""
    users: dict[str, list[str]] = {}
    for op in model.subgraphs[0].operators:
        given = _tensor_names(model, op.outputs)[0]
        for name in _tensor_names(model, op.inputs):
            users.setdefault(name, []).append(given)
    return users


def without_scale(model: Any, known: Mapping[str, Range]) -> dict[str, str]:
    """{what an op gives that has to be float: what about the op no scale is for}

    The anchors of RT-DETR and D-FINE are infinite at the picture's rim. The scale of such a
    constant is infinite too, at which TFLite's kernels (LiteRT 2.1.2) end the process. The lowest
    value of all, which a max pooling is padded with, is none of them: nothing chooses it, and
    `rewrites.pool_edges` takes it out again.
    """
    graph = model.subgraphs[0]
    activations = contents.activation_indices(model)
    boundless: set[int] = set()
    found = dict[str, str]()
    for op in graph.operators:
        taken = [int(index) for index in op.inputs if int(index) >= 0]
        given = [int(index) for index in op.outputs]
        touched = [
            index
            for index in (*taken, *given)
            if index in activations and contents.dtype_name(graph.tensors[index]) == "float32"
        ]
        why = None
        if any(name not in known for name in _tensor_names(model, touched)):
            why = "takes or gives values of which no range is known"
        elif _may_divide_by_zero(model, op, known, activations):
            why = "divides by values near 0"
        values = taken[:1] if contents.op_name(model, op) == _PADDING else taken
        if any(i in boundless or _is_boundless(model, graph.tensors[i]) for i in values):
            why = "takes values without bounds"
            if contents.op_name(model, op) in MOVING:
                boundless.update(given)
        if why is not None:
            found.update(dict.fromkeys(_tensor_names(model, given), why))
    return found


def _may_divide_by_zero(
    model: Any, op: Any, known: Mapping[str, Range], activations: Collection[int]
) -> bool:
    """Whether a divisor comes so near to zero that its code may be zero's, as that of an inverse
    sigmoid does: TFLite's DIV (LiteRT 2.1.2) ends the run there."""
    if contents.op_name(model, op) != "DIV" or int(op.inputs[1]) not in activations:
        return False
    low, high = known.get(_tensor_names(model, op.inputs)[1], (0.0, 0.0))
    least, most = sorted((abs(low), abs(high)))
    return low * high <= 0 or least * _CODES <= most


def _is_boundless(model: Any, tensor: Any) -> bool:
    import numpy as np

    values = contents.float32_values(model, tensor)
    return values is not None and values.size > 0 and not bool(np.abs(values).max() < _FAR)
