"""The prepared model on disk, which all files of a run are made of."""

from __future__ import annotations

import dataclasses
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

from mobileq.errors import UsageError
from mobileq.graph.fold_preprocessing import fold_preprocessing, is_folded
from mobileq.graph.given_quantization import GivenQuantization
from mobileq.hashing import file_digest
from mobileq.parallel import import_ahead
from mobileq.preparation.prepared_file import not_needed
from mobileq.regular_file import MAX_MODEL_BYTES, read_regular
from mobileq.spec import HeadKind, ModelSpec, Spec
from mobileq.tasks.base import parts
from mobileq.tasks.recognition import RawHead
from mobileq.workflows.opening import Overrides, prepared_by
from mobileq.workflows.stages import Stages

if TYPE_CHECKING:
    from onnx import ModelProto

Head = Literal["auto", "raw", "decoded"]


class PreparedInfo(Spec, frozen=True, kw_only=True):
    """What is kept beside a prepared model."""

    spec: ModelSpec
    opset: int
    source_sha256: str
    notices: tuple[str, ...] = ()
    given: GivenQuantization | None = None
    set_inputs: dict[str, str] = msgspec.field(default_factory=dict)
    fold_preprocessing: bool = False
    """Whether the preprocessing is in the graph because somebody wanted it there."""


@dataclass(frozen=True)
class Source:
    """The prepared model on disk: float32, static shapes, simplified.

    `quantized` is the model as it came, where it came quantized.
    """

    onnx: Path
    sha256: str
    info: PreparedInfo
    is_cut: bool = False
    """Whether it ends at the last convolutions, unlike the model that was given."""
    quantized: Path | None = None

    @property
    def spec(self) -> ModelSpec:
        """How to feed and read it."""
        return self.info.spec

    @property
    def head(self) -> HeadKind:
        """What it ends in."""
        return "raw" if self.spec.is_raw else "decoded"

    def repaired(self, onnx: Path, sha256: str) -> Source:
        """The same function, easier to quantize."""
        return dataclasses.replace(self, onnx=onnx, sha256=sha256)


def prepare(stages: Stages, model: Path, overrides: Overrides) -> Source:
    """Load, fix shapes, simplify and recognise. Raises as `prepared_by`."""
    inputs = {
        "model": file_digest(model),
        "name": model.name,
        "shapes": overrides.input_shapes,
        "set_inputs": _digest_set_inputs(overrides.set_inputs),
        "family": overrides.family,
        "labels": _digest_labels(overrides.labels),
    }
    folder = stages.folder("source")

    def make(folder: Path) -> None:
        _prepare(model, overrides, folder)

    with stages.progress.stage(f"Preparing {model.name}"):
        if overrides.spec_file or _may_refer_to_files(model):
            make(folder)
        else:
            stages.fill(folder, "prepare", make, _read_source, **inputs)
    not_needed()  # where the cache had it
    source = _read_source(folder)
    if source.info.given:
        source = dataclasses.replace(source, quantized=folder / "quantized.onnx")
    return source


def folded(stages: Stages, source: Source) -> Source:
    """The model with its preprocessing in the graph; as it is where that does nothing.

    Raises:
        UsageError: It can't be taken in, or there is none.
    """
    spec = source.spec
    if spec.preprocess is None:
        raise UsageError(
            f"--fold-preprocessing: how {spec.name} wants its picture is not known.",
            "Say it with --family, or describe it with --spec FILE.toml.",
        )
    if source.info.given is not None:
        raise UsageError(
            "--fold-preprocessing: the model came quantized, and is kept as it is.",
            "Leave it out, or give the float model.",
        )
    if not spec.inputs[0].dtype.startswith("float") or is_folded(spec.preprocess):
        stages.progress.notice(
            f"--fold-preprocessing changes nothing here: {spec.name} takes pixels already."
        )
        return source
    folder = stages.folder("folded")
    with stages.progress.stage("Taking the preprocessing into the graph"):
        stages.fill(
            folder,
            "folded",
            lambda into: _fold(source, into),
            _read_source,
            model=source.sha256,
            spec=spec,
        )
    return _read_source(folder)


