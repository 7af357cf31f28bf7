"""Gradients of matrix products and convolutions: products with the transposed weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import numpy as np

from mobileq.graph.gradients.step import Refused, Rule, Step
from mobileq.graph.rewrites.windows import Windows, windows_of

if TYPE_CHECKING:
    from mobileq.graph.gradients.step import Array


def transposed_convolution(
    step: Step, value: str, weights: Array, windows: Windows, group: int
) -> str:
    """The gradient of a convolution's input.

    Args:
        value: The gradient of its output, [n, m, *counts].
        weights: [m, c / group, *kernel].
    """
    spans = [(k - 1) * d + 1 for k, d in zip(windows.kernel, windows.dilations, strict=True)]
    strides = windows.strides
    if group == 1 and any(stride > 1 for stride in strides):
        if (found := _in_blocks(step, value, weights, windows)) is not None:
            return found
        rest = [
            n + b + a - span - (count - 1) * s
            for n, b, a, span, count, s in zip(
                windows.lengths, windows.before, windows.after, spans, windows.counts, strides,
                strict=True,
            )
        ]  # fmt: skip
        if all(0 <= more < s for more, s in zip(rest, strides, strict=True)):
            return step.op(
                "ConvTranspose", value, step.constant(weights), kernel_shape=windows.kernel,
                strides=strides, dilations=windows.dilations, output_padding=rest,
                pads=[*windows.before, *windows.after],
            )  # fmt: skip
    value = _spread(step, value, windows)
    before = [span - 1 - b for span, b in zip(spans, windows.before, strict=True)]
    after = [
        n - count * s - b + span - 1
        for n, count, s, b, span in zip(
            windows.lengths, windows.counts, strides, before, spans, strict=True
        )
    ]
    cut = [[min(pad, 0) for pad in pads] for pads in (before, after)]
    value = step.padded(value, [0, 0, *cut[0]], [0, 0, *cut[1]])
    grouped = weights.reshape(group, -1, *weights.shape[1:]).swapaxes(1, 2)
    turned = grouped.reshape(-1, *grouped.shape[2:])
    turned = np.flip(turned, tuple(range(2, turned.ndim)))
    return step.op(
        "Conv", value, step.constant(turned), kernel_shape=windows.kernel, group=group,
        dilations=windows.dilations, pads=[max(pad, 0) for pad in (*before, *after)],
    )  # fmt: skip


def _in_blocks(step: Step, value: str, weights: Array, windows: Windows) -> str | None:
    """All places within a stride at once, as channels of one convolution (W. Shi and others,
    Real-Time Single Image and Video Super-Resolution, 2016); None where these places don't have the
    same windows. Of an image, which has few channels, in .4 of the ConvTranspose's time.
    """
    stride = windows.strides[0]
    if len(windows.strides) != 2 or windows.strides[1] != stride or set(windows.dilations) != {1}:
        return None
    if any(each % stride for each in (*windows.kernel, *windows.lengths, *windows.before)):
        return None
    kernel = [each // stride for each in windows.kernel]
    before = [k - 1 - b // stride for k, b in zip(kernel, windows.before, strict=True)]
    after = [
        n // stride - count + k - 1 - b
        for n, count, k, b in zip(windows.lengths, windows.counts, kernel, before, strict=True)
    ]
    if min(*before, *after) < 0:
        return None
    m, c = weights.shape[:2]
    parts = weights.reshape(m, c, kernel[0], stride, kernel[1], stride)[:, :, ::-1, :, ::-1]
    turned = parts.transpose(1, 3, 5, 0, 2, 4).reshape(-1, m, *kernel)
    blocks = step.op(
        "Conv", value, step.constant(turned), kernel_shape=kernel, pads=[*before, *after]
    )
    return step.op("DepthToSpace", blocks, blocksize=stride, mode="CRD")


def _spread(step: Step, value: str, windows: Windows) -> str:
    """The values with stride - 1 zeros behind each, along the spatial axes.

    ONNX Runtime's ConvTranspose takes many times as long with groups, and to pad an axis behind
    each value twice as long as to repeat the values and multiply with zeros (1.26).
    """
    strides = windows.strides
    if all(stride == 1 for stride in strides):
        return value
    mask = np.ones((1, 1))
    for count, stride in zip(windows.counts, strides, strict=True):
        mask = mask[..., None] * (np.arange(count * stride) % stride == 0)
    repeated = step.op(
        "Resize", value, step.constant([]), step.tape.constant([1, 1, *strides], "float32"),
        mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor",
    )  # fmt: skip
    return step.op("Mul", repeated, step.constant(mask))


def windows(step: Step) -> Windows:
    """Of a convolution or pooling."""
    found = windows_of(step.node, step.tape)
    if isinstance(found, str):
        raise Refused(found)
    if step.shape(step.y)[2:] != found.counts:
        # ONNX (1.20) counts a last window that begins in the padding, ONNX Runtime does not.
        raise Refused("its shape is not what ONNX infers")
    return found


def _conv(step: Step) -> dict[int, str]:
    weights, group = step.value(1), step.attribute("group", 1)
    return {0: transposed_convolution(step, step.gradient, weights, windows(step), group)}


def _conv_transpose(step: Step) -> dict[int, str]:
    """A convolution with the same weights, which are [c, m / group, *kernel] for both."""
    if step.attribute("auto_pad", "NOTSET") != "NOTSET" or step.attribute("output_shape"):
        raise Refused("its pads are not known")
    weights, lengths = step.value(1), step.shape(step.x)[2:]
    ones = [1] * len(lengths)
    strides, dilations = step.attribute("strides", ones), step.attribute("dilations", ones)
    pads = step.attribute("pads", [0] * 2 * len(lengths))
    before, after = pads[: len(lengths)], list(pads[len(lengths) :])
    for at, extra in enumerate(step.attribute("output_padding", [0] * len(lengths))):
        after[at] -= extra
    cut = [[min(pad, 0) for pad in pads] for pads in (before, after)]
    value = step.padded(step.gradient, [0, 0, *cut[0]], [0, 0, *cut[1]])
    found = step.op(
        "Conv", value, step.constant(weights), group=step.attribute("group", 1),
        kernel_shape=weights.shape[2:], strides=strides, dilations=dilations,
        pads=[max(pad, 0) for pad in (*before, *after)],
    )  # fmt: skip
    return {0: found}


def _gemm(step: Step) -> dict[int, str]:
    """Of alpha A B + beta C, where A and B may be transposed."""
    a, b = step.node.input[:2]
    turned_a, turned_b = (int(step.attribute(name, 0)) for name in ("transA", "transB"))
    alpha, found = step.attribute("alpha", 1.0), {}
    g = step.gradient
    if 0 in step.wanted:
        found[0] = (
            step.op("Gemm", b, g, alpha=alpha, transA=turned_b, transB=1)
            if turned_a
            else step.op("Gemm", g, b, alpha=alpha, transB=1 - turned_b)
        )
    if 1 in step.wanted:
        found[1] = (
            step.op("Gemm", g, a, alpha=alpha, transA=1, transB=turned_a)
            if turned_b
            else step.op("Gemm", a, g, alpha=alpha, transA=1 - turned_a)
        )
    if 2 in step.wanted:
        shapes = step.shape(step.y), step.shape(step.node.input[2])
        found[2] = step.gathered_sums(step.scaled(g, step.attribute("beta", 1.0)), *shapes)
    return found


def _matmul(step: Step) -> dict[int, str]:
    """g B', and A' g, summed over the batches that one of the two is the same for."""
    own = [step.shape(name) for name in step.node.input]
    whole = [own[0] if len(own[0]) > 1 else (1, *own[0]), own[1] if len(own[1]) > 1 else
             (*own[1], 1)]  # fmt: skip
    batches = np.broadcast_shapes(whole[0][:-2], whole[1][:-2])
    gradient = step.gradient
    if whole != own:
        gradient = step.reshaped(gradient, [*batches, whole[0][-2], whole[1][-1]])
    found = {}
    for at in step.wanted:
        other = 1 - at
        name = step.node.input[other]
        if whole[other] != own[other]:
            name = step.reshaped(name, whole[other])
        turned = [*range(len(whole[other]) - 2), len(whole[other]) - 1, len(whole[other]) - 2]
        name = step.op("Transpose", name, perm=turned)
        value = step.op("MatMul", *((gradient, name) if at == 0 else (name, gradient)))
        value = step.gathered_sums(value, (*batches, *whole[at][-2:]), whole[at])
        found[at] = step.reshaped(value, own[at]) if whole[at] != own[at] else value
    return found


def _einsum(step: Step) -> dict[int, str]:
    """The sum of the gradient and the other inputs over what the input has not."""
    terms, _, result = step.attribute("equation", "").replace(" ", "").partition("->")
    names = terms.split(",")
    if not result or "." in terms or any(len(set(name)) < len(name) for name in names):
        raise Refused("its indices are not all named once")
    found = {}
    for at in step.wanted:
        others = [*names[:at], *names[at + 1 :]]
        if not set(names[at]) <= set(result).union(*others):
            raise Refused("an index is of one input alone")
        values = [step.gradient, *step.node.input[:at], *step.node.input[at + 1 :]]
        equation = f"{','.join([result, *others])}->{names[at]}"
        found[at] = step.op("Einsum", *values, equation=equation)
    return found


RULES: Final[Mapping[str, Rule]] = {
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "Gemm": _gemm,
    "MatMul": _matmul,
    "Einsum": _einsum,
}
