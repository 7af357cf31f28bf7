"""What a model is fed while it is verified: real samples, or drawn ones where there are none."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mobileq.progress import Progress
from mobileq.spec import ModelSpec, TensorSpec

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mobileq.calibration.samples import Sample, SampleSet

DEFAULT_COUNT = 64
VERIFY_COUNT = 8
"""How many pictures every file is run on before the command succeeds."""
DRAWN_COUNT = 2


def open_calibration(
    spec: ModelSpec, path: Path, count: int | None, seed: int, progress: Progress
) -> SampleSet:
    """The calibration samples, with notices about what was skipped.

    Args:
        count: How many were asked for; None for `DEFAULT_COUNT`, or all where there are fewer.

    Raises:
        UsageError, InputError: As `open_samples`.
    """
    from mobileq.calibration.samples import open_samples

    samples = open_samples(
        *(path, spec.preprocess, spec.inputs, count or DEFAULT_COUNT, seed), progress=progress
    )
    chosen = len(samples.ids) + len(samples.skipped)
    if count is not None and count > chosen:
        progress.notice(
            f"{count} samples were asked for; {path.name} has {chosen}, which are all used."
        )
    for name, reason in samples.skipped:
        progress.notice(f"Skipped: {name} {reason}")
    for notice in samples.notices:
        progress.notice(notice)
    return samples


def verification_samples(
    spec: ModelSpec, samples: SampleSet | None, count: int, seed: int, model: Path
) -> Iterator[Sample]:
    """`verification_count` calibration samples, or drawn pictures where there are none.

    Args:
        model: The ONNX file, which may take fewer whole numbers than their type holds.
    """
    count = verification_count(samples, count)
    if samples is None:
        yield from islice(_drawn(spec, seed, model), count)
        return
    yield from islice(samples, count)


def verification_count(samples: SampleSet | None, count: int) -> int:
    """How many of `count` there are."""
    return min(count, DRAWN_COUNT if samples is None else len(samples))


def _drawn(spec: ModelSpec, seed: int, model: Path) -> Iterator[Sample]:
    """Smooth random pictures through the model's own preprocessing; other inputs get noise."""
    import numpy as np

    from mobileq.calibration.samples import Picture, Sample
    from mobileq.graph.input_domains import read_domains, within
    from mobileq.vision.preprocess import feed_picture

    numbers, domains = np.random.default_rng(seed), read_domains(model)
    for index in range(DRAWN_COUNT):
        image = _picture(numbers, 480, 640) if spec.preprocess else None
        feeds: dict[str, NDArray[Any]] = {t.name: _noise(numbers, t) for t in spec.inputs}
        feeds.update(within(domains, spec.inputs, numbers))
        pictures: tuple[Picture, ...] = ()
        if image is not None:
            picture, transform = feed_picture(spec, image)
            feeds.update(picture)
            pictures = (Picture(image, transform),)
        yield Sample(f"drawn-{index}", feeds, pictures)


def _picture(numbers: Any, height: int, width: int) -> NDArray[Any]:
    import cv2
    import numpy as np

    coarse = numbers.integers(0, 256, (12, 16, 3), dtype=np.uint8)
    smooth = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    grain = numbers.normal(0.0, 6.0, smooth.shape)
    noisy: NDArray[Any] = np.clip(smooth + grain, 0, 255).astype(np.uint8)
    return noisy


def _noise(numbers: Any, tensor: TensorSpec) -> NDArray[Any]:
    import numpy as np

    from mobileq.graph.input_domains import masks

    dtype = np.dtype(tensor.dtype)
    if dtype.kind == "b":
        return masks(numbers, tensor.shape)
    if dtype.kind in "iu":
        return np.asarray(
            numbers.integers(0, 2 if dtype.itemsize > 1 else 128, tensor.shape), dtype
        )
    return np.asarray(numbers.random(tensor.shape), dtype)


def takes_pictures(spec: ModelSpec) -> bool:
    """Whether pictures are all that has to be given."""
    return spec.preprocess is not None and len(spec.inputs) == 1


def wanted_tensors(spec: ModelSpec) -> str:
    """`left, float32 [1, 3, 8, 8]; right, float32 [1, 3, 8, 8]`."""
    from mobileq.calibration.arrays import shape_text

    return "; ".join(shape_text(each) for each in spec.inputs)
