"""What a model file takes and gives, and what a person says of it: together its spec."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import msgspec

from mobileq.consistency import consistent_model
from mobileq.graph.index import GraphIndex
from mobileq.paths import model_name
from mobileq.preparation.recognise import Recognition, recognise_shapes
from mobileq.preparation.spec_file import SpecOverrides, apply_overrides
from mobileq.spec import TensorSpec


def describe(
    path: Path,
    inputs: tuple[TensorSpec, ...],
    outputs: tuple[TensorSpec, ...],
    metadata: Mapping[str, str],
    overrides: SpecOverrides,
    *,
    index: GraphIndex | None = None,
    family: str | None = None,
    names: tuple[str, ...] | None = None,
) -> Recognition:
    """Recognise a model of any format, correct that by a spec file, and name it after its file.

    Args:
        path: Of the model.
        inputs: With static shapes, as far as they can be known.
        outputs: As `inputs`.
        metadata: Of the file.
        overrides: The spec file.
        index: Of the graph, where there is one to read.
        family: Insist on a family; goes before the spec file's.
        names: Class names that somebody gave for this model.

    Raises:
        UsageError: What a person says can't be carried out.
        InputError: `names` are not as many as the classes, or the spec contradicts itself.
    """
    asked = family if family is not None else overrides.family
    early = None if overrides.sets_class_count else names
    found = recognise_shapes(inputs, outputs, metadata, index, asked, early)
    found = apply_overrides(found, overrides, names)
    spec = msgspec.structs.replace(found.spec, name=model_name(path))
    spec = consistent_model(spec, str(path), "Describe it with --spec FILE.toml.")
    return replace(found, spec=spec)
