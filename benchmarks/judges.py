"""Which judge on pictures without labels ranks int8 files as what they lose with labels does.

    python benchmarks/judges.py [--models nanodet,yolov5n] [--pictures N] -o FOLDER

Files are calibrated on the first 64 pictures of coco128 (by file name), judged on the last 64, and
what they truly lose is mAP50-95 on coco500. The README of this folder says what the columns mean. A
run that was cut goes on where it was.
"""

from __future__ import annotations

import argparse
import pickle
from collections.abc import Sequence
from dataclasses import dataclass
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

Array = NDArray[np.float64]
DRAWS, SPLITS = 150, 50
MODELS = "yolox_nano,nanodet,yolov5n"
HOPELESS = 0.05
"""Files that lose more make any judge look good."""
FEW, ALL = 24, 64
SETS = ("24", "64", "64 and mirrored")
SEARCH = "what the search does"
GAMES = ("of two", "of two alike", "of five", "of all")
COLUMNS = (
    *("judge", "pictures", "Spearman", "Kendall"),
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
    parser.add_argument("--mirrored", action="store_true", help="judge mirrored pictures as well")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder for all files")
    options = parser.parse_args(arguments)
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
    judged: dict[tuple[str, str], Array]

    def rankings(self) -> dict[tuple[str, str], Array]:
        """All judges, and what they are held against."""
        levels = np.array([float(recipe.level) for recipe in self.recipes])
        return {
            ("labels of the same pictures", ""): self.lost,
            ("more ops in float", ""): np.tile(-levels, (1 + DRAWS, 1)),
            **self.judged,
        }


def measured(path: Path, options: argparse.Namespace) -> Study:
    """Of one model. What was measured of the same pictures before is read."""
    folder: Path = options.output / path.stem
    stored = folder / f"study-{options.pictures or 'all'}{'-mirrored' * options.mirrored}.pickle"
    if stored.exists():
        study: Study = pickle.loads(stored.read_bytes())
        return study
    files = Files(path, folder)
    answers = Answers(files.models(), files.spec, folder)
    judged = judged_files(answers.seen(options.mirrored))
    truth, keys, found = answers.truth(options.pictures)
    task, count = task_of(files.spec), len(keys)
    halves = split_weights(count)
    weights = np.concatenate([drawn_weights(count, 0), halves, 1.0 - halves])
    values = {}
    for name, detections in found.items():
        values[name] = task.score(truth, keys, detections).resampled(weights)
    lost = {name: values[FLOAT] - each for name, each in values.items() if name != FLOAT}
    recipes = sorted((r for r in RECIPES if r.key in lost), key=lambda r: r.preference)
    for recipe in recipes:
        tell(f"{path.stem} {recipe.key}: {lost[recipe.key][0]:.4f}")
    recipes = [recipe for recipe in recipes if lost[recipe.key][0] < HOPELESS]
    names = [recipe.key for recipe in recipes]
    losses = np.stack([lost[name] for name in names], axis=1)
    study = Study(
        path.stem,
        recipes,
        losses[: 1 + DRAWS],
        losses[1 + DRAWS :].reshape(2, SPLITS, len(names)),
        {judge: np.stack([each[name] for name in names], axis=1) for judge, each in judged.items()},
    )
    stored.write_bytes(pickle.dumps(study))
    return study


def drawn_weights(count: int, seed: int) -> Array:
    """[1 + draws, pictures]: all once, then resamples."""
    return np.concatenate([np.ones((1, count)), resamples(count, DRAWS, seed)])


def split_weights(count: int) -> Array:
    """[splits, pictures]: 1 of half of the pictures."""
    half = np.arange(count) < count // 2
    drawn = np.random.default_rng(5).permuted(np.tile(half, (SPLITS, 1)), axis=1)
    return drawn.astype(np.float64)


def judged_files(seen: dict[str, list[Seen]]) -> dict[tuple[str, str], dict[str, Array]]:
    """{(judge, set of pictures): {file: [1 + draws]}}"""
    count = len(seen[FLOAT])
    weights = {SETS[0]: np.zeros((1 + DRAWS, count)), SETS[1]: np.zeros((1 + DRAWS, count))}
    weights[SETS[0]][:, :FEW] = drawn_weights(FEW, 1)
    weights[SETS[1]][:, :ALL] = drawn_weights(ALL, 2)
    if count > ALL:
        weights[SETS[2]] = np.tile(drawn_weights(ALL, 2), 2)
    judged: dict[tuple[str, str], dict[str, Array]] = {}
    for name, each in seen.items():
        if name == FLOAT:
            continue
        for judge, drawn in judges(seen[FLOAT], each).items():
            for pictures, drawn_weight in weights.items():
                judged.setdefault((judge, pictures), {})[name] = drawn(drawn_weight)
    return judged


def signs(values: Array) -> Array:
    """[draws, files, files]: which of two is more."""
    return np.sign(values[:, :, np.newaxis] - values[:, np.newaxis])


def correlations(judged: Array, lost: Array) -> tuple[Array, Array]:
    """[draws] of Spearman's and of Kendall's (tau-b)."""
    one, other = signs(judged), signs(lost)

    def alike(left: Array, right: Array) -> Array:
        axes = tuple(range(1, left.ndim))
        power = np.square(left).sum(axis=axes) * np.square(right).sum(axis=axes)
        return (left * right).sum(axis=axes) / np.sqrt(np.maximum(power, 1e-12))

    # The sum of a file's signs is its rank, but for a factor and a constant.
    return alike(one.sum(axis=2), other.sum(axis=2)), alike(one, other)


@dataclass(frozen=True, eq=False)
class Choices:
    """What is gained over a choice by chance, [1 + draws] of mAP50-95, where one of two files is
    to be chosen, of two with the same ops in float, of the five calibrators of the search, of all.
    """

    two: Array
    alike: Array
    five: Array
    all: Array

    @property
    def games(self) -> tuple[Array, ...]:
        """In the order of `GAMES`."""
        return self.two, self.alike, self.five, self.all


def choices(study: Study, judged: Array, sure: float, held: Array | None = None) -> Choices:
    """What a judge's choices gain.

    Args:
        sure: Standard errors that a file must be better by than one that comes before it.
        held: Of `HELD`: a file that is off by `ENOUGH_ERROR` times as much as the one that would
            be taken in its place, or as the judge's best of several, is not taken.
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
    gained = (lost[:, left] - lost[:, right]) * (changed - 0.5)
    drawn = drawn_weights(count, 3)
    weights = drawn[:, left] * drawn[:, right]
    levels = np.array([recipe.level for recipe in study.recipes])

    def mean_of(pairs: NDArray[np.bool_]) -> Array:
        mine = weights * pairs
        mean: Array = (gained * mine).sum(axis=1) / np.maximum(mine.sum(axis=1), 1.0)
        return mean

    def one_of(files: NDArray[np.intp]) -> Array:
        own = judged[:, files]
        least = files[own.argmin(axis=1)]
        rows = np.arange(len(own))
        excess = own - judged[rows, least][:, np.newaxis]
        off = held[:, files] - held[rows, least][:, np.newaxis]
        enough = (excess <= margin[files][:, least].T) & (off <= most)
        chosen = files[enough.argmax(axis=1)]
        gain: Array = lost[:, files].mean(axis=1) - lost[rows, chosen]
        return gain

    searched = np.array([recipe.is_searched for recipe in study.recipes])
    fives = [np.flatnonzero(searched & (levels == level)) for level in np.unique(levels)]
    return Choices(
        mean_of(np.ones(len(left), bool)),
        mean_of(levels[left] == levels[right]),
        np.mean([one_of(files) for files in fives], axis=0),
        one_of(np.arange(count)),
    )


def searched(study: Study) -> Choices:
    """As the search chooses."""
    few = SETS[0]
    return choices(study, study.judged[PRESENT, few], SURE, study.judged[HELD, few])


def told(values: Array, times: float = 1000.0, form: str = ".1f") -> str:
    """With its standard error, which has no sign."""
    error = values[1:].std(ddof=1) * times
    return f"{values[0] * times:{form}} ({error:{form.lstrip('+')}})"


def ranked(study: Study, judged: Array) -> tuple[Array, Array]:
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
    halves, _ = correlations(*study.halves)
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
        cells = [*key, *(told(each, 1.0, ".2f") for each in ranked(study, values))]
        for sure in (0.0, SURE):
            cells += map(told, choices(study, values, sure).games)
        lines.append(f"| {' | '.join(cells)} |")
    cells = [SEARCH, SETS[0], *[""] * (2 + len(GAMES)), *map(told, searched(study).games)]
    return "\n".join([*lines, f"| {' | '.join(cells)} |", ""])


def together(studies: Sequence[Study]) -> str:
    """How judges rank each model's files, and what all gain by others than the search's, as
    Markdown. Draw by draw: all models saw the same pictures."""
    names = [study.name for study in studies]
    columns = (*COLUMNS[:2], *names, "mean", *COLUMNS[4:])
    lines = [
        f"## {', '.join(names)}: Spearman, and what is gained over {SEARCH}",
        "",
        f"| {' | '.join(columns)} |",
        f"| --- | --- |{' ---: |' * (len(columns) - 2)}",
    ]
    now = [searched(study).games for study in studies]
    for key in studies[0].rankings():
        each = [study.rankings()[key] for study in studies]
        found = [ranked(*pair)[0] for pair in zip(studies, each, strict=True)]
        cells = [*key, *(told(one, 1.0, ".2f") for one in (*found, np.mean(found, axis=0)))]
        for sure in (0.0, SURE):
            then = [choices(*pair, sure).games for pair in zip(studies, each, strict=True)]
            gained = np.mean(np.array(then) - np.array(now), axis=0)
            cells += [told(game, form="+.1f") for game in gained]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    main()
