"""Simplifies a graph with onnxslim and keeps the result only if it computes the same."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from mobileq.errors import InputError
from mobileq.graph.attention import weights_first
from mobileq.graph.batch_normalization import as_depthwise
from mobileq.graph.hard_functions import rewrite_hard_functions
from mobileq.graph.index import GraphIndex
from mobileq.graph.op_facts import ORDERING
from mobileq.graph.outline import DYNAMIC, dims, graph_inputs
from mobileq.graph.outputs import SIGMOID_ERROR, is_sigmoid
from mobileq.graph.rewrites import rewritten_graph
from mobileq.graph.rewrites.opset import raised
from mobileq.graph.scaled_convolutions import fold_scales
from mobileq.graph.shapes import infer_shapes, set_partial_shape
from mobileq.graph.shared_pads import share_pads
from mobileq.graph.slim import SlimError, slim
from mobileq.graph.trial_run import open_run, random_inputs
from mobileq.parallel import threads_for

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from onnx import ModelProto

    from mobileq.graph.trial_run import Run

    Arrays = Mapping[str, npt.NDArray[np.generic]]

_SEED = 20240229
ATOL = 1e-5
"""Of the largest absolute value of an output. Folding a batch normalization into a convolution
moves float32 results by some 1e-6 of it."""
RTOL = 1e-3


def simplify(model: ModelProto, *, rewrite: bool = True) -> tuple[ModelProto, tuple[str, ...]]:
    """A copy with constants folded and shapes inferred: same tensors, same order, same results.

    Every node has a name; ONNX demands none, but onnx2tf (2.6.9) names tensors by it.

    Both graphs run in ONNX Runtime on the same seeded random inputs, from 0 to 1 and of both signs.
    If the simplified one fails or differs by more than `ATOL` and `RTOL`, the model is returned as
    it was, with a notice. Output shapes that the run disproves are opened up.

    Args:
        model: With static input shapes (see `fix_shapes`).
        rewrite: Attention, hard functions and batch normalizations may be written anew, with
            tensors of other names.

    Returns:
        The model and the notices.

    Raises:
        InputError: The model does not run in ONNX Runtime as it is.
    """
    notices: list[str] = []
    difference: str | None = None
    simplified = model
    with threads_for(1) as beside:
        # ONNX Runtime lets go of Python's lock while it runs.
        running = beside.submit(_trials, model)
        for candidate in _candidates(model, rewrite):
            if isinstance(candidate, SlimError):
                notices.append(_not_simplified(f"onnxslim failed: {candidate}"))
                continue
            found = _trial(running.result(), model, candidate)
            if not found:
                simplified, difference = candidate, None
                break
            difference = difference or found
        before = running.result()[0][1]
    if difference:
        notices.append(_not_simplified(difference))
    result = infer_shapes(simplified)
    _name_nodes(result)
    notices.extend(_correct_outputs(result, before))
    return result, tuple(notices)


def _not_simplified(why: str) -> str:
    return f"The graph was not simplified: {why.rstrip('.')}."


def _candidates(model: ModelProto, rewrite: bool) -> Iterator[ModelProto | SlimError]:
    """The model simplified and rewritten, then with ever less of that."""
    try:
        current = raised(model)
        slimmed = infer_shapes(slim(current))
    except SlimError as error:
        yield error
        slimmed = infer_shapes(current)
    except InputError as error:
        yield SlimError(error.message)
        slimmed = current = model
    rewritten = rewritten_graph(slimmed)
    simplified = [slimmed]
    if rewritten is not slimmed:
        # What a rule writes is folded and shortened like the rest, and what is folded may be a
        # condition that another rule waits for.
        with suppress(SlimError, InputError):
            again = infer_shapes(slim(rewritten))
            further = rewritten_graph(again)
            if further is not again:
                again = infer_shapes(slim(further))
            simplified.insert(0, again)
    for each in simplified:
        if rewrite:
            # First: sums in another order may swap close ranks of a model that sorts.
            yield share_pads(fold_scales(as_depthwise(rewrite_hard_functions(weights_first(each)))))
        yield each
    if rewritten is not slimmed:
        yield rewritten


def _name_nodes(model: ModelProto) -> None:
    used = {node.name for node in model.graph.node}
    for node in model.graph.node:
        base = f"{node.op_type}_{node.output[0]}"
        if not node.name:
            others = (f"{base}_{count}" for count in itertools.count(1))
            node.name = next(name for name in itertools.chain([base], others) if name not in used)
            used.add(node.name)


def _trials(model: ModelProto) -> list[tuple[Arrays, Arrays]]:
    """Inputs and the model's outputs. Raises InputError where it can't be run."""
    inputs, run = random_inputs(model, _SEED), open_run(model)
    return [(inputs, run(inputs)), *_signed_trial(model, run)]


def _signed_trial(model: ModelProto, run: Run) -> Iterator[tuple[Arrays, Arrays]]:
    """Inputs of both signs and the model's outputs, which numbers from 0 to 1 alone may never
    reach. None where the model can't take them, nor where it ranks: of noise every rank is close.
    """
    if any(node.op_type in ORDERING for node in model.graph.node):
        return
    inputs = random_inputs(model, _SEED + 1, signed=True)
    with suppress(InputError):
        yield inputs, run(inputs)


def _trial(
    trials: Sequence[tuple[Arrays, Arrays]], model: ModelProto, simplified: ModelProto
) -> str | None:
    """Why the simplified model must not be used, or None."""
    try:
        again = open_run(simplified)
        found = (_difference(wanted, again(given), model, simplified) for given, wanted in trials)
        return next((text for text in found if text), None)
    except InputError as error:
        return error.message


def _difference(
    before: Arrays, after: Arrays, model: ModelProto, simplified: ModelProto
) -> str | None:
    """What differs between the models or their results, or None."""
    import numpy as np

    for kind, old, new in (
        ("inputs", graph_inputs(model), graph_inputs(simplified)),
        ("outputs", model.graph.output, simplified.graph.output),
    ):
        if [value.name for value in old] != [value.name for value in new]:
            return f"the {kind} would be {', '.join(value.name for value in new) or 'none'}"
    for name, reference in before.items():
        candidate = after[name]
        if candidate.shape != reference.shape or candidate.dtype != reference.dtype:
            return (
                f"the output '{name}' would be {candidate.dtype}{list(candidate.shape)}"
                f" instead of {reference.dtype}{list(reference.shape)}"
            )
        if reference.dtype.kind != "f":
            if not np.array_equal(candidate, reference):
                return f"the output '{name}' would differ"
            continue
        finite = reference[np.isfinite(reference)]
        largest = float(np.abs(finite).max()) if finite.size else 0.0
        atol = ATOL * largest
        if atol < SIGMOID_ERROR and is_sigmoid(GraphIndex(model), name):
            atol = SIGMOID_ERROR
        if not np.allclose(candidate, reference, RTOL, atol, equal_nan=True):
            worst = float(np.nanmax(np.abs(np.subtract(candidate, reference))))
            return f"the output '{name}' would differ by {worst:.3g}"
    return None


def _correct_outputs(model: ModelProto, results: Arrays) -> Iterator[str]:
    """Open up the declared output dimensions that a run has shown to be wrong."""
    for value in model.graph.output:
        shape, actual = dims(value), results[value.name].shape
        if shape is None or len(shape) != len(actual):
            set_partial_shape(value, (DYNAMIC,) * len(actual))
            if shape is not None:
                yield f"The output '{value.name}' is {list(actual)}, not {list(shape)} as declared."
            continue
        pairs = zip(shape, actual, strict=True)
        corrected = tuple(old if old == new else DYNAMIC for old, new in pairs)
        if corrected != shape:
            set_partial_shape(value, corrected)
            yield f"The output '{value.name}' is {list(actual)}, not {list(shape)} as declared."
