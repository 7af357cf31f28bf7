"""The child's side of `hosted_parts`."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import msgspec
import onnx

from mobileq.external.framing import Arrays, Fields
from mobileq.quantize.groups import find_groups
from mobileq.quantize.sensitivity import each_part
from mobileq.spec import ModelSpec, TensorRange


class PartHandler:
    """Methods as `mobileq.external.child` calls them, one after the other."""

    _found: Generator[tuple[str, float], None, None]

    def __init__(self) -> None:
        self._samples: list[dict[str, Any]] = []

    def sample(self, fields: Fields, arrays: Arrays) -> tuple[Fields, Arrays]:
        """One more of the inputs."""
        self._samples.append(arrays)
        return {}, {}

    def begin(self, fields: Fields, arrays: Arrays) -> tuple[Fields, Arrays]:
        """Once all are there; fields are `model`, its path, `ranges`, `spec` and the parts
        that are `known`, arrays the shifts."""
        model = onnx.load(fields["model"])
        ranges = msgspec.convert(fields["ranges"], dict[str, TensorRange])
        spec = msgspec.convert(fields["spec"], ModelSpec)
        groups = find_groups(model)
        known = frozenset(fields["known"])
        self._found = each_part(model, groups, ranges, self._samples, spec, arrays, known)
        return {}, {}

    def step(self, fields: Fields, arrays: Arrays) -> tuple[Fields, Arrays]:
        """The next `part` and how far it is `off`; None after the last."""
        part, off = next(self._found, (None, None))
        return {"part": part, "off": off}, {}
