"""Which targets there are, and how one is found. A new one is entered here, and nowhere else."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from mobileq.errors import UsageError
from mobileq.targets.mnn.info import INFO as MNN
from mobileq.targets.mnn.info import MnnChoices
from mobileq.targets.onnxruntime.info import INFO as ONNXRUNTIME
from mobileq.targets.onnxruntime.info import OrtChoices
from mobileq.targets.tflite.info import INFO as TFLITE
from mobileq.targets.tflite.info import TfliteChoices

if TYPE_CHECKING:
    from mobileq.targets.base import Target
    from mobileq.targets.info import TargetInfo, TargetOption

TARGETS: dict[str, TargetInfo] = {each.name: each for each in (TFLITE, MNN, ONNXRUNTIME)}
"""By name."""


class TargetChoices(TfliteChoices, MnnChoices, OrtChoices, total=False):
    """The options of all targets as keyword arguments, for type checkers."""


def default_target() -> TargetInfo:
    """The one that is taken when nobody says which."""
    return next(iter(TARGETS.values()))


def target_options() -> dict[str, TargetOption]:
    """Of all targets, by name; those of one name together, with all that any of them takes."""
    found: dict[str, TargetOption] = {}
    for option in (option for info in TARGETS.values() for option in info.options):
        first = found.get(option.name)
        found[option.name] = first.together_with(option) if first else option
    return found


def load_target(name: str) -> Target:
    """The target of that name. Raises UsageError for a name that is none."""
    if name not in TARGETS:
        raise UsageError(f"There is no target {name!r}.", f"Choose one of: {', '.join(TARGETS)}.")
    module, _, attribute = TARGETS[name].implementation.partition(":")
    target: Target = getattr(importlib.import_module(module), attribute)()
    return target
