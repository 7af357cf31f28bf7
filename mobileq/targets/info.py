"""What a target says of itself, as data: all that others need to know without asking its code.

Each room states it once, in its `info.py`, which imports nothing heavy: the command line reads its
options there before anything is converted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mobileq.spec import Precision, QuantRecipe


@dataclass(frozen=True, kw_only=True)
class Tolerance:
    """What counts as the same: `|candidate - reference| <= atol * range + rtol * |reference|` for
    every element, and at least `sqnr_db` of signal over all of them. None: not required.

    The range is the output's own, see `mobileq.evaluate.numeric.value_range`: outputs reach from
    1e-3 to 1e4, and what is rounding in one is everything in another.

    `rounding`: how often the reference's own rounding is added to `atol`, and `rounding_db`: how
    far the SQNR may lie under that of the reference's own rounding; see
    `mobileq.evaluate.numeric.disagreement`.
    """

    atol: float | None = None
    rtol: float | None = None
    sqnr_db: float | None = None
    rounding: float = 0.0
    rounding_db: float | None = None


FLOAT32 = Tolerance(atol=1e-3, rtol=1e-3, sqnr_db=60.0, rounding=8.0)
"""Float32 differs by the order of summation only: 1e-6 relative is usual, 60 dB is 1e-3."""
FLOAT16 = Tolerance(sqnr_db=30.0, rounding_db=75.0)
"""Half precision weights have 11 bits; an error of 2^-12 in each is 72 dB in a layer. Of five
trained detectors fp16 files had 31 to 75 dB, 60 to 71 less than their float32 files."""


@dataclass(frozen=True, kw_only=True)
class PrecisionInfo:
    """A precision that a target has files in.

    Attributes:
        gentler: What to use where a file in it finds too little; None: another target.
        tolerance: What a file must agree to. None: it is measured, and held to a floor.
        is_default: Whether it is made when nobody says which.
    """

    name: Precision
    gentler: Precision | None
    tolerance: Tolerance | None = None
    is_default: bool = False


@dataclass(frozen=True, kw_only=True)
class TargetOption:
    """Something that can be chosen for a target's files: `--mnn-method KL`, `mnn_method="KL"`.

    Attributes:
        name: As a keyword, and in a recipe.
        choices: All values, the default first.
        help: One sentence for `mobileq convert --help`.
        precisions: Of the files that it is for; None: of all.
        concerns: What it is for, in the words of a notice: "int8 of MNN".
        others: Values with which another tool than mobileq calibrates the file.
        others_keep_float: Whether that tool leaves ops float that are named to it.
        only_with: An option of the target that must not be at its default, or this changes nothing.
        after: The option that it follows in the help.
        metavar: What stands for the value there.
    """

    name: str
    choices: tuple[str, ...]
    help: str
    precisions: tuple[Precision, ...] | None
    concerns: str
    others: tuple[str, ...] = ()
    others_keep_float: bool = False
    only_with: str | None = None
    after: str = "precision"
    metavar: str = "NAME"

    @property
    def default(self) -> str:
        """What it is when nobody says."""
        return self.choices[0]

    @property
    def flag(self) -> str:
        """As the command line has it."""
        return f"--{self.name.replace('_', '-')}"

    def together_with(self, other: TargetOption) -> TargetOption:
        """As one, where two targets have an option of the same name."""
        return replace(
            self,
            choices=tuple(dict.fromkeys((*self.choices, *other.choices))),
            concerns=f"{self.concerns} and {other.concerns}",
        )

    def is_for(self, precision: Precision) -> bool:
        """Whether it may change files in that precision."""
        return self.precisions is None or precision in self.precisions


@dataclass(frozen=True, kw_only=True)
class NativePackage:
    """A package made of C++: that it is installed does not say that it runs on this machine.

    Attributes:
        title: For people.
        package: Its name in a package index.
        module: What to import to know.
    """

    title: str
    package: str
    module: str


@dataclass(frozen=True, kw_only=True)
class TargetInfo:
    """A runtime, as the others see it.

    Attributes:
        name: On the command line and in manifests.
        title: In sentences.
        suffix: Of its files.
        suffix_option: The option whose value is their suffix, where there are several.
        mark: Where an identifier stands in its files, and which; None of a format without one.
        implementation: `module:Class` of the `mobileq.targets.base.Target`.
        fixed_ranges: By ONNX op: the only range that what it gives may have in 8 bits.
        float_kinds: Of groups of ops that can stay float or not (`mobileq.quantize.groups`); what
            is in no such group is float, or has no choice.
        natives: What has to run on this machine for its files to be made and run.
    """

    name: str
    title: str
    suffix: str
    implementation: str
    precisions: tuple[PrecisionInfo, ...]
    float_kinds: tuple[str, ...]
    mark: tuple[int, bytes] | None = None
    suffix_option: str | None = None
    options: tuple[TargetOption, ...] = ()
    fixed_ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    natives: tuple[NativePackage, ...] = ()

    @property
    def precision_names(self) -> tuple[Precision, ...]:
        """All that it has."""
        return tuple(each.name for each in self.precisions)

    @property
    def engines(self) -> tuple[str, ...]:
        """Which can make its files, the first by default."""
        return next((each.choices for each in self.options if each.name == "engine"), ("direct",))

    @property
    def suffixes(self) -> tuple[str, ...]:
        """All that its files may have."""
        named = (each.choices for each in self.options if each.name == self.suffix_option)
        return tuple(f".{value}" for value in next(named, ())) or (self.suffix,)

    def suffix_of(self, recipe: QuantRecipe) -> str:
        """Of a file by that recipe."""
        value = recipe.option(self.suffix_option) if self.suffix_option else None
        return self.suffix if value is None else f".{value}"

    def chosen(self, given: Mapping[str, str], precision: Precision) -> dict[str, str]:
        """Of options by their names those that change a file in the precision."""
        known = {each.name: each for each in self.options}
        # Targets may share an option and not its values: what one lacks is its default.
        changed = {
            name: given[name]
            for name, each in known.items()
            if each.is_for(precision)
            and given.get(name, each.default) in each.choices
            and given.get(name, each.default) != each.default
        }
        needed = {name: known[name].only_with for name in changed}
        return {name: changed[name] for name in changed if (needed[name] or name) in changed}

    def precision(self, name: Precision) -> PrecisionInfo:
        """What it says of one that it has."""
        return next(each for each in self.precisions if each.name == name)

    def calibrated_by(self, recipe: QuantRecipe) -> TargetOption | None:
        """The option by which another tool than mobileq calibrates a file; None where mobileq
        does."""
        return next((o for o in self.options if recipe.option(o.name) in o.others), None)
