"""Where along a network a file's numbers leave the float model's."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
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


def tensor_names(model: ModelProto) -> tuple[str, ...]:
    """All that the model's ops give, in the order in which they run."""
    return tuple(name for node in model.graph.node for name in node.output if name)


def layer_noise(
    model: ModelProto, reference: Runner, candidate: Runner, samples: Iterable[Sample]
) -> tuple[LayerNoise, ...]:
    """All tensors that both runners give in the same shape, in the model's order.

    Args:
        model: The float model that the file was made of.
        reference: Runs it.
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
    measured = {name: comparer.result().sqnr_db for name, comparer in comparers.items()}
    specs = {spec.name: spec for spec in candidate.outputs}
    return tuple(
        LayerNoise(
            name=name,
            op_type=op_type,
            sqnr_db=measured[name],
            added=added,
            low=spans[name][0],
            high=spans[name][1],
            int8_low=_limit(specs[name], -128),
            int8_high=_limit(specs[name], 127),
        )
        for name, op_type, added in _added(model, measured)
    )


def told(layers: Sequence[LayerNoise]) -> str:
    """The layers that add most, in a sentence."""
    worst = sorted(layers, key=lambda layer: -layer.added)[:_TOLD]
    return f"Most noise is added at {', '.join(map(_told, worst))}; report.json has all layers."


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
