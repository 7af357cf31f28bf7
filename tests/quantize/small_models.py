"""Small models as the quantizing code meets them: prepared, in a file, with samples for them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from mobileq.calibration.samples import Sample
from mobileq.preparation.prepare import PreparedModel, prepare
from tests.graph.builders import model_of


@dataclass
class Given:
    """Samples that are there."""

    feeds: list[dict[str, Any]]

    def __len__(self) -> int:
        return len(self.feeds)

    def at(self, indices: Iterable[int]) -> Iterator[Sample]:
        return (Sample(str(at), self.feeds[at], ()) for at in indices)


def prepared_in(
    folder: Path, graph: str, weights: Mapping[str, np.ndarray], opset: int = 17
) -> tuple[Path, PreparedModel]:
    """`prepared.onnx` in the folder, and what was prepared."""
    onnx.save(model_of(graph, dict(weights), opset=opset), folder / "model.onnx")
    prepared = prepare(folder / "model.onnx")
    path = folder / "prepared.onnx"
    onnx.save(prepared.model, path)
    return path, prepared
