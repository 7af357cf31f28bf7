"""Open whatever a person points at: a bundle, or a lone file, ONNX or of one of the targets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from mobileq.errors import InputError, UsageError, unreadable
from mobileq.preparation.prepared_file import MODEL_NAME, PreparedFile, prepare_file
from mobileq.regular_file import require_regular
from mobileq.spec import Artifact, ModelSpec, TensorSpec, readings
from mobileq.staging import temporary_folder
from mobileq.targets.base import Runner
from mobileq.targets.info import TargetInfo
from mobileq.targets.model_file import ModelFile
from mobileq.targets.reference import ReferenceRunner
from mobileq.targets.registry import TARGETS, load_target

_START = 64
_ONNX_START = b"\x08"
"""Every exporter writes field 1, the IR version, first."""
_SOURCE_SUFFIX = ".onnx"
"""Of models that are converted, and that everything is compared with."""


@dataclass(frozen=True)
class OpenModel:
    """A model file that can be run, and how to feed and read it."""

    name: str
    path: Path
    target: str | None
    """Whose file it is; None of an ONNX model, which the reference runs."""
    spec: ModelSpec
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    notices: tuple[str, ...] = ()
    interpreter: str = "auto"
    """Which one, where the target has several."""
    threads: int = 0
    """0: one for each processor."""
    is_verified: bool = True
    """Whether its outputs are known to be the same from one process to the next."""
    onnx: bytes | None = None
    """The prepared model, where `path` is an ONNX file."""
    file: ModelFile | None = None
    """What the target read, where `path` is a lone file of one."""

    opened: Runner | None = None
    """Where the file is open already, elsewhere: what is to run it."""

    def open(self, *, disturbed: bool = False) -> Runner:
        """A runner; close it. `disturbed`: see `Target.open`."""
        if self.opened is not None:
            return self.opened
        if self.target is None:
            return ReferenceRunner(self.onnx or self.path, self.inputs, self.outputs, self.threads)
        return load_target(self.target).open(
            self.path,
            self.inputs,
            self.outputs,
            self.interpreter,
            threads=self.threads,
            disturbed=disturbed,
        )


@dataclass(frozen=True)
class Overrides:
    """What a person says about a model that does not say it itself."""

    family: str | None = None
    spec_file: Path | None = None
    labels: str | None = None
    input_shapes: tuple[str, ...] = ()
    set_inputs: tuple[str, ...] = ()
    """Inputs that become constants: `NAME=VALUE`, see `mobileq.graph.set_inputs`."""


def file_target(path: Path) -> str | None:
    """Whose file it is, by its suffix and its first bytes; None of an ONNX model, a source.

    Raises:
        UsageError: There is none, or its name says nothing.
        InputError: It is empty.
    """
    try:
        is_folder = path.is_dir()
        start = b"" if is_folder or not require_regular(path).st_size else _start(path)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise UsageError(f"There is no file {path}.", "Check the path.") from error
    except OSError as error:
        raise unreadable(path, error) from error
    if is_folder:
        raise UsageError(
            f"{path} is a folder.", "Give a file; those of a bundle are in its folder `models`."
        )
    suffix = path.suffix.lower()
    of_targets = (each for info in TARGETS.values() for each in info.suffixes)
    known = dict.fromkeys((_SOURCE_SUFFIX, *of_targets))
    if suffix not in known:
        raise UsageError(
            f"{path} is no model that mobileq knows.",
            f"Give a file that ends in {', '.join(known)}.",
        )
    if not start:
        raise InputError(f"{path} is empty (0 bytes).", "Export or download the model again.")
    for name, info in TARGETS.items():
        # Those whose files have the suffix of sources mark them.
        if suffix in info.suffixes and (suffix != _SOURCE_SUFFIX or _is_marked(start, info)):
            return name
    return None


def _is_marked(start: bytes, info: TargetInfo) -> bool:
    at, mark = info.mark or (0, b"")
    return bool(mark) and start[at:].startswith(mark)


def _start(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_START)


def require_settable(path: Path, target: str | None, overrides: Overrides) -> None:
    """Raise UsageError where inputs are to become constants in a file that is converted already."""
    if overrides.set_inputs and target is not None:
        raise UsageError(
            f"--set is for ONNX models, and {path} is converted already.",
            "Set the input where the model is converted.",
        )


def open_model(path: Path, artifact: str | None, overrides: Overrides) -> OpenModel:
    """A lone model file, or one artifact of a bundle (by default its first).

    Raises:
        UsageError: There is nothing there, or no artifact of that name.
        InputError: What is there cannot be read.
    """
    if path.is_dir():
        from mobileq.bundle import artifacts_named, read_bundle, require_artifacts

        if overrides != Overrides():
            raise UsageError(
                f"{path} is a bundle, which says itself how it is fed and read.",
                "Leave out --family, --spec, --labels, --input-shape and --set, or convert with "
                "them.",
            )
        bundle = read_bundle(path)
        require_artifacts(bundle)
        chosen = artifacts_named(bundle, () if artifact is None else (artifact,))
        return of_artifact(path, bundle.manifest.model, chosen[0])
    if artifact is not None:
        raise UsageError(f"{path} is a lone file.", "Leave out --artifact.")
    target = file_target(path)
    require_settable(path, target, overrides)
    return _onnx(path, overrides) if target is None else _converted(path, target, overrides)


def of_artifact(bundle: Path, spec: ModelSpec, artifact: Artifact) -> OpenModel:
    """An artifact of a bundle."""
    path = bundle / artifact.path
    _require_part(path)
    if own := readings(artifact):
        spec = msgspec.structs.replace(spec, outputs=artifact.outputs, **own)
    return OpenModel(
        name=artifact.name,
        path=path,
        target=artifact.target,
        spec=spec,
        inputs=artifact.inputs,
        outputs=artifact.outputs,
    )


def reference_of(bundle: Path, spec: ModelSpec) -> OpenModel:
    """The ONNX model that the bundle's files were verified against."""
    path = bundle / "reference" / f"{spec.name}.onnx"
    _require_part(path)
    return OpenModel(
        name="onnx", path=path, target=None, spec=spec, inputs=spec.inputs, outputs=spec.outputs
    )


