"""Takes last convolutions apart that hold boxes and scores in one tensor.

YOLOv5's hold both for every anchor, NanoDet's for every cell. With a scale of their own each, 8
bits round boxes to what boxes need.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from mobileq.graph.convolution_parts import Part, can_part, part_convolutions
from mobileq.spec.decode import DecodeSpec, OutputRole
from mobileq.tasks.detect.head_roles import HeadTensor

if TYPE_CHECKING:
    from onnx import ModelProto

_Channels = dict[OutputRole, tuple[int, ...]]


def take_apart(
    model: ModelProto, decode: DecodeSpec, tensors: tuple[HeadTensor, ...]
) -> tuple[ModelProto, tuple[HeadTensor, ...]]:
    """The model with each of these tensors put together from its parts, and the parts; both as they
    are where no tensor is joint, or what gives one is no plain convolution.

    Args:
        model: Ends in the decoded head.
        decode: Of the raw head.
        tensors: Of the raw head.
    """
    joint = [tensor for tensor in tensors if tensor.role == "predictions"]
    channels = {tensor.name: _channels(decode, tensor) for tensor in joint}
    parts = {
        name: [Part(f"{name}.{role}", chosen) for role, chosen in roles.items()]
        for name, roles in channels.items()
    }
    taken = {name for node in model.graph.node for name in node.output}
    made = {part.name for found in parts.values() for part in found}
    if not joint or not can_part(model, list(parts)) or not taken.isdisjoint(made):
        return model, tensors
    apart = []
    for tensor in tensors:
        if tensor.name not in parts:
            apart.append(tensor)
            continue
        for part, role in zip(parts[tensor.name], channels[tensor.name], strict=True):
            shape = (tensor.shape[0], len(part.channels), *tensor.shape[2:])
            apart.append(dataclasses.replace(tensor, name=part.name, shape=shape, role=role))
    return part_convolutions(model, parts), tuple(apart)


def _channels(decode: DecodeSpec, tensor: HeadTensor) -> _Channels:
    """By role, the box first."""
    count = decode.class_count
    if decode.kind == "yolov5":
        each = np.arange(tensor.channels).reshape(-1, 5 + count)
        return {
            "box_regression": tuple(each[:, :4].ravel().tolist()),
            "objectness_logits": tuple(each[:, 4].tolist()),
            "class_logits": tuple(each[:, 5:].ravel().tolist()),
        }
    return {
        "box_distribution": tuple(range(count, tensor.channels)),
        "class_logits": tuple(range(count)),
    }
