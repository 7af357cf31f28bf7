"""What a pass is, and how they are run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from mobileq.spec import Precision


@dataclass(frozen=True)
class Pass:
    """One rewriting of a whole file.

    Attributes:
        apply: Changes the model (a schema `ModelT`) that it is given. Gives whether there was
            anything to change, or None where the file is written in any case.
        precisions: Of the files that it is for; None for all that come to it.
        needs_floats: `apply` takes the float model as well that the file was quantized of.
    """

    apply: Callable[..., bool | None]
    precisions: tuple[Precision, ...] | None = None
    needs_floats: bool = False


def run_passes(
    passes: Sequence[Pass], model: Any, precision: Precision, floats: Any = None
) -> bool:
    """Run those that are for files of a precision, in order.

    Args:
        model: A schema `ModelT`, which is changed.
        floats: The float model of the same tensors' names, for those that need it.

    Returns:
        Whether any found something to change.
    """
    changed = False
    for each in passes:
        if each.precisions is None or precision in each.precisions:
            given = (model, floats) if each.needs_floats else (model,)
            changed |= bool(each.apply(*given))
    return changed
