"""What a run of `mobileq convert` is asked for: options, and recipes that settle some files."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import get_args

from mobileq.errors import UsageError
from mobileq.quantize.given_plan import CALIBRATOR
from mobileq.quantize.options import QuantOptions, as_options
from mobileq.quantize.plan import Calibrator
from mobileq.quantize.recipe import Recipes, read_recipes
from mobileq.quantize.repairs.registry import REPAIRS
from mobileq.spec import (
    CALIBRATED,
    Engine,
    HeadKind,
    IoDtype,
    MnnMethod,
    MnnWeights,
    ModelSpec,
    Precision,
    QuantRecipe,
)
from mobileq.targets.base import Target, load_target
from mobileq.workflows.inputs import takes_pictures, wanted_tensors
from mobileq.workflows.opening import Overrides
from mobileq.workflows.source import Head

File = tuple[str, Precision]
"""A file that is to be made: its target's name and its precision."""

_SEARCHED: tuple[Precision, ...] = ("int8", "int8-full")
"""Of which several files are tried."""
_INTEGER_ENDS: tuple[Precision, ...] = ("int8", "int8-full")
"""Whose inputs and outputs can be 8-bit integers."""


@dataclass(frozen=True)
class ConvertOptions:
    """What `convert` can be told; see `mobileq convert --help`."""

    targets: tuple[str, ...] = ("tflite",)
    precisions: tuple[Precision, ...] | None = None
    """For every target; None: each target's own defaults."""
    engine: Engine = "direct"
    io: IoDtype = "float32"
    calib: Path | None = None
    calib_count: int | None = None
    """None: 64, or as many as there are."""
    seed: int = 0
    head: Head = "auto"
    """auto: raw for the integer precisions where the family's decoding is known, else decoded."""
    quantization: QuantOptions = field(default_factory=QuantOptions)
    eval_images: Path | None = None
    annotations: Path | None = None
    """Labelled pictures to hold the budget on: half of them to decide, half to report."""
    recipe: Path | None = None
    mnn_method: MnnMethod = "mobileq"
    mnn_weights: MnnWeights = "MAX_ABS"
    overrides: Overrides = field(default_factory=Overrides)
    strict: bool = False
    """All files or nothing: the first that can't be made right is an error."""


