"""The repairs by the names that recipes use, in the order they are carried out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from mobileq.errors import UsageError
from mobileq.progress import Progress
from mobileq.quantize.repairs.hosted import revised
from mobileq.quantize.repairs.input_scaling import channel_statistics, scale_inputs
from mobileq.quantize.repairs.spans import unscaled_tensors
from mobileq.quantize.repairs.weight_shift import correct_weight_shift
from mobileq.spec import TensorRanges

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from onnx import ModelProto

    Feeds = Mapping[str, NDArray[Any]]

INPUT_SCALING: Final = "input-scaling"
COMPENSATED_ROUNDING: Final = "compensated-rounding"
WEIGHT_SHIFT: Final = "weight-shift"
_LATE_REPAIRS: Final[Mapping[str, Callable[..., ModelProto]]] = {
    "weight-rounding": partial(revised, repair="weight-rounding", stage="Weight rounding"),
    COMPENSATED_ROUNDING: partial(revised, repair=COMPENSATED_ROUNDING, stage="Weight rounding"),
    WEIGHT_SHIFT: correct_weight_shift,
    "bias-correction": partial(revised, repair="bias-correction", stage="Bias correction"),
}
REPAIRS: Final = (INPUT_SCALING, *_LATE_REPAIRS)
"""Names of all repairs. The first changes what activations reach, the others need to know it."""
DEFAULT_REPAIRS: Final = (INPUT_SCALING,)
"""What helped, or did no harm, on each detector it was tried on (docs/quantization-accuracy.md)."""


def added_tensors(model: ModelProto, names: Collection[str]) -> tuple[str, ...]:
    """What ops that the named repairs may add to a prepared model would give."""
    return unscaled_tensors(model) if INPUT_SCALING in names else ()


def repair(
    model: ModelProto,
    names: Collection[str],
    samples: Callable[[], Iterable[Feeds]],
    ranges_of: Callable[[ModelProto], TensorRanges],
    progress: Progress,
    keep_float: Sequence[str] = (),
) -> tuple[ModelProto, TensorRanges]:
    """Carry out the named repairs, each once, in the order of `REPAIRS`.

    Args:
        model: The prepared float model; left as it is.
        names: Which; of `REPAIRS`.
        samples: A few inputs (8 to 48), as often as asked.
        ranges_of: Calibrates a model; asked once, when the activations are as they will be. Where
            a target insists on a range of its own (TFLite: [0, 255/256] for a sigmoid's output),
            that should be in it.
        progress: Is told of each repair.
        keep_float: Names of the groups (see `find_groups`) that will stay float. An int8 model's
            errors are made good as they are, so these must be known before.

    Returns:
        The repaired float model, whose outputs are those of the old one but for what int8 takes
        away again, and the ranges of its activations.

    Raises:
        UsageError: There is no such repair.
    """
    for name in names:
        if name not in REPAIRS:
            raise UsageError(f"There is no repair '{name}'.", f"Take of {', '.join(REPAIRS)}.")
    if INPUT_SCALING in names:
        model = scale_inputs(model, channel_statistics(model, samples(), progress))
    ranges = ranges_of(model)
    for name, repaired in _LATE_REPAIRS.items():
        if name in names:
            model = repaired(model, samples(), ranges, keep_float, progress=progress)
    return model, ranges
