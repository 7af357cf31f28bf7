"""MNN's own quantizer, driven by a preprocessConfig.json, and whether it did anything."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from mobileq.errors import UsageError, VerificationError
from mobileq.external.child import Child
from mobileq.external.framing import Fields
from mobileq.progress import tracked
from mobileq.targets.base import ConversionJob
from mobileq.targets.mnn.info import METHOD, WEIGHTS
from mobileq.targets.mnn.preprocess_config import (
    CONFIG_NAME,
    PICTURES,
    preprocess_config,
    write_pictures,
)

if TYPE_CHECKING:
    from onnx import ModelProto

    from mobileq.spec import PreprocessSpec

BLOCKED_INPUT = ("--keepInputFormat", "0")
"""How a model for the quantizer is converted. MNN 3.6.1 writes four channels a pixel into an input
that was left in NCHW with three: KL and ADMM then end in a segmentation fault or with damaged
numbers."""
_MOST_PICTURES = {"ADMM": 1}
"""With several, ADMM (MNN 3.6.1) quantizes no features at all and calls it done."""


def with_read_input(model: ModelProto) -> ModelProto:
    """The model with an op that changes nothing behind each input that is sliced or joined first.

    KL (MNN 3.6.1) takes the scale of such copies from the first tensor they copy that it has
    statistics of, and crashes where there is none: ops that compute have, an input alone has not.
    """
    from onnx import ModelProto, helper

    opened = ModelProto()
    opened.CopyFrom(model)
    nodes = opened.graph.node
    for value in opened.graph.input:
        readers = [node for node in nodes if value.name in node.input]
        if all(node.op_type == "Conv" for node in readers):
            continue
        copy = f"{value.name}/read"
        for node in readers:
            node.input[:] = [copy if name == value.name else name for name in node.input]
        nodes.insert(0, helper.make_node("LeakyRelu", [value.name], [copy], alpha=1.0))
    return opened


def quantize_by_mnn(
    child: Child, job: ConversionJob, source: Path
) -> tuple[tuple[str, ...], Fields]:
    """Write `job.output`, the float file `source` quantized by MNN.

    The config and the pictures it names stay beside it.

    Returns:
        Notes for the person, and the worker's answer to `outline`.

    Raises:
        UsageError: There are no pictures, or the model does not take one.
        VerificationError: MNN quantized no features.
    """
    method, folder = job.recipe.options[METHOD], job.output.parent
    preprocess = _preprocess(job)
    assert job.samples is not None
    used = min(job.sample_count, _MOST_PICTURES.get(method, job.sample_count))
    pictures = folder / PICTURES
    pictures.mkdir(exist_ok=True)
    samples = tracked(islice(job.samples(), used), job.progress, "Writing pictures for MNN", used)
    name = job.spec.inputs[0].name
    write_pictures(preprocess, (feeds[name] for feeds in samples), pictures)
    weights = job.recipe.options.get(WEIGHTS, "MAX_ABS")
    config = preprocess_config(preprocess, used, method, weights, job.recipe.keep_float)
    (folder / CONFIG_NAME).write_text(json.dumps(config, indent=1) + "\n")
    fields = {"source": str(source), "output": str(job.output), "config": str(folder / CONFIG_NAME)}
    child.request("quantize", fields)
    found = child.request("outline", {"path": str(job.output)})[0]
    done, total = found["int8_convolutions"]
    if done == 0:
        raise VerificationError(
            f"MNN's {method} quantized the features of none of {total} convolutions.",
            "Use another --mnn-method; mobileq is the default.",
        )
    notes = [f"MNN's {method} put {done} of {total} convolutions into int8."]
    if used < job.sample_count:
        notes.append(
            f"MNN's {method} was given one picture: with several, MNN 3.6.1 quantizes no features."
        )
    return tuple(notes), found


def companions(folder: Path) -> tuple[str, ...]:
    """The config and its pictures, relative to `folder`."""
    found = (folder / PICTURES).glob("*.png")
    return (CONFIG_NAME, *sorted(path.relative_to(folder).as_posix() for path in found))


def _preprocess(job: ConversionJob) -> PreprocessSpec:
    spec = job.spec
    takes_one = len(spec.inputs) == 1 and spec.inputs[0].shape[0] == 1
    is_float = spec.inputs[0].dtype == "float32"
    if job.samples is None or spec.preprocess is None or not (takes_one and is_float):
        raise UsageError(
            "MNN's own quantizer needs pictures and a model that takes one at a time, in float.",
            "Give photos with --calib, or use --mnn-method mobileq.",
        )
    return spec.preprocess
