"""What a bundle says about itself, and the canonical JSON of every Spec type.

Same value, same bytes: keys sorted, two spaces, a newline at the end, floats as `repr` writes
them. What differs between two runs on the same input (when, and the command line with its paths)
is in `BundleManifest.run`, which `content_sha256` does not cover; nor does it cover `failures`,
whose hints name log files.
"""

from __future__ import annotations

import codecs
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from mobileq.consistency import artifact_contradiction, contradiction
from mobileq.errors import InputError, unreadable
from mobileq.field_errors import field_error
from mobileq.page import Page, Told, megabytes, number
from mobileq.regular_file import read_regular
from mobileq.spec import Artifact, Bytes, ModelSpec, Precision, QuantRecipe, Sha256, Spec

MANIFEST_NAME = "manifest.json"
SCHEMA_VERSION = 3
"""2 has `failures`; 1 is read as having none. 3 has the options of its target apart in a recipe."""

_UNHASHED = ("run", "failures", "content_sha256")
MAX_MANIFEST_BYTES = 64 * 1024 * 1024
FLAGS = (
    *("--fold-preprocessing", "--no-search", "--layer-noise", "--strict", "--force", "--no-cache"),
    *("--no-device", "--json", "--no-project"),
)
"""Options without a value of the commands that make bundles."""
AGREEMENT = "agreement_"
"""Begins the key of a measurement, before the task's measure: `agreement_map50_95`."""
_REMAKE = "Make the bundle again with `mobileq convert`."


class SourceInfo(Spec, frozen=True, kw_only=True):
    """The ONNX file a bundle was made from, and the inputs that were made constants, with their
    values as `--set` takes them."""

    file_name: str
    sha256: Sha256
    opset: Annotated[int, Meta(ge=0, le=10**6)]
    size_bytes: Bytes
    set_inputs: dict[str, str] = msgspec.field(default_factory=dict)


class FileEntry(Spec, frozen=True, kw_only=True):
    """One file of a bundle."""

    sha256: Sha256
    size_bytes: Bytes


class CalibrationInfo(Spec, frozen=True, kw_only=True):
    """The samples that calibration saw; `skipped` holds (name, reason) of those it could not."""

    source: str
    count: Annotated[int, Meta(ge=0)]
    seed: int
    ids: tuple[str, ...]
    skipped: tuple[tuple[str, str], ...] = ()


class Failure(Spec, frozen=True, kw_only=True):
    """A file that was asked for and is not in the bundle, since it can't be made right.

    Attributes:
        file_name: Which it would have had.
        stage: Where it ended: choosing ranges and float ops, converting, loading and running the
            file, or comparing what it gives with ONNX Runtime.
        reason: One sentence.
        hint: What to do about it; one sentence, or nothing.
    """

    target: str
    precision: Precision
    file_name: str
    stage: Literal["quantize", "convert", "run", "compare"]
    reason: str
    hint: str = ""

    @property
    def name(self) -> str:
        """As of `Artifact`."""
        return f"{self.target}-{self.precision}"


def tell_failures(page: Page, failures: Sequence[Failure]) -> None:
    """A line for each reason: that of files made of one that is wrong is the same, for instance."""
    found: dict[str, list[Failure]] = {}
    for each in failures:
        found.setdefault(f"{each.reason} {each.hint}".rstrip(), []).append(each)
    for reason, failed in found.items():
        names = ", ".join(each.file_name for each in failed)
        page.line(f"FAILED {names}: {reason}", "bad")


class RunInfo(Spec, frozen=True, kw_only=True):
    """What no hash covers: when (ISO 8601, UTC) and with which command line."""

    created: str
    command: tuple[str, ...] = ()

    @property
    def options(self) -> dict[str, list[str]]:
        """What the command line chose, each with its values: {"--calib-count": ["8"], "--force":
        []}. A value may begin with a dash itself (`--keep-float -conv`)."""
        found: dict[str, list[str]] = {}
        words = iter(self.command)
        for word in words:
            if word == "--":
                break  # what follows are arguments
            if not word.startswith("-"):
                continue
            name, is_joined, value = word.partition("=")
            if not word.startswith("--"):
                name, is_joined, value = word[:2], word[2:], word[2:].removeprefix("=")
            values = found.setdefault(name, [])
            if name not in FLAGS:
                values.append(value if is_joined else next(words, ""))
        return found


