"""What 8 bits cost a file op by op, as the page shows it: charts, and the same as a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mobileq.evaluate.layers import LayerNoise, told
from mobileq.page import number, plural, span
from mobileq.quantize.group_plans import GroupPlan
from mobileq.reporting.contents import Subject
from mobileq.reporting.figures import Figure, figure
from mobileq.reporting.files import NONE
from mobileq.reporting.layer_charts import (
    Ranked,
    clips,
    file_noise_chart,
    noise_chart,
    range_chart,
    ranked_chart,
)
from mobileq.reporting.vega import PAGE

_RANKED = 15
_EXPLAINED = 5
_ON_PURPOSE = (
    "What goes through a sigmoid next is clipped on purpose: its far ends are all the same."
)


@dataclass(frozen=True)
class LayerView:
    """One file, or those of one plan.

    Attributes:
        sentences: On the ops that cost most.
    """

    title: str
    sentences: tuple[str, ...]
    figures: tuple[Figure, ...]
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def layer_views(subject: Subject) -> Iterator[LayerView]:
    """What was planned, once for all files that share it; then what is left in each int8 file."""
    plans: dict[tuple[GroupPlan, ...], list[str]] = {}
    for artifact in subject.artifacts:
        plan = subject.report.plans.get(artifact.name)
        if plan is not None and plan.groups:
            plans.setdefault(plan.groups, []).append(artifact.file_name)
    for groups, files in plans.items():
        yield _planned(f"{', '.join(files)}: each tensor alone", groups)
    for artifact in subject.artifacts:
        layers = subject.report.layers.get(artifact.name, ())
        if layers:
            by_tool = artifact.name not in subject.report.plans
            yield _measured(f"{artifact.file_name}: in the file", layers, by_tool=by_tool)


def _planned(title: str, groups: Sequence[GroupPlan]) -> LayerView:
    ranked = sorted(groups, key=lambda each: -(each.share or 0.0))
    is_ranked = any(each.share for each in groups)
    kept = sum(each.is_float for each in groups)
    clipped = sum(clips(each) for each in groups)
    sentences = [
        f"{plural(len(groups), 'group')} of ops; {kept} of them in float.",
        f"Of {clipped} of their tensors the largest values are clipped: they are rare, and the "
        "others get finer steps.",
    ]
    if is_ranked:
        worst = [each for each in ranked[:_EXPLAINED] if each.share]
        sentences += [
            f"{each.name} ({each.op_type}) alone is {each.share:.0%} of the error"
            f"{', and stays float' if each.is_float else ''}: {each.why}."
            for each in worst
        ]
    return LayerView(
        title=title,
        sentences=tuple(sentences),
        figures=tuple(_figures(ranked[:_RANKED] if is_ranked else (), groups)),
        columns=("tensor", "op", "in", "share", "SQNR dB", "range", "seen", "what it looks like"),
        rows=tuple(
            (
                *(each.name, each.op_type, "float" if each.is_float else "integers"),
                *(number(each.share, ".1%", NONE), f"{each.sqnr_db:.1f}"),
                *(span(each.low, each.high), span(each.seen_low, each.seen_high), each.why),
            )
            for each in ranked
        ),
    )


def _figures(ranked: Sequence[GroupPlan], groups: Sequence[GroupPlan]) -> Iterator[Figure]:
    if ranked:
        bars = [
            Ranked(each.name, each.op_type, each.share or 0.0, each.why, (_kind(each),))
            for each in ranked
        ]
        yield figure(
            ranked_chart(bars, ("computed in",), PAGE),
            f"The {len(ranked)} groups of ops that cost most at the outputs, each in 8 bits alone.",
            is_wide=True,
        )
    yield figure(
        noise_chart(groups, PAGE),
        "What is left of each tensor when it alone is rounded to 8 bits and clipped. "
        f"{_ON_PURPOSE}",
    )
    yield figure(
        range_chart(groups, PAGE),
        "What integers hold of each tensor, over what was seen of it on the calibration samples.",
    )


def _kind(group: GroupPlan) -> str:
    return "float" if group.is_float else "integers"


def _measured(title: str, layers: Sequence[LayerNoise], *, by_tool: bool) -> LayerView:
    return LayerView(
        title=title,
        sentences=(
            "Measured in the file as its runtime computes it, after all that was rounded before.",
            told(layers, "") if by_tool else _ON_PURPOSE,
        ),
        figures=(
            figure(
                file_noise_chart(layers, PAGE),
                "What is left of each tensor of the float model, in the order of ops.",
            ),
        ),
        columns=("tensor", "op", "SQNR dB", "noise added", "seen", "integers hold"),
        rows=tuple(
            (
                *(each.name, each.op_type, number(each.sqnr_db, ".1f", "exact")),
                *(f"{each.added:z.4f}", span(each.low, each.high), _held(each)),
            )
            for each in sorted(layers, key=lambda layer: -layer.added)
        ),
    )


def _held(layer: LayerNoise) -> str:
    if layer.int8_low is None or layer.int8_high is None:
        return NONE
    return span(layer.int8_low, layer.int8_high)
