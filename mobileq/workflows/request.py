"""What a run of `mobileq convert` is asked for: options, and recipes that settle some files."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import cast, get_args

from mobileq.errors import UsageError
from mobileq.quantize.given_plan import CALIBRATOR
from mobileq.quantize.options import SENSITIVE, QuantOptions, as_options
from mobileq.quantize.plan import Calibrator
from mobileq.quantize.repairs.registry import REPAIRS
from mobileq.spec import (
    CALIBRATED,
    HeadKind,
    IoDtype,
    ModelSpec,
    Precision,
    QuantRecipe,
)
from mobileq.targets.base import Target
from mobileq.targets.info import TargetInfo, TargetOption
from mobileq.targets.registry import TARGETS, default_target, load_target, target_options
from mobileq.workflows.inputs import takes_pictures, wanted_tensors
from mobileq.workflows.opening import Overrides
from mobileq.workflows.recipe_file import Recipes, read_recipes
from mobileq.workflows.source import Head

File = tuple[str, Precision]
"""A file that is to be made: its target's name and its precision."""

_KEEP_FLOAT = "--keep-float"
_SEARCHED: tuple[Precision, ...] = ("int8", "int8-full")
"""Of which several files are tried."""


@dataclass(frozen=True)
class ConvertOptions:
    """What `convert` can be told; see `mobileq convert --help`."""

    targets: tuple[str, ...] = (default_target().name,)
    precisions: tuple[Precision, ...] | None = None
    """For every target; None: each target's own defaults."""
    target_options: Mapping[str, str] = field(default_factory=dict)
    """Of those that the targets have (`TargetInfo.options`) what is not to be the default."""
    calib: Path | None = None
    calib_count: int | None = None
    """None: 64, or as many as there are."""
    seed: int = 0
    head: Head = "auto"
    """auto: raw for the integer precisions where the family's decoding is known, else decoded."""
    fold_preprocessing: bool = False
    """The files take RGB pixels from 0 to 255; what made floats of them is in the graph."""
    quantization: QuantOptions = field(default_factory=QuantOptions)
    eval_images: Path | None = None
    annotations: Path | None = None
    """Labelled pictures to hold the budget on: half of them to decide, half to report."""
    recipe: Path | None = None
    overrides: Overrides = field(default_factory=Overrides)
    layer_noise: bool = False
    """Of each int8 file it is measured where along the network its numbers leave the float model's.
    Of files that other tools quantized it always is, since nothing else tells what they did."""
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
        self.fold_preprocessing = options.fold_preprocessing
        if options.recipe is not None:
            self._recipes, file = read_recipes(options.recipe)
            self.overrides = _with_constants(options.overrides, file.set_inputs)
            self.fold_preprocessing |= file.fold_preprocessing
            self._check_recipes(options.recipe)

    @contextmanager
    def converters(self) -> Iterator[None]:
        """Those of the targets; they end with the block, however that ends."""
        try:
            yield
        finally:
            for target in self.targets.values():
                target.close()

    def start_converter(self) -> None:
        """Have the first target's start, within `converters`, while something else is done."""
        next(iter(self.targets.values())).start()

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
        return self.options.precisions or tuple(
            each.name for each in target.info.precisions if each.is_default
        )

    def head(self, file: File) -> Head:
        """The one that is wanted; a model that came quantized may have no choice."""
        known = self._recipes.get(file)
        return known.head if known else self.options.head

    def engine(self, file: File) -> str:
        """The one that the file is to be made by."""
        return self._chosen(file).get("engine", self._info(file).engines[0])

    def quantization(self, file: File) -> QuantOptions:
        """How ranges and float ops are chosen."""
        known = self._recipes.get(file)
        return as_options(known) if known else self.options.quantization

    def recipe(self, file: File, head: HeadKind, engine: str) -> QuantRecipe:
        """The file's recipe, as far as it is known before anything is measured."""
        options = self._chosen(file)
        options.pop("engine", None)
        io = cast(IoDtype, options.pop("io", "float32"))
        has_io = any(each.name == "io" for each in self._info(file).options)
        if file[1] == "int8-full" and io == "float32" and has_io:
            io = "int8"
        return QuantRecipe(precision=file[1], engine=engine, head=head, io=io, options=options)

    def _chosen(self, file: File) -> dict[str, str]:
        """Options of its target that are not the default and change the file."""
        info, known = self._info(file), self._recipes.get(file)
        given = self.options.target_options
        if known:
            given = {each.name: known.option(each.name) or each.default for each in info.options}
        return info.chosen(given, file[1])

    def _info(self, file: File) -> TargetInfo:
        return self.targets[file[0]].info

    def is_settled(self, target: str) -> bool:
        """Whether a recipe says that a file of the target is by its first engine."""
        known = [self._recipes.get(file) for file in self.files if file[0] == target]
        first = self.targets[target].info.engines[0]
        return any(each is not None and each.engine == first for each in known)

    def require_ranges(self, has_scales: bool, spec: ModelSpec) -> None:
        """Samples to calibrate on, or scales in the model, which no other tool can take.

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
        if not has_scales or any(self._calibrated_by(file) for file in calibrated):
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

    def _calibrated_by(self, file: File) -> TargetOption | None:
        """The option by which another tool than mobileq calibrates a file."""
        recipe = self.recipe(file, "decoded", self.engine(file))
        return self._info(file).calibrated_by(recipe)

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
            # Where there is a recipe it settles all.
            others = [f for f in concerned if f not in recipes and self._is_deaf(f, choice)]
            if others:
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

    def _is_deaf(self, file: File, choice: _Choice) -> bool:
        """Whether another tool makes the file, which the choice does not reach."""
        other = self._calibrated_by(file)
        heard = choice.option == _KEEP_FLOAT and other is not None and other.others_keep_float
        return choice.is_ours and other is not None and not heard

    def _check_recipes(self, path: Path) -> None:
        """That there is something to make, and that all of it can be."""
        asked = {file: each for file, each in self._recipes.items() if file[0] in self.targets}
        for (name, precision), recipe in asked.items():
            target = self.targets[name]
            if precision not in target.info.precision_names:
                raise UsageError(
                    f"The target {name} has no {precision}, for which {path} has a recipe.",
                    f"Choose of: {', '.join(target.info.precision_names)}.",
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
    kinds: str
    concerns: Callable[[File], bool]
    """Whether a file is made by it."""
    is_ours: bool = False
    """Whether it is for mobileq's own quantization only."""