class BundleManifest(Told, Spec, frozen=True, kw_only=True):
    """All that a bundle holds, and what it was to hold.

    `files` names every file but `manifest.json` itself, by its path with forward slashes.
    `measurements` is keyed by `Artifact.name`, then by what was measured.
    """

    model: ModelSpec
    source: SourceInfo
    artifacts: tuple[Artifact, ...]
    run: RunInfo
    files: dict[str, FileEntry] = msgspec.field(default_factory=dict)
    measurements: dict[str, dict[str, float | int | str]] = msgspec.field(default_factory=dict)
    calibration: CalibrationInfo | None = None
    tool_versions: dict[str, str] = msgspec.field(default_factory=dict)
    failures: tuple[Failure, ...] = ()
    schema_version: Literal[1, 2, 3] = 3
    content_sha256: str = ""

    def tell(self, page: Page) -> None:
        """The files, and how far each is from the ONNX model."""
        measured = [self.measurements.get(artifact.name, {}) for artifact in self.artifacts]
        measures = sorted({key for each in measured for key in each if key.startswith(AGREEMENT)})
        rows: list[tuple[str, ...]] = [
            (
                artifact.file_name,
                megabytes(artifact.size_bytes),
                number(figures.get("sqnr_db"), ".1f", "exact"),
                number(figures.get("cosine"), ".6f"),
                *(number(figures.get(measure), ".3f") for measure in measures),
                artifact.recipe.engine,
            )
            for artifact, figures in zip(self.artifacts, measured, strict=True)
        ]
        columns = ("file", "size", "SQNR dB", "cosine", *("agreement",) * len(measures), "engine")
        without = ("-",) * (len(columns) - 2)
        rows += [(each.file_name, "FAILED", *without) for each in self.failures]
        page.table(columns, rows, f"{self.model.name}: compared with ONNX Runtime")
        for measure in measures:
            page.line(
                "agreement: the score of the file's answers, the ONNX model's taken for the truth "
                f"({measure}).",
                "quiet",
            )
        tell_failures(page, self.failures)

    def __repr__(self) -> str:
        files = ", ".join(artifact.name for artifact in self.artifacts)
        return f"<BundleManifest {self.model.name}: {files}>"


def to_json(value: object) -> bytes:
    """Canonical JSON of a Spec, or of anything made of dict, list, str, numbers and None.

    Raises:
        ValueError: A float is not finite, or a text is no valid Unicode.
        msgspec.ValidationError: A field of the Spec holds a value of the wrong type.
    """
    text = json.dumps(
        _builtins(value), sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False
    )
    return text.encode() + b"\n"


def from_json[SpecT: msgspec.Struct](
    data: bytes, kind: type[SpecT], what: str, hint: str = ""
) -> SpecT:
    """Read a Spec strictly: unknown fields and values of the wrong type are errors.

    Args:
        data: UTF-8 JSON, from anywhere; Windows' editors put a byte order mark before it.
        kind: The type to read.
        what: How the error calls the file.
        hint: What the error says to do.

    Raises:
        InputError: One sentence that names `what` and the field.
    """
    try:
        return msgspec.json.decode(data.removeprefix(codecs.BOM_UTF8), type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"{what} cannot be used: {_reason(error, kind)}.", hint) from error


def content_hash(manifest: BundleManifest | dict[str, Any]) -> str:
    """SHA-256 of the canonical JSON without `run` and `content_sha256`.

    Give the JSON as read to check a file: a manifest of an older version lacks fields that this
    one would write.
    """
    plain: dict[str, Any] = _builtins(manifest)
    content = {key: value for key, value in plain.items() if key not in _UNHASHED}
    return hashlib.sha256(to_json(content)).hexdigest()


def seal(manifest: BundleManifest) -> BundleManifest:
    """The same manifest, of this version, with `content_sha256` filled in.

    Raises:
        ValueError: It contradicts itself: a path leaves the bundle, or an artifact is not in
            `files` with the same size and hash.
    """
    problem = _contradiction(manifest)
    if problem:
        raise ValueError(problem)
    current = msgspec.structs.replace(manifest, schema_version=SCHEMA_VERSION)
    return msgspec.structs.replace(current, content_sha256=content_hash(current))


def write_manifest(manifest: BundleManifest, path: Path) -> BundleManifest:
    """Seal a manifest, write it, and give it back as written.

    Raises:
        ValueError: It contradicts itself; see `seal`.
        OSError: `path` cannot be written.
    """
    sealed = seal(manifest)
    path.write_bytes(to_json(sealed))
    return sealed


