"""Writes a project, and writes it again without undoing what a person changed in it."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from mobileq.android.native_libraries import library_problems
from mobileq.android.options import AndroidOptions
from mobileq.android.runtimes import RUNTIMES
from mobileq.android.template import rendered_files, task_views
from mobileq.bundle import Bundle, artifacts_named, read_bundle, verify_bundle
from mobileq.errors import InputError, MobileqError, UsageError
from mobileq.manifest import MANIFEST_NAME, MAX_MANIFEST_BYTES, seal, to_json
from mobileq.paths import StrPath
from mobileq.regular_file import read_regular
from mobileq.spec import Artifact, ModelSpec
from mobileq.staging import abandoned, is_full_disk, remove, staging_path

BUNDLE_FOLDER = "app/src/main/assets/bundle"
BUNDLES_NAME = "bundles.txt"
"""Of several bundles, the names of their folders, one a line."""
STATE_NAME = ".mobileq-android.json"
"""Hashes of the files as they were rendered: what differs from them a person has changed."""


@dataclass(frozen=True)
class RenderedProject:
    """What was done to the folder, as paths inside it.

    Attributes:
        written: New or renewed.
        removed: No longer part of the project.
        kept: Changed by a person, so left as they are.
        problems: Sentences about libraries in the project that will not load, or are missing.
        left_out: Artifacts that this app has no runtime for.
        bundle_bytes: What the bundles take of an APK.
    """

    path: Path
    written: tuple[str, ...]
    removed: tuple[str, ...]
    kept: tuple[str, ...]
    problems: tuple[str, ...]
    left_out: tuple[str, ...]
    bundle_bytes: int


def bundle_runtimes(bundle: Bundle, artifacts: Sequence[str] = ()) -> tuple[str, ...]:
    """The runtimes that a bundle, or what is named of it, has files for.

    Raises:
        UsageError: An app has none of them, or the bundle nothing of a name.
    """
    targets = dict.fromkeys(artifact.target for artifact in artifacts_named(bundle, artifacts))
    found = tuple(name for name in RUNTIMES if name in targets)
    if not found:
        raise UsageError(
            f"{bundle.path} has files for {' and '.join(targets)} only, which the app can't run.",
            f"Convert the model with --target {' or '.join(RUNTIMES)} as well.",
        )
    return found


def render_project(
    bundle: StrPath | Sequence[StrPath],
    output: StrPath,
    options: AndroidOptions,
    *,
    artifacts: Sequence[str] = (),
    force: bool = False,
) -> RenderedProject:
    """Render the project of a bundle or several, with those of their files that are named (all by
    default).

    Files that a person changed since they were rendered stay as they are, unless `force` is given.

    Raises:
        UsageError: `output` holds something else, no runtime fits the files, there is none of a
            name, or two bundles are of one name.
        InputError: The bundle is not as it was written, or no camera can feed its model.
        MobileqError: The disk is full or cannot be written.
    """
    paths, output = bundle_paths(bundle), Path(output)
    opened = [_checked_bundle(path, options, artifacts) for path in paths]
    packed, left_out = _bundles_files(opened, options, artifacts)
    wanted = {**_hashed(rendered_files(options)), **packed}
    before = _state(output)
    written, kept, recorded = [], [], {}
    try:
        output.mkdir(parents=True, exist_ok=True)
        for name, source in wanted.items():
            recorded[name] = source.sha256
            target = output / name
            found = _sha256(target)
            if found == source.sha256:
                continue
            if found is not None and found != before.get(name) and not force:
                kept.append(name)
                continue
            _replace(target, source.content())
            written.append(name)
        removed = list(_remove_old(output, before, recorded, kept, force))
        _replace(output / STATE_NAME, (json.dumps(recorded, indent=1) + "\n").encode())
    except OSError as error:
        raise _not_writable(output, error) from error
    jni_libs = output / "app/src/main/jniLibs"
    return RenderedProject(
        path=output,
        written=tuple(written),
        removed=tuple(removed),
        kept=tuple(kept),
        problems=tuple(library_problems(jni_libs, options.abis, options.runtimes)),
        left_out=left_out,
        bundle_bytes=sum((output / name).stat().st_size for name in packed),
    )


def bundle_paths(bundle: StrPath | Sequence[StrPath]) -> list[Path]:
    """Of one or several."""
    several = [bundle] if isinstance(bundle, str | os.PathLike) else bundle
    return [Path(each) for each in several]


@dataclass(frozen=True)
class _Source:
    sha256: str
    data: bytes | None = None
    path: Path | None = None

    def content(self) -> bytes:
        """Read when it is written: a bundle's models need not be in memory together."""
        return self.data if self.data is not None else self._read()

    def _read(self) -> bytes:
        assert self.path is not None
        return self.path.read_bytes()


