"""`mobileq predict`: run a model on pictures, tell and draw what it says of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Unpack

from mobileq.calibration.sources import printable
from mobileq.errors import InputError, VerificationError
from mobileq.onnx_runtime import kept_child
from mobileq.parallel import ahead, in_parallel
from mobileq.paths import StrPath, optional_path
from mobileq.progress import Progress, listener, tracked
from mobileq.tasks.base import Answer, Limits, Predictor, task_of
from mobileq.tasks.prediction import PicturePrediction, PredictionRun
from mobileq.workflows.choices import ModelChoices, chosen_overrides, takes
from mobileq.workflows.drawings import Drawings
from mobileq.workflows.opening import OpenModel, Overrides, open_model
from mobileq.workflows.pictures import GivenPicture, Picture, Pictures
from mobileq.workflows.results import require_folder_place

if TYPE_CHECKING:
    from mobileq.calibration.samples import Sample
    from mobileq.targets.base import Runner, Tensors

_IN_ADVANCE = 2
"""Pictures that are read and wait for the model."""


@takes(ModelChoices)
def predict(
    model: StrPath,
    images: GivenPicture | Iterable[GivenPicture],
    *,
    artifact: str | None = None,
    draw_to: StrPath | None = None,
    score: float | None = None,
    top: int | None = None,
    overrides: Overrides | None = None,
    interpreter: str = "auto",
    progress: Progress | None = None,
    **choices: Unpack[ModelChoices],
) -> PredictionRun[PicturePrediction]:
    """Run a bundle's artifact or a lone file on pictures: what its task says of each.

    Args:
        images: One or several of: picture files, folders, patterns (`*.jpg`), videos, and arrays,
            uint8 [H, W, 3] in RGB, as `cv2.imread(...)[:, :, ::-1]` or Pillow's images.
        draw_to: Folder for the pictures with what was found; for the outputs as .npz files where
            nobody knows what they mean.
        score: Lowest score or probability to tell.
        top: Tell so many, the best.
        interpreter: For .tflite files: "ai_edge_litert", "tensorflow" or "auto".
        overrides, choices: What the model does not say itself; choices by the command's names:
            `family="yolov8"`, `labels="imagenet1k"`.

    Returns:
        A `PictureDetections`, `PictureClasses` or `PictureTensors` for each picture.

    Raises:
        UsageError: No pictures, or the model takes none.
        InputError: No picture can be read.
        VerificationError: A lone file's outputs change from one run to the next.
    """
    progress, limits = listener(progress), Limits(score, top)
    pictures, folder = Pictures(images), drawing_folder(draw_to)
    opened = opened_for(
        pictures, model, artifact, chosen_overrides(overrides, choices), interpreter, progress
    )
    predictor = task_of(opened.spec).predictor(limits)
    return Prediction(opened, predictor).over(pictures, folder, progress)


def drawing_folder(draw_to: StrPath | None) -> Path | None:
    """Where drawings go, once it is known that they can."""
    folder = optional_path(draw_to)
    if folder is not None:
        require_folder_place(folder, "--output")
    return folder


def opened_for(
    pictures: Pictures,
    model: StrPath,
    artifact: str | None,
    overrides: Overrides,
    interpreter: str,
    progress: Progress,
) -> OpenModel:
    """The model, with a notice of what is assumed and of what was passed over."""
    opened = open_model(Path(model), artifact, overrides)
    for notice in (*pictures.notices, *opened.notices):
        progress.notice(notice)
    return dataclasses.replace(opened, interpreter=interpreter)


class _Fed(NamedTuple):
    """A picture as the model takes it; no sample where it could not be read."""

    picture: Picture
    sample: Sample | None = None


class Prediction[P: PicturePrediction]:
    """Three threads side by side: the next picture is read and the last one's outputs too, while
    the model runs.

    Args:
        keep: Told of each answer and the picture's number among all that were given, from 0.
    """

    def __init__(
        self,
        model: OpenModel,
        predictor: Predictor[P],
        keep: Callable[[int, Answer], None] | None = None,
    ) -> None:
        self._model, self._predictor, self._keep = model, predictor, keep

    @kept_child()
    def over(self, pictures: Pictures, folder: Path | None, progress: Progress) -> PredictionRun[P]:
        """Run all pictures; those that can't be read are skipped with a notice."""
        found: list[P] = []
        skipped: list[tuple[str, str]] = []
        runner = self._model.open()
        drawn = Drawings(folder, self._predictor.draw) if folder else nullcontext()
        try:
            with (
                drawn as drawings,
                closing(
                    in_parallel(
                        lambda ran: self._told(*ran, drawings), self._ran(runner, pictures), 1
                    )
                ) as answers,
            ):
                counted = enumerate(tracked(answers, progress, "Predicting", pictures.count))
                for number, ((fed, _), told) in counted:
                    if told is None:
                        skipped.append((fed.picture.name, printable(fed.picture.problem)))
                        progress.notice(f"Skipped: {fed.picture.problem}")
                        continue
                    prediction, answer = told
                    found.append(prediction)
                    if self._keep is not None:
                        self._keep(number, answer)
        finally:
            runner.close()
        if not found:
            raise InputError(
                "None of the pictures can be read.", "Give JPEG or PNG files that are whole."
            )
        return PredictionRun(
            model=self._model.name,
            interpreter=runner.interpreter,
            pictures=tuple(found),
            skipped=tuple(skipped),
        )

    def _fed(self, pictures: Pictures) -> Iterator[_Fed]:
        from mobileq.calibration import samples
        from mobileq.vision.preprocess import feed_picture

        for picture in pictures:
            if picture.image is None:
                yield _Fed(picture)
                continue
            feeds, transform = feed_picture(self._model.spec, picture.image)
            own = samples.Picture(picture.image, transform)
            yield _Fed(picture, samples.Sample(picture.name, feeds, (own,)))

    def _ran(self, runner: Runner, pictures: Pictures) -> Iterator[tuple[_Fed, Tensors | None]]:
        is_trusted = self._model.is_verified
        with closing(ahead(self._fed(pictures), _IN_ADVANCE)) as prepared:
            for fed in prepared:
                if fed.sample is None:
                    yield fed, None
                    continue
                outputs = runner.run(fed.sample.feeds)
                if not is_trusted:
                    _require_repeatable(self._model, runner, fed.sample.feeds, outputs)
                    is_trusted = True
                yield fed, outputs

    def _told(
        self, fed: _Fed, outputs: Tensors | None, drawings: Drawings | None
    ) -> tuple[P, Answer] | None:
        picture, sample = fed
        if outputs is None or sample is None or picture.image is None:
            return None
        answer = self._predictor.read(outputs, sample)
        drawn = drawings.add(picture, answer) if drawings else None
        told = self._predictor.told(answer, picture.name, picture.frame, drawn)
        # Given arrays are their owner's anyway; what was read is read again where it is shown.
        return told if picture.path else told.with_pixels(picture.image), answer


def _require_repeatable(model: OpenModel, runner: Runner, feeds: Tensors, outputs: Tensors) -> None:
    """Refuse a file that reads memory which nobody wrote: what it finds is made up."""
    from mobileq.evaluate.verify import repeats

    if not repeats(runner, lambda: model.open(disturbed=True), feeds, outputs):
        raise VerificationError(
            f"{model.name} gives other outputs for the same picture from one run to the next.",
            "The file is broken: convert its ONNX model with `mobileq convert`.",
        )