class Request:
    """Options that have been checked, and what they and the recipes mean for each file.

    Raises:
        UsageError: An option is wrong, or a recipe asks for what there is not.
        InputError: The recipes cannot be read.
    """

    def __init__(self, options: ConvertOptions) -> None:
        _check_names(options)
        self.options = options
        self.targets = {name: load_target(name) for name in options.targets}
        for target in self.targets.values():
            _check_target(target, options)
        _check_quantization(options)
        if options.calib_count is not None and options.calib_count < 1:
            raise UsageError("--calib-count must be at least 1.", "Use 64, the default.")
        self._recipes: Recipes = {}
        self.overrides = options.overrides
        if options.recipe is not None:
            self._recipes, constants = read_recipes(options.recipe)
            self.overrides = _with_constants(options.overrides, constants)
            self._check_recipes(options.recipe)

    @cached_property
    def files(self) -> tuple[File, ...]:
        """All that is made, in order."""
        return tuple(
            (target.name, precision)
            for target in self.targets.values()
            for precision in self._precisions(target)
        )

    def _precisions(self, target: Target) -> tuple[Precision, ...]:
        if self.options.precisions is None and self._recipes:
            return tuple(each for name, each in self._recipes if name == target.name)
        return self.options.precisions or target.default_precisions

    def head(self, file: File) -> Head:
        """The one that is wanted; a model that came quantized may have no choice."""
        known = self._recipes.get(file)
        return known.head if known else self.options.head

    def engine(self, file: File) -> Engine:
        """The one that the file is to be made by."""
        known, engines = self._recipes.get(file), self.targets[file[0]].engines
        asked = known.engine if known else self.options.engine
        return asked if asked in engines else engines[0]

    def quantization(self, file: File) -> QuantOptions:
        """How ranges and float ops are chosen."""
        known = self._recipes.get(file)
        return as_options(known) if known else self.options.quantization

    def recipe(self, file: File, head: HeadKind, engine: Engine) -> QuantRecipe:
        """The file's recipe, as far as it is known before anything is measured."""
        name, precision = file
        io, method, weights = self.options.io, self.options.mnn_method, self.options.mnn_weights
        if known := self._recipes.get(file):
            io = known.io
            method, weights = known.mnn_method or "mobileq", known.mnn_weights or "MAX_ABS"
        if precision not in _INTEGER_ENDS or name != "tflite":
            io = "float32"
        elif precision == "int8-full" and io == "float32":
            io = "int8"
        own = precision == "int8" and name == "mnn" and method != "mobileq"
        return QuantRecipe(
            precision=precision,
            engine=engine,
            head=head,
            io=io,
            mnn_method=method if own else None,
            mnn_weights=weights if own else None,
        )

    def is_settled(self, target: str) -> bool:
        """Whether a recipe says that a file of the target is by the direct engine."""
        known = [self._recipes.get(file) for file in self.files if file[0] == target]
        return any(each is not None and each.engine == "direct" for each in known)

    def require_ranges(self, has_scales: bool, spec: ModelSpec) -> None:
        """Samples to calibrate on, or scales in the model, which only the direct engine can take.

        Raises:
            UsageError: There are neither.
        """
        calibrated = [file for file in self.files if file[1] in CALIBRATED]
        for file in calibrated:
            known = self._recipes.get(file)
            if known and known.calibrator == CALIBRATOR and not has_scales:
                raise UsageError(
                    f"The recipe of {_listed([file])} is of a model that came with scales of its "
                    "own, and this one has none.",
                    "Leave out --recipe, or take the recipe of a model like this one.",
                )
        if not calibrated or self.options.calib is not None:
            return
        if not has_scales or any(self.engine(file) != "direct" for file in calibrated):
            if takes_pictures(spec):
                raise UsageError(
                    f"{calibrated[0][1]} needs pictures to calibrate on.",
                    "Add --calib FOLDER with some dozens of typical photos.",
                )
            raise UsageError(
                f"{calibrated[0][1]} needs samples to calibrate on.",
                "Add --calib FILE.npz with some dozens of typical samples: "
                f"{wanted_tensors(spec)}.",
            )

    def own_options(self) -> tuple[str, ...]:
        """Options that were given and are for mobileq's own quantization only."""
        return tuple(choice.option for choice in _choices(self.options) if choice.is_ours)

    def notices(self) -> Iterator[str]:
        """Of options that change nothing, or not all that they are for.

        Raises:
            UsageError: A recipe settles what an option was given for. To make the same file as
                without the option would look as if it had been obeyed.
        """
        recipe, recipes = self.options.recipe, self._recipes
        if recipe is not None and not any(file in recipes for file in self.files):
            yield f"{recipe} has no recipe for {_listed(self.files)} and changes nothing here."
        for choice in _choices(self.options):
            concerned = [file for file in self.files if choice.concerns(file)]
            settled = _listed([file for file in concerned if file in recipes])
            others = [file for file in concerned if self._is_others(file)]
            if choice.is_ours and others:
                yield (
                    f"{choice.option} does not change {_listed(others)}, which mobileq does not "
                    "calibrate."
                )
            if not concerned:
                yield f"{choice.option} is for {choice.kinds} and changes nothing here."
            elif all(file in recipes for file in concerned):
                raise UsageError(
                    f"{choice.option} would change nothing: {recipe} says how {settled} is made.",
                    f"Leave out {choice.option}, or --recipe; the recipe can be edited, too.",
                )
            elif settled:
                yield f"{choice.option} does not change {settled}, for which there is a recipe."

    def _is_others(self, file: File) -> bool:
        """Whether TensorFlow's converter or MNN's own quantizer calibrates a file, by itself."""
        if file in self._recipes:
            return False  # it is the recipe then that settles all
        own = file == ("mnn", "int8") and self.options.mnn_method != "mobileq"
        return own or self.engine(file) != "direct"

    def _check_recipes(self, path: Path) -> None:
        """That there is something to make, and that all of it can be."""
        asked = {file: each for file, each in self._recipes.items() if file[0] in self.targets}
        for (name, precision), recipe in asked.items():
            target = self.targets[name]
            if precision not in target.precisions:
                raise UsageError(
                    f"The target {name} has no {precision}, for which {path} has a recipe.",
                    f"Choose of: {', '.join(target.precisions)}.",
                )
            if recipe.engine not in target.engines:
                raise UsageError(
                    f"The target {name} has no engine {recipe.engine}, which {path} names.",
                    f"Choose of: {', '.join(target.engines)}.",
                )
            if not recipe.per_channel:
                raise UsageError(
                    f"{path} asks for one scale for all weights of an op; files have one for each "
                    "output channel.",
                    "Take per_channel out of it.",
                )
        if not asked and self.options.precisions is None:
            known = ", ".join(dict.fromkeys(name for name, _ in self._recipes))
            raise UsageError(
                f"{path} has no recipe for {', '.join(self.targets)}.",
                f"Choose another --target: {known}.",
            )


