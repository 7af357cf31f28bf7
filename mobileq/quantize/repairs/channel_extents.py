"""How far the channels of an activation reach, and their mean squares, over a few samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from mobileq.quantize.repairs.spans import Channels

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mobileq.calibration.statistics import Statistics

    Vector = NDArray[np.float64]

_SILENT: Final = -4.0
"""Below it x * sigmoid(x) is nearly nothing (-0.07), and x * hardsigmoid(x) is 0: what a channel
has there needs no levels of its own."""


@dataclass(frozen=True, eq=False)
class Extent:
    """Per channel of a tensor: how far from zero it matters, and its mean square."""

    reach: Vector
    power: Vector

    def scaled(self, factors: Vector) -> Extent:
        """Of the channels times `factors`."""
        return Extent(self.reach * factors, self.power * factors**2)


def channel_extents(channels: Channels, statistics: Statistics) -> dict[str, Extent]:
    """Of those of `channels.measured` whose channels were looked at, by tensor."""
    import numpy as np

    gated = {span.source for span in channels.spans if span.gates}
    found = {}
    for name in channels.measured:
        known = statistics.tensors.get(name)
        if known is not None and known.channels is not None:
            own = known.channels
            bottom = np.maximum(own.min, _SILENT) if name in gated else own.min
            found[name] = Extent(np.maximum(own.max, -bottom), own.power)
    return found