def _hashed(files: Mapping[str, bytes]) -> dict[str, _Source]:
    return {
        name: _Source(hashlib.sha256(data).hexdigest(), data=data) for name, data in files.items()
    }


def _bundles_files(
    bundles: Sequence[Bundle], options: AndroidOptions, artifacts: Sequence[str]
) -> tuple[dict[str, _Source], tuple[str, ...]]:
    """All bundles in the app, each of several in a folder of its own; and what is left out."""
    files: dict[str, _Source] = {}
    left_out: list[str] = []
    folders = [""] if len(bundles) == 1 else _folders(bundles)
    for folder, bundle in zip(folders, bundles, strict=True):
        chosen = artifacts_named(bundle, artifacts)
        packed = [each for each in chosen if each.target in options.runtimes]
        left_out += [each.name for each in chosen if each not in packed]
        files |= _bundle_files(bundle, packed, f"{BUNDLE_FOLDER}/{folder}".rstrip("/"))
    if len(bundles) > 1:
        listed = "".join(f"{folder}\n" for folder in folders).encode()
        files |= _hashed({f"{BUNDLE_FOLDER}/{BUNDLES_NAME}": listed})
    return files, tuple(dict.fromkeys(left_out))


def _folders(bundles: Sequence[Bundle]) -> list[str]:
    """Of several bundles, in the app.

    Raises:
        UsageError: The app could not tell two of them apart.
    """
    named: dict[str, Path] = {}
    for bundle in bundles:
        name = bundle.manifest.model.name
        if name in named:
            raise UsageError(
                f"{named[name]} and {bundle.path} both hold a model named {name}: nobody could "
                "tell them apart in the app's list.",
                "Rename one's .onnx file, and convert it again: the model is called after it.",
            )
        named[name] = bundle.path
    # Names are for people; of folders some file systems tell neither case nor all letters apart.
    plain = [re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40] for name in named]
    return [f"{at}-{name}" if name else f"{at}" for at, name in enumerate(plain, start=1)]


def _bundle_files(bundle: Bundle, packed: list[Artifact], folder: str) -> dict[str, _Source]:
    """The bundle in the app, without artifacts that it is not to have or could not run."""
    manifest = bundle.manifest
    content = (bundle.path / MANIFEST_NAME).read_bytes()
    gone = {each.path for each in manifest.artifacts} - {each.path for each in packed}
    if gone:
        kept = msgspec.structs.replace(
            manifest,
            artifacts=tuple(each for each in manifest.artifacts if each.path not in gone),
            files={name: entry for name, entry in manifest.files.items() if name not in gone},
        )
        manifest = seal(kept)
        content = to_json(manifest)
    files = {
        f"{folder}/{name}": _Source(entry.sha256, path=bundle.path / name)
        for name, entry in manifest.files.items()
    }
    return {**files, **_hashed({f"{folder}/{MANIFEST_NAME}": content})}


