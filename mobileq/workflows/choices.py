"""The options of the commands as keyword arguments, by the names that the command line has."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypedDict, cast

from mobileq.errors import UsageError
from mobileq.paths import StrPath, optional_path
from mobileq.spec import Precision
from mobileq.targets.registry import TargetChoices, target_options
from mobileq.workflows.opening import Overrides

if TYPE_CHECKING:
    from mobileq.quantize.plan import Calibrator
    from mobileq.workflows.request import ConvertOptions
    from mobileq.workflows.source import Head

type Names = str | Sequence[str]
"""Several, as a sequence, with commas between them, or both."""


class ModelChoices(TypedDict, total=False):
    """What a person says about a model that does not say it itself."""

    family: str | None
    spec: StrPath | None
    labels: StrPath | None
    input_shape: str | Sequence[str]
    set: str | Sequence[str]


class ConvertChoices(ModelChoices, TargetChoices, total=False):
    """What `convert` can be told; `mobileq convert --help` explains each."""

    target: Names
    precision: Names | None
    calib: StrPath | None
    calib_count: int | None
    seed: int
    head: Head
    calibrator: Calibrator
    search: bool
    budget: float | None
    annotations: StrPath | None
    eval_images: StrPath | None
    repair: Names | None
    recipe: StrPath | None
    keep_float: str | Sequence[str]
    fold_preprocessing: bool
    layer_noise: bool
    strict: bool


def takes[F: Callable[..., Any]](kind: type) -> Callable[[F], F]:
    """Name the choices in the signature of a function that takes `**choices`, for notebooks: type
    checkers read them from `Unpack`, but completion at run time asks `inspect.signature`."""

    def named(function: F) -> F:
        signature = inspect.signature(function)
        kept = [each for each in signature.parameters.values() if each.kind != each.VAR_KEYWORD]
        known = {each.name for each in kept}
        added = [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=..., annotation=type_)
            for name, type_ in kind.__annotations__.items()
            if name not in known
        ]
        signature = signature.replace(parameters=[*kept, *added])
        function.__signature__ = signature  # type: ignore[attr-defined]
        return function

    return named


def chosen_overrides(given: Overrides | None, choices: Mapping[str, Any]) -> Overrides:
    """What is said about the model, in either way.

    Raises:
        UsageError: It is said in both, or a choice is unknown.
    """
    _check(choices, ModelChoices, given is not None, "overrides")
    return given or _overrides(choices)


def chosen_options(given: ConvertOptions | None, choices: ConvertChoices) -> ConvertOptions:
    """What `convert` is told, in either way.

    Raises:
        UsageError: It is told in both, or a choice is unknown.
    """
    from mobileq.quantize.options import QuantOptions
    from mobileq.workflows.request import ConvertOptions

    _check(choices, ConvertChoices, given is not None, "options")
    if given is not None:
        return given
    precision, repair = choices.get("precision"), choices.get("repair")
    default = ConvertOptions()
    return ConvertOptions(
        targets=split_list(choices.get("target", default.targets)),
        # The library checks these itself and says what is allowed.
        precisions=None
        if precision is None
        else cast(tuple[Precision, ...], split_list(precision)),
        target_options=chosen_target_options(choices),
        calib=optional_path(choices.get("calib")),
        calib_count=choices.get("calib_count"),
        seed=choices.get("seed", default.seed),
        head=choices.get("head", default.head),
        quantization=QuantOptions(
            calibrator=choices.get("calibrator", default.quantization.calibrator),
            search=choices.get("search", default.quantization.search),
            budget=choices.get("budget"),
            keep_float=_several(choices.get("keep_float", ())),
            repairs=chosen_repairs(repair),
        ),
        eval_images=optional_path(choices.get("eval_images")),
        annotations=optional_path(choices.get("annotations")),
        recipe=optional_path(choices.get("recipe")),
        fold_preprocessing=choices.get("fold_preprocessing", default.fold_preprocessing),
        layer_noise=choices.get("layer_noise", default.layer_noise),
        strict=choices.get("strict", default.strict),
        overrides=_overrides(choices),
    )


def chosen_target_options(choices: Mapping[str, Any]) -> dict[str, str]:
    """Of the targets' options those that are not to be the default."""
    known = target_options().items()
    given = {name: choices.get(name, option.default) for name, option in known}
    return {name: given[name] for name, option in known if given[name] != option.default}


def _overrides(choices: Mapping[str, Any]) -> Overrides:
    labels = choices.get("labels")
    return Overrides(
        family=choices.get("family"),
        spec_file=optional_path(choices.get("spec")),
        labels=None if labels is None else str(labels),
        input_shapes=_several(choices.get("input_shape", ())),
        set_inputs=_several(choices.get("set", ())),
    )


def _check(choices: Mapping[str, Any], kind: type, is_given: bool, name: str) -> None:
    for choice in choices:
        if choice not in kind.__annotations__:
            near = difflib.get_close_matches(choice, kind.__annotations__, 1)
            raise UsageError(
                f"There is no option {choice!r}.",
                f"Did you mean {near[0]!r}?"
                if near
                else f"There are: {', '.join(kind.__annotations__)}.",
            )
        if is_given:
            raise UsageError(
                f"{choice!r} is given beside `{name}`.", f"Give it in `{name}`, or leave those out."
            )


def _several(given: str | Sequence[str] | None) -> tuple[str, ...]:
    """Texts that may hold commas."""
    if given is None:
        return ()
    return (given,) if isinstance(given, str) else tuple(given)


def chosen_repairs(given: Names | None) -> tuple[str, ...] | None:
    """Steps that prepare the weights; None: as it finds best."""
    names = ("auto",) if given is None else split_list(given)
    return None if names == ("auto",) else names


def split_list(given: Names) -> tuple[str, ...]:
    """`fp32,fp16` -> ("fp32", "fp16"), also of an option that was given several times; repeats are
    dropped.

    >>> split_list(["fp32, fp16", "fp32"])
    ('fp32', 'fp16')
    """
    texts = [given] if isinstance(given, str) else given
    parts = (part.strip() for text in texts for part in text.split(","))
    return tuple(dict.fromkeys(part for part in parts if part))
