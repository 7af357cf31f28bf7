"""Which outputs the decoding puts through a sigmoid first."""

from __future__ import annotations

from mobileq.spec.decode import DecodeSpec, OutputRole

_LOGITS: frozenset[OutputRole] = frozenset({"class_logits", "objectness_logits"})


def logit_outputs(spec: DecodeSpec | None) -> tuple[str, ...]:
    """Their names, of raw heads, and of those in two outputs. A raw YOLOv5's boxes go through it as
    well as its scores."""
    if spec is None or (spec.head != "raw" and spec.kind != "split"):
        return ()
    whole = spec.kind == "yolov5"
    return tuple(output.name for output in spec.outputs if whole or output.role in _LOGITS)
