"""What all specs are made of: their base, the bounds of their fields, and tensors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar, Literal

import msgspec
from msgspec import Meta

Layout = Literal["NCHW", "NHWC"]
HeadKind = Literal["decoded", "raw"]
Problems = Iterator[tuple[str, str]]
"""What does not fit together: (field, what is wrong with it)."""

# Bounds of what is read. Beyond them no model was ever meant, and arithmetic or memory gives way.
# NaN lies within none.
Dim = Annotated[int, Meta(ge=-1, le=2**31 - 1)]
"""Length of an axis; -1 where it is known only at run time."""
Axis = Annotated[int, Meta(ge=0, le=15)]
Pixels = Annotated[int, Meta(ge=1, le=16384)]
PixelValue = Annotated[int, Meta(ge=0, le=255)]
Real = Annotated[float, Meta(ge=-1e9, le=1e9)]
Positive = Annotated[float, Meta(gt=0, le=1e9)]
Share = Annotated[float, Meta(ge=0, le=1)]
Name = Annotated[str, Meta(min_length=1)]
Bytes = Annotated[int, Meta(ge=0)]
Sha256 = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]


class Spec(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Base of all: frozen, keyword-only, strict when read back."""


class QuantParams(Spec, frozen=True, kw_only=True):
    """`real = scale * (quantized - zero_point)`; one entry, or one per index along `axis`."""

    scale: tuple[Annotated[float, Meta(ge=0, le=1e38)], ...]
    zero_point: tuple[Annotated[int, Meta(ge=-(2**31), le=2**31 - 1)], ...]
    axis: Axis | None = None


class TensorSpec(Spec, frozen=True, kw_only=True):
    """One input or output.

    `name`, always the ONNX model's, is how everything in the project calls the tensor. In an
    artifact, `artifact_name` is what the file itself calls it, and `shape`, `dtype` and `layout`
    are the file's.
    """

    name: Name
    shape: tuple[Dim, ...]
    dtype: Name
    layout: Layout | None = None
    quant: QuantParams | None = None
    artifact_name: str | None = None
    permutation: tuple[Axis, ...] | None = None
    """`file_array = model_array.transpose(permutation)`; None where the orders are the same."""


class Meaning(Spec, frozen=True, kw_only=True):
    """What an output holds, of what other formats have words for too.

    `labels` are the first and the end of the class names that it is about; `corners` says which of
    a box's four numbers are left, top, right and bottom, as shares of the picture; of scores, those
    below `threshold` are not meant to be seen.
    """

    role: Literal["class_scores", "boxes", "classes", "scores", "count"]
    name: Name | None = None
    labels: tuple[int, int] | None = None
    corners: tuple[int, ...] = ()
    threshold: Share = 0


class ReadingSpec(Spec, frozen=True, kw_only=True):
    """How a task reads a model's outputs, where shapes alone do not say it: one type for each.

    `section` is its field in `ModelSpec` and `Artifact`, and its table in a spec file.
    """

    section: ClassVar[str]

    @property
    def label_count(self) -> int | None:
        """How many classes want a name; None where there are none."""
        return None

    @property
    def is_raw(self) -> bool:
        """The outputs are bare ones of the last convolutions, and the reader does the rest."""
        return False

    @property
    def unfit_for_8_bits(self) -> str | None:
        """Why a scale for all values of an output loses some, as the end of a sentence."""
        return None

    def meanings(self, outputs: tuple[TensorSpec, ...]) -> Mapping[str, Meaning]:
        """By the outputs' names; empty where no other format has words for them."""
        return {}

    @property
    def summary(self) -> str:
        """One line for a person."""
        raise NotImplementedError

    def contradictions(self, outputs: tuple[TensorSpec, ...]) -> Problems:
        """What does not fit together, or not to the model's outputs; fields are those within."""
        raise NotImplementedError
