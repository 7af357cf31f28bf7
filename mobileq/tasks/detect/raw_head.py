"""Cuts a detector at its last convolutions and says how their outputs are to be decoded.

An integer graph then has no pixel boxes and scores in one tensor, and each output has a scale of
its own. The decoding is the one in `mobileq.tasks.detect.decode`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

from mobileq.errors import InputError, UsageError
from mobileq.graph.frontier import behind_quantizers, cut_at, frontier
from mobileq.graph.index import GraphIndex
from mobileq.graph.outline import dims, dtype_name
from mobileq.spec import Layout, ModelSpec, TensorSpec
from mobileq.spec.decode import DecodeKind, DecodeSpec, OutputRole
from mobileq.tasks.detect.head_roles import HeadTensor, NoRawHead, find_roles
from mobileq.tasks.detect.joint_outputs import take_apart
from mobileq.tasks.detect.query_head import query_heads
from mobileq.tasks.detect.same_detections import same_detections

if TYPE_CHECKING:
    from onnx import ModelProto

__all__ = ["cut_at", "frontier", "raw_head", "same_detections"]

_SEED = 20240229
_Roles = frozenset[OutputRole]
_DISTANCES: tuple[_Roles, ...] = (
    frozenset({"box_distribution", "class_logits"}),
    frozenset({"box_regression", "class_logits"}),
)
_STRIDE_ROLES: Mapping[DecodeKind, tuple[_Roles, ...]] = {
    "yolov5": (frozenset({"predictions"}),),
    "yolov8": _DISTANCES,
    "yolox": (frozenset({"box_regression", "objectness_logits", "class_logits"}),),
    "nanodet": (frozenset({"predictions"}), *_DISTANCES),
    "picodet": (frozenset({"predictions"}), *_DISTANCES),
    "end2end": _DISTANCES,
}
"""The roles that the outputs of one stride may have, by the kind of the raw head."""


def raw_head(model: ModelProto, spec: ModelSpec) -> tuple[ModelProto, ModelSpec]:
    """The model up to its last convolutions, and the spec that decodes their outputs.

    Outputs come stride after stride, the box before the classes, each in a tensor of its own where
    a plain convolution gives them all. It is made sure that the raw head gives the same candidates
    as the decoded one (see `same_detections`). A head that is raw already is returned as it is.

    Args:
        model: Float32 with static shapes, as `prepare` gives it.
        spec: Of the model.

    Raises:
        UsageError: The head is of no family whose raw decoding is known, or this model's decoding
            deviates from its family's.
    """
    if spec.decode is not None and spec.decode.head == "raw":
        return model, spec
    try:
        return _cut(model, spec)
    except NoRawHead as error:
        reason = str(error)
    except InputError as error:
        reason = error.message.rstrip(".")
    raise UsageError(
        f"{spec.name} cannot be cut at its last convolutions: {reason}.",
        "Use --head decoded, which keeps the decoding in the graph.",
    )


def _cut(model: ModelProto, spec: ModelSpec) -> tuple[ModelProto, ModelSpec]:
    decode, preprocess = spec.decode, spec.preprocess
    if decode is None or preprocess is None:
        raise NoRawHead("how its outputs become detections is not known")
    suppressed = any(output.role == "count" for output in decode.outputs)
    if decode.kind == "ssd" and suppressed:
        raise NoRawHead("an ssd head has its post-processing in the graph")
    if decode.kind == "end2end" and _suppresses(model, decode):
        raise NoRawHead(
            "its graph suppresses overlapping boxes (Ultralytics leaves that out without nms=True)"
        )
    if decode.kind in ("end2end", "ssd") and not decode.strides:
        return _cut_queries(model, spec, decode)
    names = frontier(model, [output.name for output in decode.outputs])
    if not names:
        raise NoRawHead("there are none")
    names = behind_quantizers(model, names)
    tensors = find_roles(
        model, decode, names, preprocess.width, preprocess.height, _SEED, spec.batch
    )
    raw_decode = _raw_decode(model, decode, tensors)
    apart, tensors = take_apart(model, raw_decode, tensors)
    raw_decode = msgspec.structs.replace(
        raw_decode, outputs=tuple(tensor.head_output for tensor in tensors)
    )
    raw_model = cut_at(apart, [tensor.name for tensor in tensors])
    raw_spec = msgspec.structs.replace(spec, decode=raw_decode, outputs=_outputs(raw_model))
    reason = same_detections(model, raw_model, spec, raw_spec, _SEED, within=apart)
    if reason is not None:
        raise NoRawHead(f"decoded outside the graph, {reason}")
    return raw_model, raw_spec


def _suppresses(model: ModelProto, decode: DecodeSpec) -> bool:
    index = GraphIndex(model)
    behind = (node for output in decode.outputs for node in index.nodes_behind(output.name))
    return any(node.op_type == "NonMaxSuppression" for node in behind)


def _cut_queries(
    model: ModelProto, spec: ModelSpec, decode: DecodeSpec
) -> tuple[ModelProto, ModelSpec]:
    reason: str | None = None
    for outputs in query_heads(model, decode):
        raw_model = cut_at(model, [output.name for output in outputs])
        raw_spec = msgspec.structs.replace(
            spec,
            decode=msgspec.structs.replace(decode, kind="end2end", head="raw", outputs=outputs),
            outputs=_outputs(raw_model, None),
        )
        reason = same_detections(model, raw_model, spec, raw_spec, _SEED)
        if reason is None:
            return raw_model, raw_spec
    raise NoRawHead(f"decoded outside the graph, {reason}")


def _outputs(raw_model: ModelProto, layout: Layout | None = "NCHW") -> tuple[TensorSpec, ...]:
    return tuple(
        TensorSpec(
            name=value.name,
            shape=dims(value) or (),
            dtype=dtype_name(value.type.tensor_type.elem_type),
            layout=layout,
        )
        for value in raw_model.graph.output
    )


def _raw_decode(
    model: ModelProto, decode: DecodeSpec, tensors: tuple[HeadTensor, ...]
) -> DecodeSpec:
    strides = tuple(dict.fromkeys(tensor.stride for tensor in tensors))
    kind: DecodeKind = decode.kind
    # YOLOv6 fills the objectness with ones and measures distances, as those in two outputs do.
    without_objectness = all(tensor.role != "objectness_logits" for tensor in tensors)
    if kind == "split" or (kind == "yolox" and without_objectness):
        kind = "yolov8"
    for stride in strides:
        _check_stride(kind, stride, [t for t in tensors if t.stride == stride])
    anchors = _anchors(decode, strides) if kind == "yolov5" else ()
    bins = _bins(decode, kind, tensors)
    for tensor in tensors:
        _check_channels(decode, kind, tensor, len(anchors[0]) if anchors else 0, bins)
    return msgspec.structs.replace(
        decode,
        kind=kind,
        head="raw",
        outputs=tuple(tensor.head_output for tensor in tensors),
        strides=strides,
        anchors=anchors,
        reg_max=bins,
        distance_bins=_distance_bins(model, decode, bins) if bins else (),
        box_unit="pixel",
    )


def _check_stride(kind: DecodeKind, stride: int, tensors: list[HeadTensor]) -> None:
    roles = [tensor.role for tensor in tensors]
    if len(set(roles)) < len(roles) or frozenset(roles) not in _STRIDE_ROLES[kind]:
        listed = ", ".join(f"'{tensor.name}' ({tensor.role})" for tensor in tensors)
        raise NoRawHead(f"its last convolutions for stride {stride} are not a {kind}'s: {listed}")


def _anchors(
    decode: DecodeSpec, strides: tuple[int, ...]
) -> tuple[tuple[tuple[float, float], ...], ...]:
    by_stride = dict(zip(decode.strides, decode.anchors, strict=False))
    if set(strides) != set(by_stride):
        raise NoRawHead("the anchors of its boxes were not found in the graph")
    if len({len(pairs) for pairs in by_stride.values()}) != 1:
        raise NoRawHead("its strides have different numbers of anchors")
    return tuple(by_stride[stride] for stride in strides)


def _bins(decode: DecodeSpec, kind: DecodeKind, tensors: tuple[HeadTensor, ...]) -> int:
    """Values of a box side's distribution, 0 where there is none."""
    found = {tensor.channels // 4 for tensor in tensors if tensor.role == "box_distribution"}
    if len(found) > 1:
        raise NoRawHead("its strides have distance distributions of different lengths")
    if found:
        return found.pop()
    joint = kind in ("nanodet", "picodet") and tensors[0].role == "predictions"
    return decode.reg_max if joint else 0


def _check_channels(
    decode: DecodeSpec, kind: DecodeKind, tensor: HeadTensor, anchors: int, bins: int
) -> None:
    count = decode.class_count
    joint = anchors * (5 + count) if kind == "yolov5" else count + 4 * bins
    expected = {
        "predictions": joint,
        "box_distribution": 4 * bins,
        "box_regression": 4,
        "objectness_logits": 1,
        "class_logits": count,
    }[tensor.role]
    if tensor.channels != expected:
        raise NoRawHead(
            f"'{tensor.name}' ({tensor.role}) has {tensor.channels} values per cell"
            f" where {expected} are expected"
        )


def _distance_bins(model: ModelProto, decode: DecodeSpec, bins: int) -> tuple[float, ...]:
    """What the graph multiplies a distribution by; empty where that is 0, 1, 2 ... or missing."""
    index = GraphIndex(model)
    found: set[tuple[float, ...]] = set()
    for output in decode.outputs:
        for node in index.nodes_behind(output.name):
            weights = index.expectation_weights(node)
            if weights is not None and weights.size == bins:
                found.add(tuple(float(value) for value in weights.tolist()))
    if len(found) > 1:
        raise NoRawHead("its strides have distance distributions with different bins")
    values = found.pop() if found else ()
    return () if values == tuple(float(index) for index in range(bins)) else values
