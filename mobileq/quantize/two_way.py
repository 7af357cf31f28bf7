"""Runs a model's way there and back, sample by sample, in the child that has its sessions."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING

import numpy as np

from mobileq.external.framing import Arrays
from mobileq.graph.backward import Backward
from mobileq.onnx_runtime.session import LocalSession, SessionOptions
from mobileq.protobuf import write_model
from mobileq.staging import temporary_folder
from mobileq.tasks.base import Outputs, Reference

if TYPE_CHECKING:
    from onnx import GraphProto


class TwoWay:
    """Both graphs, opened for one thread: samples are run side by side.

    Args:
        made: Its graphs are empty afterwards: a large model is in memory often enough.
        results: The model's outputs, from whose
        reference: the slopes follow that are sent back.
    """

    def __init__(
        self, made: Backward, results: Sequence[str], reference: Callable[[Outputs], Reference]
    ) -> None:
        self._results, self._reference, self._seeds = results, reference, made.seeds
        self._taken = [value.name for value in made.back.graph.input]
        with temporary_folder() as folder:
            paths = [folder / "there.onnx", folder / "back.onnx"]
            for each, path in zip((made.there, made.back), paths, strict=True):
                write_model(each, path)
                each.Clear()
            options = SessionOptions(threads=1, readers_first=True)
            self._there, self._back = (LocalSession(path, options) for path in paths)

    def there(self, feeds: Arrays) -> Arrays:
        """What is fed and what the way there gives."""
        return {**feeds, **self._there.run_in_place(feeds)}

    def back(self, given: Arrays, seed: int) -> Arrays:
        """What the way back gives of that; signs of slopes are drawn by the seed."""
        outputs = {name: given[name] for name in self._results}
        slopes = self._reference(outputs).slopes(np.random.default_rng(seed))
        for name, each in self._seeds.items():
            given[each] = np.asarray(slopes[name], outputs[name].dtype)
        return self._back.run_in_place({name: given[name] for name in self._taken})


def keep_outputs(graph: GraphProto, names: Collection[str]) -> None:
    """Of the outputs these alone."""
    outputs = [each for each in graph.output if each.name in names]
    del graph.output[:]
    graph.output.extend(outputs)