def _checked_bundle(bundle: Path, options: AndroidOptions, artifacts: Sequence[str]) -> Bundle:
    report = verify_bundle(bundle)
    if not report.ok:
        differing = (*report.missing, *report.changed, *report.unexpected)
        raise InputError(
            f"{bundle} is not as it was written: {', '.join(differing[:3])}.",
            "See `mobileq verify`, and make the bundle again with `mobileq convert`.",
        )
    opened = read_bundle(bundle)
    _require_readable(opened.manifest.model)
    known = bundle_runtimes(opened, artifacts)
    if not set(options.runtimes) & set(known):
        raise UsageError(
            f"{bundle} has no files for {' or '.join(options.runtimes)}.",
            f"Choose of: {', '.join(known)}.",
        )
    return opened


def _require_readable(model: ModelSpec) -> None:
    """That the app can feed the model from a camera, and knows what its outputs mean.

    Raises:
        InputError: It can't: now, and not on the phone.
    """
    if len(model.inputs) != 1:
        names = ", ".join(spec.name for spec in model.inputs)
        raise InputError(
            f"{model.name} has {len(model.inputs)} inputs ({names}): a camera cannot feed it.",
            "Make all but the picture constants when it is converted: --set NAME=VALUE.",
        )
    if model.preprocess is None:
        shape = list(model.inputs[0].shape)
        raise InputError(
            f"{model.name} takes no picture, but {model.inputs[0].dtype} {shape}: a camera cannot "
            "feed it.",
            "If it is one, describe it with --spec when it is converted.",
        )
    if model.batch != 1:
        raise InputError(
            f"{model.name} takes {model.batch} pictures at a time; the app has one.",
            "Export the model with a batch of 1, and convert it again.",
        )
    if model.task not in task_views():
        raise InputError(
            f"What the outputs of {model.name} mean is not known: the app could not show them.",
            "Describe them with --family or --spec when it is converted.",
        )


def _state(output: Path) -> dict[str, str]:
    """What was rendered there before; empty for a new or empty folder."""
    if not output.exists():
        return {}
    if not output.is_dir():
        raise UsageError(f"{output} exists and is not a folder.", "Choose another --output.")
    state = output / STATE_NAME
    if not state.is_file():
        if any(output.iterdir()):
            raise UsageError(
                f"{output} exists and was not rendered by mobileq.",
                "Choose another --output, or an empty folder.",
            )
        return {}
    try:
        read = json.loads(read_regular(state, MAX_MANIFEST_BYTES, "the state of a project"))
        if not isinstance(read, dict):
            raise ValueError(read)
    except (OSError, ValueError) as error:
        raise InputError(f"{state} cannot be read.", "Render into another folder.") from error
    return {str(name): str(digest) for name, digest in read.items()}


def _remove_old(
    output: Path,
    before: Mapping[str, str],
    recorded: Mapping[str, str],
    kept: list[str],
    force: bool,
) -> Iterator[str]:
    """Files of an earlier rendering that this one has not; changed ones stay and join `kept`."""
    root = output.resolve()
    for name, digest in before.items():
        path = output / name
        # The state file lies in the person's hands: nothing outside is removed for what it says.
        if name in recorded or root not in path.resolve().parents:
            continue
        found = _sha256(path)
        if found == digest or (found is not None and force):
            path.unlink()
            yield name
        elif found is not None:
            kept.append(name)


def _sha256(path: Path) -> str | None:
    """Of a file; None where there is none."""
    if not path.is_file():
        return None
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _replace(target: Path, content: bytes) -> None:
    """Whole or not at all."""
    target.parent.mkdir(parents=True, exist_ok=True)
    for left in abandoned(target):
        left.unlink(missing_ok=True)
    scratch = staging_path(target)
    try:
        scratch.write_bytes(content)
        if content.startswith(b"#!"):
            scratch.chmod(0o755)
        scratch.replace(target)
    finally:
        remove(scratch)


def _not_writable(output: Path, error: OSError) -> MobileqError:
    if is_full_disk(error):
        return MobileqError(f"The disk of {output} is full.", "Free some space.")
    return InputError(
        f"{output} cannot be written: {error.strerror}.",
        "Choose an --output in a folder that you may write to.",
    )
