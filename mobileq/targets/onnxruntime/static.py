"""Int8 files: what the recipe's options are to the passes that make them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

from mobileq.errors import UsageError
from mobileq.spec import QuantRecipe
from mobileq.targets.onnxruntime.info import (
    FILE,
    FORMAT,
    GRANULARITY,
    INFO,
    KERNELS,
    REDUCE_RANGE,
    TYPES,
)
from mobileq.targets.qdq.options import IntegerType, QdqOptions

if TYPE_CHECKING:
    from mobileq.targets.base import ConversionJob

_TYPES: dict[str, IntegerType] = {"U8": "uint8", "S8": "int8"}


def qdq_options(recipe: QuantRecipe) -> QdqOptions:
    """How pairs are written."""
    types = chosen(recipe, TYPES)
    return QdqOptions(
        kernels=cast('Literal["integer", "inputs"]', chosen(recipe, KERNELS)),
        activation_type=_TYPES[types[:2]],
        weight_type=_TYPES[types[2:]],
        per_channel=chosen(recipe, GRANULARITY) == "channel",
        reduce_range=chosen(recipe, REDUCE_RANGE) == "yes",
    )


def chosen(recipe: QuantRecipe, name: str) -> str:
    """The value of an option, which is not in the recipe where it is the default."""
    option = next(each for each in INFO.options if each.name == name)
    return recipe.options.get(name, option.default)


def is_operator_format(recipe: QuantRecipe) -> bool:
    """Whether operators on integers are written instead of pairs.

    Raises:
        UsageError: There would be none.
    """
    wanted = chosen(recipe, FORMAT) == "QOperator"
    if wanted and chosen(recipe, KERNELS) == "inputs":
        raise UsageError(
            "--ort-format QOperator is of integer kernels, and with --ort-kernels inputs there "
            "are none.",
            "Leave out one of them.",
        )
    return wanted


def saturation(recipe: QuantRecipe) -> str | None:
    """What to tell where ONNX Runtime would cut off sums of the file's products here."""
    if chosen(recipe, TYPES) != "U8S8" or chosen(recipe, REDUCE_RANGE) == "yes":
        return None
    flags = processor_flags()
    if "sse4_1" not in flags or {"avx512_vnni", "avx_vnni"}.intersection(flags):
        return None
    compared = (
        "; .ort files are compared so, and phones compute better"
        if chosen(recipe, FILE) == "ort"
        else " unless session.x64quantprecision is set; files are compared with that, as phones "
        "compute"
    )
    return (
        "On this processor, x86 without VNNI, ONNX Runtime cuts off sums of U8S8 products"
        f"{compared}. For such processors give --ort-reduce-range yes, or --ort-types U8U8."
    )


def processor_flags() -> list[str]:
    """What Linux knows of the processor, among other words; nothing elsewhere."""
    try:
        return Path("/proc/cpuinfo").read_text().split()
    except OSError:
        return []


def require_ranges(job: ConversionJob) -> None:
    """Raise UsageError where nothing says what activations are rounded to."""
    if job.samples is None and job.given is None:
        raise UsageError(
            f"{job.recipe.precision} needs pictures to calibrate on.",
            "Add --calib FOLDER with some dozens of typical photos.",
        )
