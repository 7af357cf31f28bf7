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
from judge_measures import PRESENT, judges
from numpy.typing import NDArray

from mobileq.bootstrap import SURE, resamples
from mobileq.tasks.base import task_of

Array = NDArray[np.float64]
DRAWS = 150
MODELS = "yolox_nano,nanodet,yolov5n"
HOPELESS = 0.05
"""Files that lose more make any judge look good."""
FEW, ALL = 24, 64
SETS = ("24", "64", "64 and mirrored")
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
        judged: By (judge, set of pictures), the same of what the judge says of each file.
    """

    name: str
    recipes: list[Recipe]
    lost: Array
    judged: dict[tuple[str, str], Array]


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
    task, weights = task_of(files.spec), drawn_weights(len(keys), 0)
    values = {}
    for name, detections in found.items():
        values[name] = task.score(truth, keys, detections).resampled(weights)
    lost = {name: values[FLOAT] - each for name, each in values.items() if name != FLOAT}
    recipes = sorted((r for r in RECIPES if r.key in lost), key=lambda r: r.preference)
    for recipe in recipes:
        tell(f"{path.stem} {recipe.key}: {lost[recipe.key][0]:.4f}")
    recipes = [recipe for recipe in recipes if lost[recipe.key][0] < HOPELESS]
    names = [recipe.key for recipe in recipes]
    study = Study(
        path.stem,
        recipes,
        np.stack([lost[name] for name in names], axis=1),
        {judge: np.stack([each[name] for name in names], axis=1) for judge, each in judged.items()},
    )
    stored.write_bytes(pickle.dumps(study))
    return study


def drawn_weights(count: int, seed: int) -> Array:
    """[1 + draws, pictures]: all once, then resamples."""
    return np.concatenate([np.ones((1, count)), resamples(count, DRAWS, seed)])


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


def choices(study: Study, judged: Array, sure: float) -> Choices:
    """Args: sure: Standard errors that a file must be better by than one that comes before it."""
    lost, count = study.lost, len(study.recipes)
    differences = judged[:, :, np.newaxis] - judged[:, np.newaxis]
    margin = sure * differences[1:].std(axis=0, ddof=1)
    left, right = np.triu_indices(count, 1)
    changed = differences[:, left, right] > margin[left, right]
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
        chosen = files[(excess <= margin[files][:, least].T).argmax(axis=1)]
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


def told(values: Array, times: float = 1000.0, form: str = ".1f") -> str:
    """With its standard error."""
    return f"{values[0] * times:{form}} ({values[1:].std(ddof=1) * times:{form}})"


def table(study: Study) -> str:
    """Of one model, as Markdown."""
    lost = study.lost[0] * 1000.0
    error = study.lost[1:].std(axis=0, ddof=1).mean() * 1000.0
    lines = [
        f"## {study.name}",
        "",
        f"{len(lost)} files lose {lost.min():.1f} to {lost.max():.1f} thousandths of mAP50-95, "
        f"{lost.mean():.1f} on average (standard error of one: {error:.1f}).",
        "",
        f"| {' | '.join(COLUMNS)} |",
        f"| --- | --- |{' ---: |' * (len(COLUMNS) - 2)}",
    ]
    drawn = np.random.default_rng(4).integers(0, len(lost), (DRAWS, len(lost)))
    drawn = np.concatenate([np.arange(len(lost))[np.newaxis], drawn])
    levels = np.array([float(recipe.level) for recipe in study.recipes])
    judged = {
        ("labels of the same pictures", ""): study.lost,
        ("more ops in float", ""): np.tile(-levels, (1 + DRAWS, 1)),
        **study.judged,
    }
    for (judge, pictures), values in judged.items():
        found = correlations(
            np.take_along_axis(values, drawn, 1), np.take_along_axis(study.lost, drawn, 1)
        )
        cells = [judge, pictures, *(told(each, 1.0, ".2f") for each in found)]
        for sure in (0.0, SURE):
            made = choices(study, values, sure)
            cells += map(told, (made.two, made.alike, made.five, made.all))
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def together(studies: Sequence[Study]) -> str:
    """What all models gain by other judges than the search's, as Markdown."""
    lines = [
        f"## {', '.join(study.name for study in studies)}: gained over what the search does",
        "",
        f"| {' | '.join((*COLUMNS[:2], *COLUMNS[4:]))} |",
        f"| --- | --- |{' ---: |' * (len(COLUMNS) - 4)}",
    ]
    for key in studies[0].judged:
        cells = list(key)
        for sure in (0.0, SURE):
            for kind in ("two", "alike", "five", "all"):
                gained = []
                for study in studies:
                    now = choices(study, study.judged[PRESENT, SETS[0]], SURE)
                    then = choices(study, study.judged[key], sure)
                    gained.append(getattr(then, kind) - getattr(now, kind))
                value = float(np.mean([each[0] for each in gained])) * 1000.0
                errors = [each[1:].std(ddof=1) for each in gained]
                error = float(np.sqrt(np.square(errors).sum())) / len(studies) * 1000.0
                cells.append(f"{value:+.1f} ({error:.1f})")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    main()
