"""What a model really ran on, read from what TFLite says when it loads one.

A delegate takes what it can and leaves the rest to the CPU without an error; the API tells nobody.
"""

from __future__ import annotations

import re

from mobileq.spec import Spec

_REPLACED = re.compile(
    r"Replacing (?P<taken>\d+)(?: out of (?P<all>\d+))? node\(s\) with delegate "
    r"\((?P<name>[^)]*)\) node, yielding (?P<partitions>\d+) partitions"
)
"""TFLite 2.3 to 2.18 and LiteRT 1.x; the number of all nodes since 2.5."""


class Delegation(Spec, frozen=True, kw_only=True):
    """What one delegate took of a model.

    Attributes:
        delegate: As it calls itself: `TfLiteGpuDelegateV2`.
        nodes: That it took.
        all_nodes: That the model has; None where the release does not say.
        partitions: Pieces that the model fell into; between them values are copied.
    """

    delegate: str
    nodes: int
    all_nodes: int | None
    partitions: int

    @property
    def is_whole(self) -> bool:
        """Whether nothing was left to the CPU, as far as it is told."""
        return self.all_nodes is not None and self.nodes >= self.all_nodes

    def __str__(self) -> str:
        of = f" of {self.all_nodes}" if self.all_nodes is not None else ""
        return f"{self.delegate}: {self.nodes}{of} nodes in {self.partitions} partitions"


def delegations(log: str) -> tuple[Delegation, ...]:
    """All that a log tells of, in its order."""
    return tuple(
        Delegation(
            delegate=found["name"],
            nodes=int(found["taken"]),
            all_nodes=int(found["all"]) if found["all"] else None,
            partitions=int(found["partitions"]),
        )
        for found in _REPLACED.finditer(log)
    )