def _fold(source: Source, folder: Path) -> None:
    import onnx

    info = msgspec.structs.replace(source.info, fold_preprocessing=True)
    told = dataclasses.replace(source, info=info)
    _write(told, *fold_preprocessing(onnx.load(source.onnx), source.spec), folder)


def with_head(stages: Stages, source: Source, head: Head) -> Source:
    """The model with the head that is wanted: "auto" is raw where its task can cut one off.

    Raises:
        UsageError: A raw head is wanted, and there is none.
    """
    if head == "decoded" or source.head == "raw":
        return source
    if source.info.given is not None:
        if head == "raw":
            raise UsageError(
                "The model came quantized, decoding and all, and is kept as it is.",
                "Leave out --head, or export it with a raw head.",
            )
        return source
    raw_head = dict(parts("raw_head")).get(source.spec.task)
    if raw_head is None:
        if head == "raw":
            raise UsageError(
                f"{source.spec.name} has no head that can be cut off: nobody would know how to "
                "read the outputs of the rest.",
                "Leave out --head.",
            )
        return source
    try:
        return _raw(stages, source, raw_head.raw_head)
    except UsageError as error:
        if head == "raw":
            raise
        stages.progress.notice(f"{error.message} The decoding stays in the graph, in float.")
        return source


def _raw(stages: Stages, source: Source, raw_head: RawHead) -> Source:
    folder = stages.folder("raw")
    with stages.progress.stage("Cutting at the last convolutions"):
        stages.fill(
            folder,
            "raw",
            lambda into: _cut(source, raw_head, into),
            _read_source,
            model=source.sha256,
            spec=source.spec,
        )
    return dataclasses.replace(_read_source(folder), is_cut=True)


def _may_refer_to_files(model: Path) -> bool:
    """Whether the ONNX file may keep tensors in other files, whose changes its hash can't tell."""
    return b"location" in read_regular(model, MAX_MODEL_BYTES, "a model")


def _prepare(model: Path, overrides: Overrides, folder: Path) -> None:
    # Who imports before the child is started starts it a fourth of a second later.
    prepared = prepared_by(model, overrides, folder, _import_what_follows)
    info = PreparedInfo(
        spec=prepared.spec,
        opset=prepared.opset,
        source_sha256=prepared.source_sha256,
        notices=prepared.notices,
        given=prepared.given,
        set_inputs=prepared.set_inputs,
    )
    (folder / "prepared.json").write_bytes(msgspec.json.encode(info))


def _import_what_follows() -> None:
    import_ahead("onnx", "mobileq.vision.preprocess", "mobileq.calibration.samples")


def _cut(source: Source, raw_head: RawHead, folder: Path) -> None:
    import onnx

    _write(source, *raw_head(onnx.load(source.onnx), source.spec), folder)


def _write(source: Source, model: ModelProto, spec: ModelSpec, folder: Path) -> None:
    (folder / "model.onnx").write_bytes(model.SerializeToString(deterministic=True))
    info = msgspec.structs.replace(source.info, spec=spec, notices=())
    (folder / "prepared.json").write_bytes(msgspec.json.encode(info))


def _read_source(folder: Path) -> Source:
    onnx = folder / "model.onnx"
    info = msgspec.json.decode((folder / "prepared.json").read_bytes(), type=PreparedInfo)
    return Source(onnx, file_digest(onnx), info)


def _digest_labels(labels: str | None) -> str | None:
    """Hash of a label file; the name itself of a set that is built in."""
    if labels and Path(labels).is_file():
        return file_digest(Path(labels))
    return labels


def _digest_set_inputs(options: tuple[str, ...]) -> list[tuple[str, str, tuple[int, ...], str]]:
    """What the options say, and not the files in which they say it."""
    from mobileq.graph.set_inputs import parse_set_inputs

    return [
        (name, array.dtype.str, array.shape, hashlib.sha256(array.tobytes()).hexdigest())
        for name, array in parse_set_inputs(options).items()
    ]