def _choices(options: ConvertOptions) -> list[_Choice]:
    """Of what a recipe holds, what the command line says too."""
    asked = options.quantization

    def ours(option: str, precisions: tuple[Precision, ...], kinds: str) -> _Choice:
        return _Choice(option, kinds, lambda file: file[1] in precisions, is_ours=True)

    integer = "int8 and int16x8"
    known = [
        (options.head != "auto", _Choice("--head", "all files", lambda file: True)),
        (bool(asked.keep_float), ours(_KEEP_FLOAT, CALIBRATED, integer)),
        (asked.calibrator != "auto", ours("--calibrator", CALIBRATED, integer)),
        (asked.repairs is not None, ours("--repair", CALIBRATED, integer)),
        (asked.budget is not None, ours("--budget", _SEARCHED, "int8")),
        (not asked.search, ours("--no-search", _SEARCHED, "int8")),
    ]
    return [choice for is_given, choice in known if is_given] + [
        _of_targets(option, options.target_options)
        for name, option in target_options().items()
        if options.target_options.get(name, option.default) != option.default
    ]


def _of_targets(option: TargetOption, given: Mapping[str, str]) -> _Choice:
    return _Choice(
        option.flag,
        option.concerns,
        lambda file: option.name in TARGETS[file[0]].chosen(given, file[1]),
    )


def _check_names(options: ConvertOptions) -> None:
    known, given = target_options(), options.target_options
    unknown = [name for name in given if name not in known]
    if unknown:
        raise UsageError(f"No target has {unknown[0]!r}.", f"There are: {', '.join(known)}.")
    for value, choices, option in (
        *((each, get_args(Precision), "--precision") for each in options.precisions or ()),
        *((value, known[name].choices, known[name].flag) for name, value in given.items()),
        (options.head, get_args(Head), "--head"),
        (options.quantization.calibrator, get_args(Calibrator), "--calibrator"),
    ):
        if value not in choices:
            raise UsageError(f"{option} can't be {value!r}.", f"Choose of: {', '.join(choices)}.")
    if options.precisions == ():
        raise UsageError("No precision was given.", "Add --precision fp32,fp16.")
    if not options.targets:
        raise UsageError("No target was given.", f"Add --target {default_target().name}.")


def _check_target(target: Target, options: ConvertOptions) -> None:
    names = target.info.precision_names
    missing = [each for each in options.precisions or () if each not in names]
    if missing:
        raise UsageError(
            f"The target {target.name} has no {missing[0]}.",
            f"Choose of: {', '.join(names)}.",
        )


def _check_quantization(options: ConvertOptions) -> None:
    for pattern in options.quantization.keep_float:
        _check_pattern(pattern)
    budget = options.quantization.budget
    if budget is not None and not 0.0 <= budget < 1.0:
        raise UsageError(
            f"--budget can't be {budget:g}.", "Give what may be lost, such as 0.005 of mAP50-95."
        )
    if budget is not None and not options.quantization.search:
        raise UsageError("--budget needs a search.", "Leave out --no-search.")
    if SENSITIVE in options.quantization.keep_float and not options.quantization.search:
        raise UsageError(f"{_KEEP_FLOAT} {SENSITIVE} needs a search.", "Leave out --no-search.")
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