def _with_constants(overrides: Overrides, constants: Mapping[str, str]) -> Overrides:
    """With the inputs that a recipe sets, but for those that are set anew."""
    given = {option.partition("=")[0] for option in overrides.set_inputs}
    kept = [f"{name}={value}" for name, value in constants.items() if name not in given]
    return replace(overrides, set_inputs=(*overrides.set_inputs, *kept))


def _listed(files: Sequence[File]) -> str:
    return ", ".join(f"{name}-{precision}" for name, precision in files)


@dataclass(frozen=True)
class _Choice:
    """An option that was given and is for some files only."""

    option: str
    precisions: tuple[Precision, ...]
    kinds: str
    target: str | None = None
    is_ours: bool = False
    """Whether it is for mobileq's own quantization only."""

    def concerns(self, file: File) -> bool:
        """Whether a file is made by it."""
        return file[1] in self.precisions and self.target in (None, file[0])


def _choices(options: ConvertOptions) -> list[_Choice]:
    """Of what a recipe holds, what the command line says too."""
    asked = options.quantization
    integer, mnn = "int8 and int16x8", "int8 of MNN"
    known = [
        (options.engine != "direct", _Choice("--engine", get_args(Precision), "TFLite", "tflite")),
        (options.head != "auto", _Choice("--head", get_args(Precision), "all files")),
        (options.io != "float32", _Choice("--io", _INTEGER_ENDS, "int8 of TFLite", "tflite")),
        (bool(asked.keep_float), _Choice("--keep-float", CALIBRATED, integer, is_ours=True)),
        (asked.calibrator != "auto", _Choice("--calibrator", CALIBRATED, integer, is_ours=True)),
        (asked.repairs is not None, _Choice("--repair", CALIBRATED, integer, is_ours=True)),
        (asked.budget is not None, _Choice("--budget", _SEARCHED, "int8", is_ours=True)),
        (not asked.search, _Choice("--no-search", _SEARCHED, "int8", is_ours=True)),
        (options.mnn_method != "mobileq", _Choice("--mnn-method", ("int8",), mnn, "mnn")),
        (options.mnn_weights != "MAX_ABS", _Choice("--mnn-weights", ("int8",), mnn, "mnn")),
    ]
    return [choice for is_given, choice in known if is_given]


def _check_names(options: ConvertOptions) -> None:
    for value, kind, option in (
        *((precision, Precision, "--precision") for precision in options.precisions or ()),
        (options.engine, Engine, "--engine"),
        (options.io, IoDtype, "--io"),
        (options.head, Head, "--head"),
        (options.quantization.calibrator, Calibrator, "--calibrator"),
        (options.mnn_method, MnnMethod, "--mnn-method"),
        (options.mnn_weights, MnnWeights, "--mnn-weights"),
    ):
        if value not in get_args(kind):
            known = ", ".join(get_args(kind))
            raise UsageError(f"{option} can't be {value!r}.", f"Choose of: {known}.")
    if options.precisions == ():
        raise UsageError("No precision was given.", "Add --precision fp32,fp16.")
    if not options.targets:
        raise UsageError("No target was given.", "Add --target tflite.")


def _check_target(target: Target, options: ConvertOptions) -> None:
    missing = [each for each in options.precisions or () if each not in target.precisions]
    if missing:
        raise UsageError(
            f"The target {target.name} has no {missing[0]}.",
            f"Choose of: {', '.join(target.precisions)}.",
        )


def _check_quantization(options: ConvertOptions) -> None:
    for pattern in options.quantization.keep_float:
        _check_pattern(pattern)
    budget = options.quantization.budget
    if budget is not None and not 0.0 <= budget < 1.0:
        raise UsageError(
            f"--budget can't be {budget:g}.", "Give the mAP that may be lost, such as 0.005."
        )
    if budget is not None and not options.quantization.search:
        raise UsageError("--budget needs a search.", "Leave out --no-search.")
    for name in options.quantization.repairs or ():
        if name not in REPAIRS:
            raise UsageError(f"There is no repair {name!r}.", f"Choose of: {', '.join(REPAIRS)}.")
    if options.annotations is not None and budget is None:
        raise UsageError("--annotations is for a budget.", "Add --budget 0.005.")
    if options.eval_images is not None and options.annotations is None:
        raise UsageError("--eval-images come without labels.", "Add --annotations FILE.")


def _check_pattern(pattern: str) -> None:
    if not pattern:
        raise UsageError(
            "--keep-float is empty, which matches every op.", "Give part of a tensor's name."
        )
    try:
        re.compile(pattern)
    except re.error as error:
        raise UsageError(
            f"--keep-float {pattern!r} is no regular expression: {error}.",
            "Give a Python regular expression on the ONNX model's tensor names.",
        ) from error
