"""Compare ranked rows as sets: one assignment of rows for all outputs of a model together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Outputs = Mapping[str, NDArray[Any]]
    Rows = NDArray[np.float64]
    Scores = Callable[[Outputs, Mapping[str, int], int], NDArray[Any] | None]

LEAST_SCORE = 1e-3
"""Rows that score less in both models count for nothing, as in COCO's evaluation."""
_ALIKE = 0.02
"""Parts of a column's range by which two rows may differ to be taken for the same."""
_TIED = 1e-3
"""Scores that are no further apart stand at the cut by chance: RT-DETR takes the first of what its
encoder finds, and untrained or on a plain picture scores many places alike."""
_MOST_ROWS = 2000
"""Of more, pairs are not looked for: each with each is compared."""


def aligned(
    wanted: Outputs,
    found: Outputs,
    axes: Mapping[str, int],
    scores: Scores,
    excused: float,
) -> dict[str, NDArray[Any]]:
    """`found` with each ranked row where the row of `wanted` that is most like it stands.

    Rows that count for nothing are made equal: where both score under `LEAST_SCORE`, and the few
    without a counterpart that close scores at the cut leave over: the part `excused`, or one whose
    score is that of another row as well.

    Args:
        axes: Of each output with ranked rows, as `graph.ranked.ranked_outputs` gives them.
        scores: See `mobileq.tasks.base.Task.row_scores`.
        excused: The part of the rows that may lack a counterpart, 0 to 1.
    """
    import numpy as np

    done = dict(found)
    for count in {wanted[name].shape[axis] for name, axis in axes.items()}:
        names = [name for name, axis in axes.items() if wanted[name].shape[axis] == count]
        if not all(wanted[name].size for name in names):
            continue  # nothing was found
        left, right = (_rows(each, names, axes) for each in (wanted, found))
        order, distances = _assignment(left, right)
        scored, rescored = (scores(each, axes, count) for each in (wanted, found))
        same, least = np.zeros(count, np.bool_), 0
        if scored is not None and rescored is not None:
            same = (scored < LEAST_SCORE) & (rescored[order] < LEAST_SCORE)
        strays = np.flatnonzero((distances > _ALIKE) & ~same)
        if strays.size == 1 and scored is not None and rescored is not None:
            # Of few rows the part that is excused is none, and the cut falls between two still.
            score, rescore = scored[strays[0]], rescored[order[strays[0]]]
            tied = np.count_nonzero(np.abs(scored - score) <= _TIED) > 1
            least = int(tied and abs(score - rescore) <= _TIED)
        if strays.size <= max(excused * count, least):
            same[strays] = True
        for name in names:
            moved = np.take(found[name], order, axis=axes[name])
            rows, given = np.moveaxis(moved, axes[name], 0), wanted[name]
            rows[same] = np.moveaxis(given, axes[name], 0)[same]
            done[name] = moved
    return done


def _rows(outputs: Outputs, names: list[str], axes: Mapping[str, int]) -> Rows:
    """[rows, columns] of all outputs side by side."""
    import numpy as np

    parts = []
    for name in names:
        array = np.moveaxis(outputs[name], axes[name], 0)
        parts.append(array.reshape(array.shape[0], -1).astype(np.float64))
    return np.nan_to_num(np.hstack(parts), nan=0.0, posinf=1e30, neginf=-1e30)


def _assignment(left: Rows, right: Rows) -> tuple[NDArray[Any], Rows]:
    """For each row of `left` a row of `right`, each taken once, and how far they are apart, in
    parts of the columns' ranges. Rows that fit where they stand stay; of the others the closest
    pairs come first."""
    import numpy as np

    scale = np.maximum(np.abs(left).max(axis=0), 1e-3 * np.abs(left).max())
    scale[scale == 0.0] = 1.0
    left, right = left / scale, right / scale
    order = np.arange(len(left))
    distances = np.abs(left - right).max(axis=1)
    open_rows = np.flatnonzero(distances > _ALIKE / 20)
    if not 1 < open_rows.size <= _MOST_ROWS:
        return order, distances
    apart = np.stack([np.abs(right[open_rows] - left[row]).max(axis=1) for row in open_rows])
    taken = np.full(open_rows.size, -1)
    missing = open_rows.size
    for flat in np.argsort(apart, axis=None, kind="stable"):
        row, column = divmod(int(flat), open_rows.size)
        if taken[row] < 0 and np.isfinite(apart[row, column]):
            taken[row] = column
            distances[open_rows[row]] = apart[row, column]
            apart[:, column] = np.inf
            missing -= 1
            if not missing:
                break
    order[open_rows] = open_rows[taken]
    return order, distances
