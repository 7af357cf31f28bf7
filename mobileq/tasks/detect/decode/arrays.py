"""The steps that head families share: reading outputs, activations, grids, box formats.

Activations are computed in float64 and rounded once to float32, so that Java's `Math.exp` gives
the same float32 values; everything else is float32, one operation after the other as written.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from mobileq.errors import InputError
from mobileq.spec.decode import BoxFormat, DecodeSpec, HeadOutput, OutputRole
from mobileq.vision.arrays import BoolArray, FloatArray

Outputs = Mapping[str, npt.NDArray[np.float32]]


def picture_outputs(outputs: Outputs, row: int, batch: int) -> Outputs:
    """What a model that takes `batch` pictures at a time gives for one of them: each output's row,
    as an array with a batch of 1."""
    if batch == 1:
        return outputs
    return {name: array[row : row + 1] for name, array in outputs.items()}


def output_array(outputs: Outputs, name: str) -> FloatArray:
    """One output as float32, without the batch axis that arrays of three or more axes start with.

    Raises:
        InputError: It is missing, or holds more than one picture.
    """
    if name not in outputs:
        raise InputError(
            f"The output {name!r} is missing; there are {', '.join(map(repr, outputs)) or 'none'}.",
            "Check that the model and its description belong together.",
        )
    array: FloatArray = np.asarray(outputs[name], np.float32)
    if array.ndim < 3:  # some exports squeeze the batch away
        return array
    if array.shape[0] != 1:
        raise InputError(
            f"The output {name!r} holds a batch of {array.shape[0]}, expected 1.",
            "Convert the model with a batch size of 1.",
        )
    picture: FloatArray = array[0]
    return picture


def single_output(spec: DecodeSpec, *roles: OutputRole) -> HeadOutput:
    """The only output with one of `roles`.

    Raises:
        InputError: None has it, or several do.
    """
    found = [output for output in spec.outputs if output.role in roles]
    if len(found) != 1:
        raise InputError(
            f"Decoding {spec.kind} needs one output with the role "
            f"{' or '.join(map(repr, roles))}, not {len(found)}.",
            "Correct the outputs of the decode specification.",
        )
    return found[0]


def stride_output(spec: DecodeSpec, stride: int, roles: Sequence[OutputRole]) -> HeadOutput:
    """The only output of `stride` that has one of `roles`.

    Raises:
        InputError: None has, or several do.
    """
    found = [o for o in spec.outputs if o.stride == stride and o.role in roles]
    if len(found) != 1:
        raise InputError(
            f"Decoding {spec.kind} needs one output with the role {' or '.join(roles)} "
            f"for stride {stride}, not {len(found)}.",
            "Correct the outputs of the decode specification.",
        )
    return found[0]


def as_rows(
    name: str, array: FloatArray, channels: int, channels_first: bool = False
) -> FloatArray:
    """[anchors, channels] from a tensor that has them in either order.

    Of two axes, `channels_first` decides where both orders fit. Three axes come from a
    convolution: [channels, h, w], or [h, w, channels] where only that fits, cells row by row.

    Raises:
        InputError: No axis has the length `channels`.
    """
    if array.ndim in (2, 3):
        first, last = array.shape[0] == channels, array.shape[-1] == channels
        if first and (channels_first or array.ndim == 3 or not last):
            return array.reshape(channels, -1).T
        if last:
            return array.reshape(-1, channels)
    raise InputError(
        f"The output {name!r} has shape {array.shape} without its batch, "
        f"and no axis holds the {channels} values per anchor.",
        "Check the class count, reg_max and outputs of the decode specification.",
    )


def branch_rows(
    spec: DecodeSpec, outputs: Outputs, stride: int, role: OutputRole, channels: int
) -> FloatArray:
    """One branch of one stride, [cells, channels], a view of the output.

    Raises:
        InputError: The output is missing or has another shape.
    """
    name = stride_output(spec, stride, (role,)).name
    return as_rows(name, output_array(outputs, name), channels)


def prediction_rows(
    spec: DecodeSpec, outputs: Outputs, values: int, channels_first: bool = False
) -> FloatArray:
    """[anchors, values] of the one output that holds all predictions; see `as_rows`.

    Raises:
        InputError: There is no such output, or it has another shape.
    """
    name = single_output(spec, "predictions").name
    return as_rows(name, output_array(outputs, name), values, channels_first)


def check_rows(spec: DecodeSpec, rows: int, expected: int) -> None:
    """Raise InputError where outputs hold another number of anchors than the grid has."""
    if rows != expected:
        raise InputError(
            f"The {spec.kind} head gives {rows} anchors where its strides make {expected}.",
            "Check the strides and the input width and height of the specification.",
        )


def grid(width: int, height: int, stride: int) -> FloatArray:
    """Column and row of each cell of one stride, row by row: float32 [cells, 2].

    A stride that does not divide a side leaves a last, partial cell.
    """
    columns, rows = math.ceil(width / stride), math.ceil(height / stride)
    x, y = np.meshgrid(np.arange(columns), np.arange(rows))
    return np.stack([x.ravel(), y.ravel()], axis=1).astype(np.float32)


def sigmoid(logits: FloatArray) -> FloatArray:
    """`1 / (1 + exp(-x))` in float64, rounded once to float32."""
    # In place: for whole heads, fresh memory costs more than the arithmetic.
    values = np.negative(logits, dtype=np.float64)
    with np.errstate(over="ignore"):
        np.exp(values, out=values)
    values += 1.0
    np.divide(1.0, values, out=values)
    return values.astype(np.float32)


def exponential(values: FloatArray) -> FloatArray:
    """`exp(x)` in float64, rounded once to float32 (infinite where that is too small)."""
    with np.errstate(over="ignore"):
        return np.exp(values.astype(np.float64)).astype(np.float32)


def logit_floor(score_threshold: float) -> float:
    """A logit below which no sigmoid reaches `score_threshold`, for sorting out early.

    Kept one below the exact value: rounding to float32 must not decide differently here than in
    the comparison of scores, which still follows.
    """
    if score_threshold <= 0.0:
        return -math.inf
    highest = 16.0  # beyond about 17, float32 sigmoids are 1
    if score_threshold >= 1.0:
        return highest - 1.0
    return min(math.log(score_threshold / (1.0 - score_threshold)), highest) - 1.0


def reaches(scores: FloatArray, score_threshold: float) -> BoolArray:
    """Rows of [N, C] whose best score is at least the threshold (as float32)."""
    if scores.shape[1] == 0:
        return np.zeros(scores.shape[0], np.bool_)
    best: BoolArray = scores.max(axis=1) >= np.float32(score_threshold)
    return best


def own_part(always: BoolArray | None, start: int, count: int) -> BoolArray:
    """What `decode`'s argument says of one stride, whose first anchor is `start`."""
    return np.zeros(count, np.bool_) if always is None else always[start : start + count]


