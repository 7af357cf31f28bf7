"""Which judge on pictures without labels ranks int8 files as what they lose with labels does.

    python benchmarks/judges.py [--models nanodet,yolov5n] [--pictures N [--others]] -o FOLDER

Files are calibrated on the first 64 pictures of coco128 (by file name), judged on the last 64, and
what they truly lose is mAP50-95 on coco500. The README of this folder says what the columns mean. A
run that was cut goes on where it was.
"""

from __future__ import annotations

import argparse
import pickle
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from accuracy import chosen_models
from accuracy_runs import tell
from judge_files import FLOAT, RECIPES, Answers, Files, Recipe, Seen
from judge_measures import HELD, PRESENT, judges
from numpy.typing import NDArray

from mobileq.bootstrap import SURE, resamples
from mobileq.quantize.search import ENOUGH_ERROR
from mobileq.tasks.base import task_of
from mobileq.tasks.detect.detections import Detections

Array = NDArray[np.float64]
Judged = dict[tuple[str, str], Array]
DRAWS, SPLITS = 150, 50
MODELS = "yolox_nano,nanodet,yolov5n,yolov8n_320_deq"
HOPELESS = 0.05
"""Files that lose more make any judge look good."""
FEW, ALL = 24, 64
SETS = ("24", "64")
SEARCH = "what the search does"
GAMES = ("of two", "of two alike", "of six", "of all")
COLUMNS = (
    *("judge", "pictures", "Spearman"),
    *GAMES,
    *(f"{game}, if shown" for game in GAMES),
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Make and run the files, print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", default=MODELS, help="default: %(default)s")
    parser.add_argument("--pictures", type=int, help="so many of coco500, drawn at random")
    parser.add_argument("--others", action="store_true", help="all but these")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder for all files")
    options = parser.parse_args(arguments)
    if options.others and options.pictures is None:
        parser.error("--others are those that --pictures leaves.")
    studies = []
    for path in chosen_models(options.models):
        study = measured(path, options)
        studies.append(study)
        print(table(study), flush=True)
    print(together(studies), flush=True)


@dataclass(frozen=True, eq=False)
class Study:
    """One model's files, those first that are taken where nothing is shown.

    Attributes:
        lost: [1 + draws, files]: mAP50-95, of all pictures, and of resamples of them.
        halves: [2, splits, files]: of half of the pictures, and of the other half.
        judged: By (judge, set of pictures), as `lost` what the judge says of each file.
    """

    name: str
    recipes: list[Recipe]
    lost: Array
    halves: Array
    judged: Judged

    def rankings(self) -> Judged:
        """All judges, and what they are held against."""
        levels = np.array([float(recipe.level) for recipe in self.recipes])
        return {
            ("labels of the same pictures", ""): self.lost,
            ("more ops in float", ""): np.tile(-levels, (1 + DRAWS, 1)),
            **self.judged,
        }


def measured(path: Path, options: argparse.Namespace) -> Study:
    """Of one model. Of a file that was measured before, the figures are read."""
    folder: Path = options.output / path.stem
    figures = folder / "figures"
    figures.mkdir(parents=True, exist_ok=True)
    files = Files(path, folder)
    answers = Answers(files.models(), files.spec, folder)
    start, end = (options.pictures, None) if options.others else (0, options.pictures)
    truth, keys, found = answers.truth(start, end)
    seen, task, count = answers.seen(), task_of(files.spec), len(keys)
    halves = split_weights(count)
    weights = np.concatenate([drawn_weights(count, 0), halves, 1.0 - halves])
    values, judged = dict[str, Array](), dict[str, Judged]()

    def resampled(detections: list[Detections]) -> Array:
        return task.score(truth, keys, detections).resampled(weights)

    for name, detections in found.items():
        values[name] = once(
            figures / f"{name}-{'not-' * options.others}{options.pictures or 'all'}.pickle",
            partial(resampled, detections),
        )
        if name != FLOAT:
            judged[name] = once(
                figures / f"{name}-judged.pickle", partial(judged_file, seen[FLOAT], seen[name])
            )
            tell(f"{path.stem} {name}: {values[FLOAT][0] - values[name][0]:.4f}")
    recipes = [
        recipe
        for recipe in sorted(RECIPES, key=lambda each: each.preference)
        if recipe.key in judged and values[FLOAT][0] - values[recipe.key][0] < HOPELESS
    ]
    names = [recipe.key for recipe in recipes]
    lost = np.stack([values[FLOAT] - values[name] for name in names], axis=1)
    return Study(
        path.stem,
        recipes,
        lost[: 1 + DRAWS],
        lost[1 + DRAWS :].reshape(2, SPLITS, len(names)),
        {key: np.stack([judged[name][key] for name in names], axis=1) for key in judged[names[0]]},
    )


def once[T](path: Path, made: Callable[[], T]) -> T:
    """What is made, or was before."""
    if not path.exists():
        path.write_bytes(pickle.dumps(made()))
    known: T = pickle.loads(path.read_bytes())
    return known


def drawn_weights(count: int, seed: int) -> Array:
    """[1 + draws, pictures]: all once, then resamples."""
    return np.concatenate([np.ones((1, count)), resamples(count, DRAWS, seed)])


def split_weights(count: int) -> Array:
    """[splits, pictures]: 1 of half of the pictures."""
    half = np.arange(count) < count // 2
    drawn = np.random.default_rng(5).permuted(np.tile(half, (SPLITS, 1)), axis=1)
    return drawn.astype(np.float64)


def judged_file(wanted: Sequence[Seen], found: Sequence[Seen]) -> Judged:
    """By (judge, set of pictures), [1 + draws] of what is said of a file."""
    few = np.pad(drawn_weights(FEW, 1), ((0, 0), (0, ALL - FEW)))
    weights = dict(zip(SETS, (few, drawn_weights(ALL, 2)), strict=True))
    return {
        (judge, pictures): drawn(weights[pictures])
        for judge, drawn in judges(wanted, found).items()
        for pictures in SETS
    }


def ranks(values: Array) -> Array:
    """[draws, files]: how many are less, but for a factor and a constant."""
    found: Array = np.sign(values[:, :, np.newaxis] - values[:, np.newaxis]).sum(axis=2)
    return found


def correlations(judged: Array, lost: Array) -> Array:
    """[draws] of Spearman's."""
    one, other = ranks(judged), ranks(lost)
    power = np.square(one).sum(axis=1) * np.square(other).sum(axis=1)
    found: Array = (one * other).sum(axis=1) / np.sqrt(np.maximum(power, 1e-12))
    return found


@dataclass(frozen=True, eq=False)
class Choices:
    """What is gained over a choice by chance, [1 + draws] of mAP50-95, where one of two files is
    to be chosen, of two with the same ops in float, of the six calibrators, of all.
    """

    two: Array
    alike: Array
    six: Array
    all: Array

    @property
    def games(self) -> tuple[Array, ...]:
        """In the order of `GAMES`."""
        return self.two, self.alike, self.six, self.all


def choices(
    study: Study,
    judged: Array,
    sure: float,
    held: Array | None = None,
    *,
    only_levels: bool = False,
) -> Choices:
    """What a judge's choices gain.

    Args:
        sure: Standard errors that a file must be better by than one that comes before it.
        held: Of `HELD`: a file that is off by `ENOUGH_ERROR` times as much as the one that would
            be taken in its place, or as the judge's best of several, is not taken.
        only_levels: Of files with the same ops in float, the one that comes first is taken.
    """
    lost, count = study.lost, len(study.recipes)
    differences = judged[:, :, np.newaxis] - judged[:, np.newaxis]
    margin = sure * differences[1:].std(axis=0, ddof=1)
    left, right = np.triu_indices(count, 1)
    changed = differences[:, left, right] > margin[left, right]
    if held is None:
        held = np.zeros_like(judged)
    most = np.log(ENOUGH_ERROR)
    changed |= held[:, left] - held[:, right] > most
    levels = np.array([recipe.level for recipe in study.recipes])
    if only_levels:
        changed &= levels[left] != levels[right]
    gained = (lost[:, left] - lost[:, right]) * (changed - 0.5)
    drawn = drawn_weights(count, 3)
    weights = drawn[:, left] * drawn[:, right]

    def mean_of(pairs: NDArray[np.bool_]) -> Array:
        mine = weights * pairs
        mean: Array = (gained * mine).sum(axis=1) / np.maximum(mine.sum(axis=1), 1.0)
        return mean

    def one_of(files: NDArray[np.intp]) -> Array:
        asked = files
        if only_levels:
            asked = files[np.unique(levels[files], return_index=True)[1]]
        own = judged[:, asked]
        least = asked[own.argmin(axis=1)]
        rows = np.arange(len(own))
        excess = own - judged[rows, least][:, np.newaxis]
        off = held[:, asked] - held[rows, least][:, np.newaxis]
        enough = (excess <= margin[asked][:, least].T) & (off <= most)
        chosen = asked[enough.argmax(axis=1)]
        gain: Array = lost[:, files].mean(axis=1) - lost[rows, chosen]
        return gain

    plain = np.array([recipe.is_plain for recipe in study.recipes])
    sixes = [np.flatnonzero(plain & (levels == level)) for level in np.unique(levels)]
    return Choices(
        mean_of(np.ones(len(left), bool)),
        mean_of(levels[left] == levels[right]),
        np.mean([one_of(files) for files in sixes], axis=0),
        one_of(np.arange(count)),
    )


def searched(study: Study) -> Choices:
    """As the search chooses: ranges by gradients, and of the ops in float as few as will do."""
    present, held = (study.judged[judge, SETS[0]] for judge in (PRESENT, HELD))
    return choices(study, present, SURE, held, only_levels=True)


def told(values: Array, times: float = 1000.0, form: str = ".1f") -> str:
    """With its standard error, which has no sign."""
    error = values[1:].std(ddof=1) * times
    return f"{values[0] * times:{form}} ({error:{form.lstrip('+')}})"


def ranked(study: Study, judged: Array) -> Array:
    """`correlations` with what is lost; of files drawn as well."""
    count = len(study.recipes)
    drawn = np.random.default_rng(4).integers(0, count, (DRAWS, count))
    drawn = np.concatenate([np.arange(count)[np.newaxis], drawn])
    judged, lost = (np.take_along_axis(each, drawn, 1) for each in (judged, study.lost))
    return correlations(judged, lost)


def table(study: Study) -> str:
    """Of one model, as Markdown."""
    lost = study.lost[0] * 1000.0
    error = study.lost[1:].std(axis=0, ddof=1).mean() * 1000.0
    halves = correlations(*study.halves)
    lines = [
        f"## {study.name}",
        "",
        f"{len(lost)} files lose {lost.min():.1f} to {lost.max():.1f} thousandths of mAP50-95, "
        f"{lost.mean():.1f} on average (standard error of one: {error:.1f}). Half of the pictures "
        f"rank them as the other half with {halves.mean():.2f} (Spearman, {SPLITS} splits).",
        "",
        f"| {' | '.join(COLUMNS)} |",
        f"| --- | --- |{' ---: |' * (len(COLUMNS) - 2)}",
    ]
    for key, values in study.rankings().items():
        cells = [*key, told(ranked(study, values), 1.0, ".2f")]
        for sure in (0.0, SURE):
            cells += map(told, choices(study, values, sure).games)
        lines.append(f"| {' | '.join(cells)} |")
    cells = [SEARCH, SETS[0], *[""] * (1 + len(GAMES)), *map(told, searched(study).games)]
    return "\n".join([*lines, f"| {' | '.join(cells)} |", ""])


def together(studies: Sequence[Study]) -> str:
    """How judges rank each model's files, and what all gain by others than the search's, as
    Markdown. Draw by draw: all models saw the same pictures."""
    names = [study.name for study in studies]
    columns = (*COLUMNS[:2], *names, "mean", *COLUMNS[3:])
    lines = [
        f"## {', '.join(names)}: Spearman, and what is gained over {SEARCH}",
        "",
        f"| {' | '.join(columns)} |",
        f"| --- | --- |{' ---: |' * (len(columns) - 2)}",
    ]
    now = [searched(study).games for study in studies]
    for key in studies[0].rankings():
        each = [study.rankings()[key] for study in studies]
        found = [ranked(*pair) for pair in zip(studies, each, strict=True)]
        cells = [*key, *(told(one, 1.0, ".2f") for one in (*found, np.mean(found, axis=0)))]
        for sure in (0.0, SURE):
            then = [choices(*pair, sure).games for pair in zip(studies, each, strict=True)]
            gained = np.mean(np.array(then) - np.array(now), axis=0)
            cells += [told(game, form="+.1f") for game in gained]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    main()
