"""The pictures of a report: as models see them, and where files say something else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from mobileq.bundle import Bundle
from mobileq.errors import UsageError
from mobileq.evaluate.runs import run_each
from mobileq.manifest import BundleManifest
from mobileq.page import most_first
from mobileq.progress import Progress, tracked
from mobileq.reporting.pictures import (
    Compared,
    ContactSheet,
    Different,
    ShownPicture,
    View,
    jpeg,
)
from mobileq.spec import Artifact, ModelSpec, Precision
from mobileq.tasks.base import Answer, Difference, Limits, task_of
from mobileq.workflows.inputs import open_calibration, takes_pictures
from mobileq.workflows.opening import OpenModel, of_artifact, reference_of

if TYPE_CHECKING:
    from mobileq.calibration.samples import Sample, SampleSet

COMPARED = 16
"""Pictures that files are run on."""
_VIEWS = 12
"""Pictures with answers in a page, which is to stay under 3 MB."""
_THUMBNAILS = 48
_FLOAT: tuple[Precision, ...] = ("fp16", "fp32")
_ORDER: tuple[Precision, ...] = ("int8", "int8-full", "dynamic", "w8", "int16x8", *_FLOAT)
_LONGEST, _THUMBNAIL = 640, 120
_VIEW_BYTES, _THUMBNAIL_BYTES = 80_000, 6_000


@dataclass(frozen=True)
class Pair:
    """A file of a bundle beside its ONNX model.

    Attributes:
        title: The bundle's, on the page.
        samples: Pictures for both.
    """

    title: str
    manifest: BundleManifest
    reference: OpenModel
    file: OpenModel
    samples: SampleSet

    @property
    def spec(self) -> ModelSpec:
        """Of the ONNX model."""
        return self.reference.spec


@dataclass(frozen=True)
class _Run:
    """What a model says of each picture: all of it, and as it is drawn."""

    names: list[str]
    all: list[Answer]
    drawn: list[Answer]


@dataclass(frozen=True)
class Answered:
    """A pair on its pictures."""

    pair: Pair
    names: list[str]
    differences: list[Difference]
    drawn: tuple[list[Answer], list[Answer]]
    """By the ONNX model, and by the file."""

    def compared(self) -> Compared:
        """All that is told of it."""
        named = zip(self.names, self.differences, strict=True)
        found = sorted((each for each in named if each[1].told), key=lambda each: -each[1].amount)
        values: dict[str, list[float]] = {}
        for difference in self.differences:
            for what, numbers in difference.values.items():
                values.setdefault(what, []).extend(numbers)
        return Compared(
            file=self.pair.file.path.name,
            count=len(self.names),
            pictures=tuple(Different(name, each.amount, each.told) for name, each in found),
            values=values,
        )


def pair_of(
    title: str, bundle: Bundle, artifact: Artifact, images: Path | None, progress: Progress
) -> Pair | None:
    """A file with pictures to run it on; None, with a notice, where there are none.

    Args:
        images: None: the calibration pictures, where they still are where they were.

    Raises:
        UsageError, InputError: As `open_samples`, where `images` are given.
    """
    manifest = bundle.manifest
    if not takes_pictures(manifest.model):
        if images is not None:
            raise UsageError(f"{manifest.model.name} takes no pictures.", "Leave out --images.")
        return None
    calibration = manifest.calibration
    folder = images or (calibration_folder(manifest) if calibration else None)
    if folder is None:
        progress.notice(
            f"{title} is shown without pictures: those of its calibration are not where they were; "
            "give some with --images."
        )
        return None
    count = calibration.count if calibration and images is None else None
    seed = calibration.seed if calibration else 0
    return Pair(
        title=title,
        manifest=manifest,
        reference=reference_of(bundle.path, manifest.model),
        file=of_artifact(bundle.path, manifest.model, artifact),
        samples=open_calibration(manifest.model, folder, count, seed, progress),
    )


def calibration_folder(manifest: BundleManifest) -> Path | None:
    """What --calib named when the bundle was made; None where there is nothing any more."""
    path = Path(*manifest.run.options.get("--calib", ())[:1])
    return path if path.name and path.exists() else None


def compared_file(artifacts: Sequence[Artifact], shipped: str | None) -> Artifact:
    """Which of them is held against the ONNX model: the one to ship, but rather one of integers."""
    ranked = sorted(
        artifacts,
        key=lambda each: (
            each.precision in _FLOAT,
            each.file_name != shipped,
            _ORDER.index(each.precision),
        ),
    )
    return ranked[0]


def answered(pair: Pair, progress: Progress) -> Answered:
    """Run both on the pictures. Raises as `Runner.run`."""
    wanted, found = (_run(model, pair.samples, progress) for model in (pair.reference, pair.file))
    task = task_of(pair.spec)
    differences = [
        task.difference(before, now) for before, now in zip(wanted.all, found.all, strict=True)
    ]
    return Answered(pair, wanted.names, differences, (wanted.drawn, found.drawn))


def _run(model: OpenModel, samples: SampleSet, progress: Progress) -> _Run:
    task = task_of(model.spec)
    names, everything, drawn = list[str](), list[Answer](), list[Answer]()
    predictor = task.predictor(Limits())
    with closing(model.open()) as runner:
        ran = run_each(runner, islice(_one_by_one(model.spec, samples), COMPARED))
        for sample, outputs in tracked(ran, progress, f"Running {model.name}", COMPARED):
            names.append(sample.id)
            everything += task.read(outputs, sample, "all")
            drawn.append(predictor.read(outputs, sample))
    return _Run(names, everything, drawn)


def _one_by_one(spec: ModelSpec, samples: Iterable[Sample]) -> Iterator[Sample]:
    """Each picture alone, also for models of several at a time."""
    from mobileq.calibration.samples import Sample
    from mobileq.vision.preprocess import feed_picture

    for sample in samples:
        for picture in sample.pictures:
            if spec.batch == 1:
                yield sample
            elif picture.image is not None:
                feeds, transform = feed_picture(spec, picture.image)
                name = picture.path.name if picture.path else sample.id
                yield Sample(name, feeds, (type(picture)(picture.image, transform, picture.path),))


def contact_sheet(pair: Pair, bundles: int) -> ContactSheet | None:
    """The first pictures as the model sees them; None where it sees no pictures.

    Args:
        bundles: That share the page.
    """
    from mobileq.vision.preprocess import pixels_of

    spec = pair.spec
    if spec.preprocess is None:
        return None
    name, found = spec.inputs[0].name, []
    for sample in islice(_one_by_one(spec, pair.samples), _THUMBNAILS // bundles or 1):
        pixels = pixels_of(sample.feeds[name], spec.preprocess)
        found.append((sample.id, jpeg(pixels, _THUMBNAIL, _THUMBNAIL_BYTES)))
    return ContactSheet(tuple(found), len(pair.samples.ids), spec.preprocess.resizing)


def shown_pictures(found: Sequence[Answered]) -> tuple[ShownPicture, ...]:
    """The pictures on which files differ most, each as all models answer it."""
    amounts: dict[str, float] = {}
    for each in found:
        for name, difference in zip(each.names, each.differences, strict=True):
            amounts[name] = amounts.get(name, 0.0) + difference.amount
    common = [name for name in amounts if all(name in each.names for each in found)]
    count = max(2, _VIEWS // (2 * len(found))) if found else 0
    ranked = sorted(common, key=lambda name: -amounts[name])
    # Where nothing differs two pictures show that.
    chosen = [name for at, name in enumerate(ranked[:count]) if at < 2 or amounts[name] > 0.0]
    views: dict[str, list[View]] = {name: [] for name in chosen}
    told: dict[str, list[str]] = {name: [] for name in chosen}
    for each in found:
        for name, view in _views(each, chosen, is_one_of_many=len(found) > 1):
            views[name].append(view)
        for name in chosen:
            told[name] += each.differences[each.names.index(name)].told
    return tuple(ShownPicture(name, tuple(views[name]), tuple(told[name])) for name in chosen)


def _views(
    found: Answered, chosen: Sequence[str], *, is_one_of_many: bool
) -> Iterator[tuple[str, View]]:
    """(picture, view) by the ONNX model and by the file."""
    pair = found.pair
    predictor = task_of(pair.spec).predictor(Limits())
    if predictor.draw is None:
        return
    labels = ["the ONNX model", pair.file.path.name]
    if is_one_of_many:
        labels = [f"{pair.title}: {label}" for label in labels]
    samples = islice(_one_by_one(pair.spec, pair.samples), COMPARED)
    for at, sample in enumerate(samples):
        image = sample.pictures[0].image
        if sample.id not in chosen or image is None:
            continue
        for label, answers in zip(labels, found.drawn, strict=True):
            told = predictor.told(answers[at], sample.id, None, None)
            counts = most_first(Counter(told.counted))
            words = ", ".join(f"{count} {name}" for name, count in counts)
            drawn = jpeg(predictor.draw(image, answers[at]), _LONGEST, _VIEW_BYTES)
            yield sample.id, View(label, drawn, words or f"no {told.thing}")