def passing_rows(rows: FloatArray, passing: BoolArray) -> FloatArray:
    """`rows[passing]`, the same array where all pass."""
    return rows if passing.all() else rows[passing]


def expected_distance(logits: FloatArray, bins: int, distances: Sequence[float] = ()) -> FloatArray:
    """Mean of the distance distribution of each side: [N, 4 * bins] to [N, 4], in strides.

    Softmax over the bins (largest logit subtracted), then the sum of `probability * distance`, all
    in float64, rounded once to float32. Bin k stands for `distances[k]`, or for k where that is
    empty. Generalized Focal Loss, Li et al., 2020.

    Raises:
        InputError: `distances` are not as many as the bins.
    """
    if distances and len(distances) != bins:
        raise InputError(
            f"There are {len(distances)} distance bins for {bins} values of a box side.",
            "Correct distance_bins or reg_max of the decode specification.",
        )
    weights = bin_weights(logits, bins)
    values = np.array(distances or range(bins), np.float64)
    total = (weights * values).sum(axis=2)
    distance: FloatArray = (total / weights.sum(axis=2)).astype(np.float32)
    return distance


def bin_weights(logits: FloatArray, bins: int) -> npt.NDArray[np.float64]:
    """What each bin of a side counts, the likeliest as 1: [N, 4 * bins] to [N, 4, bins]."""
    sides = logits.reshape(-1, 4, bins).astype(np.float64)
    weights: npt.NDArray[np.float64] = np.exp(sides - sides.max(axis=2, keepdims=True))
    return weights


def boxes_around(centre: FloatArray, distance: FloatArray, stride: FloatArray) -> FloatArray:
    """Left, top, right, bottom distances to xyxy: `(centre -+ distance) * stride`.

    `centre` [N, 2] and `distance` [N, 4] in strides, `stride` [N, 1] in pixels.
    """
    corners = np.concatenate([centre - distance[:, :2], centre + distance[:, 2:]], axis=1)
    xyxy: FloatArray = corners * stride
    return xyxy


def to_xyxy(boxes: FloatArray, box_format: BoxFormat) -> FloatArray:
    """Boxes [N, 4] in any format to xyxy; from cxcywh as `centre -+ 0.5 * side`."""
    if box_format == "xyxy":
        return boxes
    if box_format == "yxyx":
        return boxes[:, [1, 0, 3, 2]]
    centre, half = boxes[:, :2], boxes[:, 2:] * np.float32(0.5)
    return np.concatenate([centre - half, centre + half], axis=1)


def to_pixels(xyxy: FloatArray, spec: DecodeSpec, width: int, height: int) -> FloatArray:
    """Multiply normalized boxes by the model input's width and height."""
    if spec.box_unit == "normalized":
        return xyxy * np.array([width, height, width, height], np.float32)
    return xyxy