def _require_part(path: Path) -> None:
    try:
        require_regular(path)
    except FileNotFoundError as error:
        raise InputError(
            f"{path} is missing.", "Make the bundle again with `mobileq convert`."
        ) from error
    except OSError as error:
        raise unreadable(path, error) from error


def _require_source(path: Path) -> None:
    """Raise InputError for a target's file. Contents come before the name."""
    if not path.is_file():
        return
    with suppress(OSError):
        start = _start(path)
        for info in TARGETS.values():
            if info.suffix == _SOURCE_SUFFIX:  # ONNX models, too
                continue
            is_named = path.suffix.lower() == info.suffix and not start.startswith(_ONNX_START)
            if start and (is_named or _is_marked(start, info)):
                raise InputError(
                    f"{path} is a model for {info.title}, not an ONNX model.",
                    "It is converted already; give the ONNX model it came from.",
                )


def prepared_by(
    path: Path,
    overrides: Overrides,
    folder: Path,
    meanwhile: Callable[[], None] = lambda: None,
) -> PreparedFile:
    """An ONNX file as the overrides want it. Arguments and errors as `prepare_file`'s."""
    _require_source(path)
    return prepare_file(
        folder,
        path,
        overrides.input_shapes,
        overrides.family,
        overrides.spec_file,
        overrides.labels,
        overrides.set_inputs,
        meanwhile,
    )


def _onnx(path: Path, overrides: Overrides) -> OpenModel:
    with temporary_folder() as folder:
        prepared = prepared_by(path, overrides, folder)
        onnx = (folder / MODEL_NAME).read_bytes()
    return OpenModel(
        name=path.name,
        path=path,
        target=None,
        spec=prepared.spec,
        inputs=prepared.spec.inputs,
        outputs=prepared.spec.outputs,
        notices=prepared.notices,
        onnx=onnx,
    )


def _converted(path: Path, name: str, overrides: Overrides) -> OpenModel:
    target = load_target(name)
    file = target.read(path)
    spec, notices = file.spec, tuple[str, ...]()
    if spec is None:
        spec, notices = _recognised(path, file.inputs, file.outputs, file.metadata, overrides)
    return OpenModel(
        name=path.name,
        path=path,
        target=name,
        spec=spec,
        inputs=target.matched(spec.inputs, file.inputs),
        outputs=target.matched(spec.outputs, file.outputs),
        notices=notices,
        is_verified=False,
        file=file,
    )


def _recognised(
    path: Path,
    inputs: tuple[TensorSpec, ...],
    outputs: tuple[TensorSpec, ...],
    metadata: Mapping[str, str],
    overrides: Overrides,
) -> tuple[ModelSpec, tuple[str, ...]]:
    """The spec of a file that mobileq did not write, by its shapes and others' metadata."""
    from mobileq.preparation.describe import describe
    from mobileq.preparation.labels import read_labels
    from mobileq.preparation.spec_file import SpecOverrides, read_spec_file

    corrections = (
        read_spec_file(overrides.spec_file) if overrides.spec_file else SpecOverrides(path=path)
    )
    labels = overrides.labels if overrides.labels is not None else corrections.labels
    names = read_labels(labels) if labels is not None else None
    found = describe(
        path, inputs, outputs, metadata, corrections, family=overrides.family, names=names
    )
    return found.spec, found.notices
