"""`mobileq init`: a mobileq.toml for a model, with what there is to choose in comments."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Unpack

from mobileq.errors import InputError, UsageError
from mobileq.page import Page, Told
from mobileq.paths import PROJECT_NAME, StrPath
from mobileq.spec import ModelSpec, Spec, readings
from mobileq.targets.registry import TARGETS, default_target
from mobileq.workflows.choices import ModelChoices, chosen_overrides, takes
from mobileq.workflows.inputs import takes_pictures
from mobileq.workflows.inspect import inspect
from mobileq.workflows.inspection import Inspection
from mobileq.workflows.opening import Overrides
from mobileq.workflows.results import require_file_place, written_whole

_WIDTH = 98
_LABELS = 5


class ProjectFile(Told, Spec, frozen=True, kw_only=True):
    """What `init` wrote: the file, and what it says of the model."""

    path: str
    model: str
    found: str
    notices: tuple[str, ...] = ()

    def tell(self, page: Page) -> None:
        """What was found, and what to do next."""
        page.line(f"{self.model}: {self.found}")
        page.line(f"Written: {self.path}", "strong")
        page.line("Look it over, then: mobileq convert", "good")


@takes(ModelChoices)
def init(
    model: StrPath,
    output: StrPath = PROJECT_NAME,
    overrides: Overrides | None = None,
    *,
    force: bool = False,
    **choices: Unpack[ModelChoices],
) -> ProjectFile:
    """Write a project file for an ONNX model: its commands then need no options.

    Args:
        model: The ONNX file.
        output: The file to write; paths in it are relative to it.
        overrides, choices: What the model does not say itself, see `detect`; they are kept.
        force: Replace a file that is there.

    Raises:
        UsageError: A file is there already, or there is no such model.
        InputError: The model is none, or the file can't be written.
    """
    model, output = Path(model), Path(output)
    said = chosen_overrides(overrides, choices)
    require_file_place(output, "--output")
    if output.exists() and not force:
        raise UsageError(f"{output} exists already.", "Replace it with --force.")
    inspected = inspect(model, said)
    if not isinstance(inspected, Inspection) or inspected.format != "onnx":
        raise InputError(f"{model} is converted already.", "Give the ONNX model it came from.")
    assert inspected.model is not None
    lines = _lines(model, output.parent, inspected.model, said)
    with written_whole(output, "--output") as file:
        file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return ProjectFile(
        path=str(output),
        model=str(model),
        found=_found(inspected.model),
        notices=inspected.notices,
    )


def _found(spec: ModelSpec) -> str:
    """What is known of the model, in a sentence."""
    found = [spec.family or "no known family", spec.task]
    inputs = ", ".join(f"{each.name} {list(each.shape)}" for each in spec.inputs)
    found.append(f"input {inputs}")
    if spec.preprocess is not None:
        found.append(spec.preprocess.resizing)
    if spec.labels:
        more = ", ..." if len(spec.labels) > _LABELS else ""
        found.append(f"{len(spec.labels)} classes: {', '.join(spec.labels[:_LABELS])}{more}")
    return "; ".join(found)


def _lines(model: Path, folder: Path, spec: ModelSpec, said: Overrides) -> Iterator[str]:
    bundle = _text(f"{spec.name}-bundle")
    precisions = ", ".join(_text(each) for each in ("fp32", "int8"))
    yield from _comment(
        "Options of mobileq's commands: `mobileq convert` alone does what [convert] says, and the "
        "command line overrules it. Keys are the arguments and long options that `mobileq COMMAND "
        "--help` lists; paths are relative to this file."
    )
    yield "#"
    yield from _comment(f"{model.name}: {_found(spec)}.")
    if not readings(spec):
        yield from _comment(
            "What its outputs mean is not known: `family` or `spec` say it (docs/spec-file.md)."
        )
    yield from ("", "[convert]", f"model = {_text(_relative(model, folder))}", f"output = {bundle}")
    yield "force = true # replaces the bundle that is there"
    yield from _said(said, folder)
    yield from _comment(
        "Typical pictures, some dozens, for the ranges of int8 files; without them there are none:"
        if takes_pictures(spec)
        else "Typical tensors (.npz, .npy, or a folder of them), for the ranges of int8 files:"
    )
    yield '# calib = "calibration"'
    yield from _comment(f"Runtimes, of {', '.join(TARGETS)}; kinds of files; what int8 may lose:")
    yield f"# target = [{_text(default_target().name)}]"
    yield f"# precision = [{precisions}]"
    yield "# budget = 0.005"
    yield from ("", "[validate]", f"bundle = {bundle}")
    yield from _comment("Pictures that were not calibrated on, and their labels:")
    yield from ('# images = "validation"', '# annotations = "validation.json"')
    yield from ("", "[recommend]", f"bundle = {bundle}")
    yield from ("# max-loss = 0.01", "# max-mb = 10")
    yield from ("", "[report]", f"bundles = [{bundle}]")
    yield from ("", "[compare]", f"after = {bundle}")
    yield from ('# before = "last-release-bundle"', '# images = "validation"')
    yield from ('# annotations = "validation.json"', "# fail-if-worse = 0.005")


def _said(said: Overrides, folder: Path) -> Iterator[str]:
    """What was said of the model, to be said again."""
    for key, value in (("family", said.family), ("labels", said.labels)):
        if value is not None:
            yield f"{key} = {_text(_relative_if_there(value, folder))}"
    if said.spec_file is not None:
        yield f"spec = {_text(_relative_if_there(str(said.spec_file), folder))}"
    for key, values in (("input-shape", said.input_shapes), ("set", said.set_inputs)):
        if values:
            yield f"{key} = [{', '.join(map(_text, values))}]"


def _relative_if_there(text: str, folder: Path) -> str:
    return _relative(Path(text), folder) if Path(text).exists() else text


def _relative(path: Path, folder: Path) -> str:
    return Path(os.path.relpath(path, folder)).as_posix()


def _text(value: str) -> str:
    """As TOML has it, whose basic strings hold what JSON's do; DEL it wants escaped."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _comment(sentence: str) -> Iterator[str]:
    """Wrapped, with nothing in it that could end a comment: labels come from the model's file."""
    import textwrap

    plain = "".join(each if each.isprintable() else " " for each in sentence)
    yield from textwrap.wrap(
        plain, _WIDTH, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False
    )
