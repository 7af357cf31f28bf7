"""What the families look at, and what they answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mobileq.spec import PreprocessSpec, ResizeMode, TensorSpec
from mobileq.spec.decode import BoxUnit, DecodeSpec
from mobileq.tasks.detect.evidence import Evidence, OutputEvidence
from mobileq.tasks.recognition import Picture, Questions, assumed_classes


@dataclass(frozen=True, kw_only=True)
class Facts:
    """A model as the families see it.

    `names` are the class names somebody has given, by option or in the file. `evidence` is None
    where there is no graph to read (a .tflite).
    """

    picture: Picture
    outputs: tuple[TensorSpec, ...]
    metadata: Mapping[str, str] = field(default_factory=dict)
    names: tuple[str, ...] | None = None
    names_in_file: bool = True
    """`names` are the file's own; those given by option may differ, which is an error later on."""
    evidence: Evidence | None = None
    forced: bool = False
    """Somebody has named the family: doubts that only tell it from others are not raised."""

    def about(self, output: TensorSpec) -> OutputEvidence | None:
        """What the graph reveals about an output, None without a graph."""
        return None if self.evidence is None else self.evidence.outputs.get(output.name)

    def class_count(self, otherwise: int = 80) -> tuple[int, Questions]:
        """By the graph or the names that were given; else `otherwise`, and what to ask."""
        if self.evidence is not None and self.evidence.class_count is not None:
            return self.evidence.class_count, {}
        if self.names is not None:
            return len(self.names), {}
        return otherwise, assumed_classes(otherwise)

    def preprocess(
        self,
        resize_mode: ResizeMode,
        *,
        bgr: bool = False,
        rescale_factor: float = 1.0,
        mean: tuple[float, float, float] = (0.0, 0.0, 0.0),
        std: tuple[float, float, float] = (1.0, 1.0, 1.0),
    ) -> PreprocessSpec:
        """See `Picture.preprocess`; families whose models take raw pixels are the rule here."""
        return self.picture.preprocess(
            resize_mode, bgr=bgr, rescale_factor=rescale_factor, mean=mean, std=std
        )


@dataclass(frozen=True, kw_only=True)
class Match:
    """A family fits: how to feed the model and how to read it.

    `background_label`: class 0 stands for "no object", and the names start at class 1.
    """

    family: str
    preprocess: PreprocessSpec
    decode: DecodeSpec
    notices: tuple[str, ...] = ()
    questions: Questions = field(default_factory=dict)
    background_label: bool = False


Answer = Match | str
"""A match, or the reason why the family does not fit."""


def box_unit_of(output: TensorSpec) -> BoxUnit:
    """Normalized where a quantized output's whole range is too small for pixels, else pixels."""
    if output.quant is None or len(output.quant.scale) != 1:
        return "pixel"
    highest = 255 if output.dtype == "uint8" else 127 if output.dtype == "int8" else 32767
    largest = output.quant.scale[0] * (highest - output.quant.zero_point[0])
    return "normalized" if largest < 4.0 else "pixel"


def box_unit_notice(facts: Facts, output: TensorSpec) -> tuple[str, ...]:
    """A notice where boxes may be normalized unseen: Ultralytics' .tflite exports are."""
    if facts.evidence is not None or output.quant is not None or facts.picture.layout == "NCHW":
        return ()
    return (
        "Boxes are taken to be in pixels; where the file gives 0..1, as Ultralytics' own .tflite"
        ' exports do, write box_unit = "normalized" in [decode] of a --spec file.',
    )
