"""The page of a report: one file that a browser shows without anything else."""

from __future__ import annotations

import base64
import hashlib
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mobileq.page import plural
from mobileq.reporting import vega
from mobileq.reporting.charts import SIZE, TIME, Axis, Point, histogram, on_phone, tradeoff
from mobileq.reporting.collected import Collected, collected
from mobileq.reporting.contents import Subject
from mobileq.reporting.figures import Figure, figure
from mobileq.reporting.files import FileTable, file_table
from mobileq.reporting.layers import LayerView, layer_views
from mobileq.reporting.pictures import Compared, ShownPicture
from mobileq.reporting.words import what_was_done
from mobileq.spec import QuantParams, TensorSpec

if TYPE_CHECKING:
    from markupsafe import Markup

_TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class TensorRow:
    """An input or output of files that have the same."""

    files: str
    name: str
    shape: str
    dtype: str
    scale: str
    zero_point: str


@dataclass(frozen=True)
class BundleView:
    """One bundle as the template shows it."""

    subject: Subject
    table: FileTable
    tradeoffs: tuple[Figure, ...]
    done: tuple[tuple[str, tuple[str, ...]], ...]
    tensors: tuple[TensorRow, ...]
    command: str
    versions: dict[str, str]
    benches: tuple[Collected, ...]
    histograms: tuple[Figure, ...]
    layers: tuple[LayerView, ...]


def render_page(subjects: Sequence[Subject], pictures: Sequence[ShownPicture], version: str) -> str:
    """The page as HTML.

    Args:
        subjects: At least one; of different titles.
        pictures: Those on which files differ most.
        version: Of mobileq.
    """
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=True,
    )
    environment.filters["base64"] = lambda data: base64.b64encode(data).decode()
    environment.filters["code"] = _with_code
    script, style = (_asset(name) for name in ("report.js", "report.css"))
    bundles = [_view(subject) for subject in subjects]
    names = ", ".join(subject.title for subject in subjects)
    return environment.get_template("report.html.jinja").render(
        bundles=bundles,
        together=_together(bundles) if len(bundles) > 1 else (),
        pictures=pictures,
        title=f"mobileq report: {names}",
        version=version,
        colours=_colours(),
        style=style,
        script=script,
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        plural=plural,
    )


def _with_code(text: str) -> Markup:
    """A sentence, its `words in backticks` as code."""
    from markupsafe import Markup, escape

    parts = enumerate(text.split("`"))
    return Markup("").join(
        Markup("<code>{}</code>").format(p) if at % 2 else escape(p) for at, p in parts
    )


def _asset(name: str) -> Markup:
    from markupsafe import Markup

    return Markup((_TEMPLATES / name).read_text("utf-8"))


def _colours() -> dict[str, dict[str, str]]:
    """By theme, as custom properties."""
    palettes = {"light": vega.LIGHT, "dark": vega.DARK}
    return {
        theme: {each.name: getattr(palette, each.name) for each in fields(palette)}
        for theme, palette in palettes.items()
    }


def _view(subject: Subject) -> BundleView:
    table = file_table(subject)
    manifest = subject.manifest
    versions = dict(manifest.tool_versions)
    for artifact in subject.artifacts:
        versions |= artifact.tool_versions
    return BundleView(
        subject=subject,
        table=table,
        tradeoffs=_tradeoffs(table.points, table.worth, [*subject.fastest]),
        done=tuple(
            (each.file_name, tuple(what_was_done(subject, each))) for each in subject.artifacts
        ),
        tensors=tuple(_tensors(subject)),
        command=shlex.join(manifest.run.command),
        versions=versions,
        benches=tuple(map(collected, subject.benches)),
        histograms=tuple(_histograms(subject.compared)),
        layers=tuple(layer_views(subject)),
    )


def _together(bundles: Sequence[BundleView]) -> tuple[Figure, ...]:
    """The files of all bundles in the same charts, where they are measured alike."""
    if len({view.table.worth.title for view in bundles}) > 1:
        return ()
    points = [
        point for view in bundles for point in file_table(view.subject, view.subject.title).points
    ]
    devices = dict.fromkeys(device for view in bundles for device in view.subject.fastest)
    return _tradeoffs(points, bundles[0].table.worth, [*devices])


def _tradeoffs(points: Sequence[Point], worth: Axis, devices: Sequence[str]) -> tuple[Figure, ...]:
    found = []
    for x in (SIZE, TIME, *map(on_phone, devices)):
        chart = tradeoff(points, x, worth, vega.PAGE)
        if chart is not None:
            caption = (
                f"{x.title[0].upper()}{x.title[1:]}, against {worth.title}. Bars: standard errors. "
                "Dashed: the files that no other beats in both. Ring: the file to ship."
            )
            found.append(figure(chart, caption))
    return tuple(found)


def _histograms(compared: Compared | None) -> Iterator[Figure]:
    import numpy as np

    if compared is None:
        return
    for what, values in compared.values.items():
        if values:
            quartiles = np.quantile(values, (0.05, 0.5, 0.95))
            low, middle, high = (f"{value:.3f}" for value in quartiles)
            caption = (
                f"What {compared.file} changes of the {what}, {len(values):,} in all: half are "
                f"below {middle}, nine in ten between {low} and {high}."
            )
            yield figure(histogram(values, what, "how many", vega.PAGE), caption)


def _tensors(subject: Subject) -> Iterator[TensorRow]:
    alike: dict[tuple[TensorSpec, ...], list[str]] = {}
    for artifact in subject.artifacts:
        tensors = (*artifact.inputs, *artifact.outputs)
        alike.setdefault(tensors, []).append(artifact.file_name)
    for tensors, files in alike.items():
        for at, tensor in enumerate(tensors):
            yield TensorRow(
                files=", ".join(files) if at == 0 else "",
                name=tensor.name,
                shape=" x ".join(map(str, tensor.shape)),
                dtype=tensor.dtype,
                scale=_told(tensor.quant, "scale"),
                zero_point=_told(tensor.quant, "zero_point"),
            )


def _told(quant: QuantParams | None, field: str) -> str:
    if quant is None:
        return "\N{EN DASH}"
    values: Sequence[Any] = getattr(quant, field)
    if len(values) == 1:
        return f"{values[0]:.6g}"
    return f"{min(values):.6g} .. {max(values):.6g} (along axis {quant.axis})"