def read_manifest(path: Path) -> BundleManifest:
    """Read a manifest strictly. Hashes are not compared; `bundle.verify_bundle` does that.

    Raises:
        InputError: The file cannot be read, is from a newer version, or a field is wrong.
    """
    try:
        data = read_regular(path, MAX_MANIFEST_BYTES, "a manifest")
    except OSError as error:
        raise unreadable(path, error) from error
    _check_version(data, path)
    data = with_options_apart(data, "artifacts", SCHEMA_VERSION)
    manifest = from_json(data, BundleManifest, str(path), _REMAKE)
    problem = _contradiction(manifest)
    if problem:
        raise InputError(f"{path} cannot be used: {problem}.", _REMAKE)
    return manifest


def with_options_apart(data: bytes, field: str, version: int) -> bytes:
    """JSON of before that `version` as if it were of it: with a target's options apart in a recipe.

    They stood among the recipe's other fields, named for the target (`mnn_method`), and null in the
    files of the others.

    Args:
        field: The list whose members have a `target` and a `recipe` each.
    """
    try:
        read = msgspec.json.decode(data.removeprefix(codecs.BOM_UTF8))
        if read.get("schema_version", 1) >= version:
            return data
        for each in read[field]:
            recipe, prefix = each["recipe"], f"{each['target']}_"
            others = [name for name in recipe if name not in QuantRecipe.__struct_fields__]
            for name in others:
                if recipe[name] is None:
                    del recipe[name]
                elif name.startswith(prefix):
                    recipe.setdefault("options", {})[name] = recipe.pop(name)
        return msgspec.json.encode(read)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return data  # strict reading says what is wrong
    except (AttributeError, KeyError, TypeError):
        return data


def path_problem(text: str) -> str | None:
    """Why `text` cannot be the path of a file inside a bundle; None if it can.

    A path goes forward from the bundle's folder, with forward slashes, and means the same on every
    system.
    """
    if "\\" in text or ":" in text:
        return f"the path {text!r} does not mean the same on every system"
    if any(part in ("", ".", "..") for part in text.split("/")):
        return f"the path {text!r} does not stay inside the bundle"
    if not text.isprintable():
        return f"the path {text!r} holds characters that cannot be printed"
    return None


def _builtins(value: object) -> Any:
    """Plain dicts, lists and numbers.

    A Spec goes through its own types first, or a float field that was given the integer 0 would
    be written as `0`, read back as 0.0, and have another hash.
    """
    plain = msgspec.to_builtins(value, str_keys=True)
    if isinstance(value, msgspec.Struct):
        typed = msgspec.convert(plain, type(value), str_keys=True)
        plain = msgspec.to_builtins(typed, str_keys=True)
    return plain


class _Version(msgspec.Struct):
    schema_version: int


def _check_version(data: bytes, path: Path) -> None:
    """Say "newer version" where strict reading would only name the first new field."""
    try:
        version = msgspec.json.decode(data, type=_Version).schema_version
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return  # whatever is wrong, strict reading names it
    if version > SCHEMA_VERSION:
        raise InputError(
            f"{path} was written by a newer mobileq (schema {version}, known is {SCHEMA_VERSION}).",
            "Update mobileq: `pip install --upgrade mobileq`.",
        )


def _contradiction(manifest: BundleManifest) -> str | None:
    return _files_contradiction(manifest) or _models_contradiction(manifest)


def _models_contradiction(manifest: BundleManifest) -> str | None:
    if problem := contradiction(manifest.model, "model"):
        return problem
    names = [artifact.name for artifact in manifest.artifacts]
    for index, artifact in enumerate(manifest.artifacts):
        place = f"artifacts[{index}]"
        if artifact.name in names[:index]:
            return f"field `{place}`: there is another {artifact.name}"
        if problem := artifact_contradiction(artifact, manifest.model, place):
            return problem
    return None


def _files_contradiction(manifest: BundleManifest) -> str | None:
    for path in manifest.files:
        problem = path_problem(path)
        if problem is None and path == MANIFEST_NAME:
            problem = "a manifest cannot list itself"
        if problem:
            return f"field `files`: {problem}"
    for index, artifact in enumerate(manifest.artifacts):
        listed = manifest.files.get(artifact.path)
        if listed is None:
            return f"field `artifacts[{index}].path`: {artifact.path!r} is not in `files`"
        if (listed.sha256, listed.size_bytes) != (artifact.sha256, artifact.size_bytes):
            return f"field `artifacts[{index}]`: size or hash differs from that in `files`"
    return None


def _reason(error: Exception, kind: type) -> str:
    """The end of a sentence, which begins with the field where there is one."""
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8 text"
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    return field_error(error, kind)
