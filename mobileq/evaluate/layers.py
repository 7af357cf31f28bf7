"""Where along a network a file's numbers leave the float model's."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mobileq.evaluate.numeric import OutputComparer
from mobileq.spec import Spec, TensorSpec

if TYPE_CHECKING:
    from onnx import ModelProto

    from mobileq.calibration.samples import Sample
    from mobileq.targets.base import Runner

_TOLD = 3
"""Layers that the sentence for people names."""


class LayerNoise(Spec, frozen=True, kw_only=True):
    """One tensor of a file, over all samples.

    Attributes:
        sqnr_db: See `OutputComparison`.
        added: Its noise in parts of its signal, less that of the noisiest tensor it is made of: a
            fall from 13 to 7 dB adds 0.15.
        low: The least value of the float model's tensor, and
        high: the greatest.
        int8_low: What the file's integers can hold there, if it has some: values beyond are
            clipped.
    """

    name: str
    op_type: str
    sqnr_db: float | None
    added: float
    low: float
    high: float
    int8_low: float | None = None
    int8_high: float | None = None


@dataclass(frozen=True)
class InnerTensor:
    """One tensor of a file beside the float model's, over all samples. See `LayerNoise`."""

    sqnr_db: float | None
    low: float
    high: float
    int8_low: float | None
    int8_high: float | None


def inner_noise(
    reference: Runner, candidate: Runner, samples: Iterable[Sample]
) -> dict[str, InnerTensor]:
    """All tensors that both runners give in the same shape.

    Args:
        reference: Runs the float model.
        candidate: Runs the file. Its outputs' `quant` says which are integers.
    """
    comparers = {spec.name: OutputComparer(spec.name) for spec in candidate.outputs}
    spans: dict[str, tuple[float, float]] = {}
    for sample in samples:
        wanted, found = reference.run(sample.feeds), candidate.run(sample.feeds)
        for name in list(comparers):
            if wanted[name].shape != found[name].shape or not wanted[name].size:
                del comparers[name]
                continue
            comparers[name].update(wanted[name], found[name])
            low, high = float(wanted[name].min()), float(wanted[name].max())
            known = spans.get(name, (low, high))
            spans[name] = min(low, known[0]), max(high, known[1])
    specs = {spec.name: spec for spec in candidate.outputs}
    return {
        name: InnerTensor(
            comparer.result().sqnr_db,
            *spans[name],
            *(_limit(specs[name], code) for code in (-128, 127)),
        )
        for name, comparer in comparers.items()
    }


def layer_noise(model: ModelProto, measured: Mapping[str, InnerTensor]) -> tuple[LayerNoise, ...]:
    """What was measured, in the order in which the ops run.

    Args:
        model: The float model that the file was made of.
        measured: By its tensors' names.
    """
    noise = {name: each.sqnr_db for name, each in measured.items()}
    return tuple(
        LayerNoise(name=name, op_type=op_type, added=added, **vars(measured[name]))
        for name, op_type, added in _added(model, noise)
    )


def told(layers: Sequence[LayerNoise], end: str = "; report.json has all layers") -> str:
    """The layers that add most, in a sentence with that `end`."""
    worst = sorted(layers, key=lambda layer: -layer.added)[:_TOLD]
    return f"Most noise is added at {', '.join(map(_told, worst))}{end}."


def _told(layer: LayerNoise) -> str:
    left = "no noise" if layer.sqnr_db is None else f"{layer.sqnr_db:.1f} dB left"
    low, high = layer.int8_low, layer.int8_high
    if low is None or high is None or (low <= layer.low and layer.high <= high):
        return f"{layer.name} ({layer.op_type}: {left})"
    clipped = f"{layer.low:.3g} .. {layer.high:.3g} clipped to {low:.3g} .. {high:.3g}"
    return f"{layer.name} ({layer.op_type}: {left}, {clipped})"


def _added(
    model: ModelProto, measured: dict[str, float | None]
) -> Iterator[tuple[str, str, float]]:
    """(tensor, op, added noise); tensors that are not measured hand on what they are made of."""
    shares: dict[str, float] = {}
    for node in model.graph.node:
        taken = max((shares.get(name, 0.0) for name in node.input), default=0.0)
        for name in node.output:
            shares[name] = taken
            if name in measured:
                shares[name] = _share(measured[name])
                yield name, node.op_type, shares[name] - taken


def _share(sqnr_db: float | None) -> float:
    """Noise in parts of the signal."""
    return 0.0 if sqnr_db is None else math.pow(10.0, -sqnr_db / 10.0)


def _limit(spec: TensorSpec, code: int) -> float | None:
    if spec.quant is None:
        return None
    return spec.quant.scale[0] * (code - spec.quant.zero_point[0])
