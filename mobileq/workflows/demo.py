"""`mobileq demo`: the main job on the detector and pictures that come with mobileq."""

from __future__ import annotations

from pathlib import Path

from mobileq.bundle import read_bundle
from mobileq.errors import MissingDependencyError, UsageError
from mobileq.evaluate.report import Validation
from mobileq.manifest import MANIFEST_NAME, BundleManifest
from mobileq.paths import StrPath
from mobileq.progress import Progress, listener
from mobileq.workflows.convert import convert
from mobileq.workflows.request import ConvertOptions
from mobileq.workflows.validate import validate

_MODEL = "demo.onnx"


def demo(
    output: StrPath, *, cache: bool = True, progress: Progress | None = None
) -> tuple[BundleManifest, Validation]:
    """Convert the demo detector in all precisions and validate them on its held-out pictures."""
    progress = listener(progress)
    assets = demo_assets()
    _require_not_anothers(Path(output))
    options = ConvertOptions(
        precisions=("fp32", "fp16", "dynamic", "int8", "int16x8"),
        calib=assets / "calibration" / "images",
        calib_count=32,
    )
    manifest = convert(assets / _MODEL, output, options, force=True, cache=cache, progress=progress)
    validation = validate(
        output,
        assets / "validation" / "images",
        assets / "validation.json",
        progress=progress,
    )
    return manifest, validation


def _require_not_anothers(output: Path) -> None:
    """The demo replaces what an earlier one left, and nothing that took somebody hours."""
    if not (output / MANIFEST_NAME).is_file():
        return
    made_from = read_bundle(output).manifest.source.file_name
    if made_from != _MODEL:
        raise UsageError(f"{output} is a bundle of {made_from}.", "Choose another --output.")


def demo_assets() -> Path:
    """The folder with the demo detector: in the installed package, or in a checkout."""
    package = Path(__file__).resolve().parent.parent
    for folder in (package / "assets" / "demo", package.parent / "assets" / "demo"):
        if (folder / _MODEL).is_file():
            return folder
    raise MissingDependencyError(
        "The demo detector is not in this installation.", "Install mobileq again."
    )
