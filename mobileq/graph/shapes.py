"""Gives a model fixed input shapes: phones' runtimes plan their memory before the first frame."""

from __future__ import annotations

import ast
import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from mobileq.errors import InputError, UsageError
from mobileq.graph.outline import DYNAMIC, dims, dtype_name, graph_inputs, require_tensors
from mobileq.graph.ranks import require_ranks
from mobileq.protobuf import copy_fields
from mobileq.spec import TensorSpec

if TYPE_CHECKING:
    from onnx import ModelProto, ValueInfoProto

Shape = tuple[int, ...]

_LARGEST_DIM = 2**31 - 1
_LARGEST_INPUT = 2**27
"""Values: half a gigabyte of float32, far beyond what a phone or a trial run can take."""
_MOST_LOOKED_AT = 1024
"""Values of a constant that shapes may follow from."""
_USUAL_SIDE = 640
"""Pixels; what the suggested option has where the model does not name a size."""


def parse_input_shapes(options: Iterable[str]) -> dict[str, Shape]:
    """`["images:1,3,640,640"]` -> `{"images": (1, 3, 640, 640)}`.

    The last colon ends the name, since TensorFlow's names have colons too (`input:0:1,3,8,8`).

    Raises:
        UsageError: No name, no positive whole numbers, or a name given twice.
    """
    shapes: dict[str, Shape] = {}
    for option in options:
        name, colon, text = option.rpartition(":")
        parts = [part.strip() for part in text.split(",")]
        if not colon or not name or not all(part.isascii() and part.isdigit() for part in parts):
            raise _bad_option(option, "it is not NAME:N,N,...")
        # Ten digits hold every dimension there can be, and int() of a million takes seconds.
        shape = tuple(int(part[-10:]) if len(part) <= 10 else _LARGEST_DIM + 1 for part in parts)
        if not all(0 < dim <= _LARGEST_DIM for dim in shape):
            raise _bad_option(option, "every dimension must be between 1 and 2147483647")
        if name in shapes:
            raise _bad_option(option, f"the input '{name}' is given twice")
        shapes[name] = shape
    return shapes


def _bad_option(option: str, why: str) -> UsageError:
    return UsageError(
        f"--input-shape {option} cannot be used: {why}.",
        "Write it like --input-shape images:1,3,640,640.",
    )


def fix_shapes(
    model: ModelProto, shapes: Mapping[str, Shape] | None = None
) -> tuple[ModelProto, tuple[str, ...]]:
    """A copy in which every input has the static shape given, and shapes are inferred anew.

    A model whose only dynamic dimension is the batch gets batch 1, a picture of any size the one
    that the metadata names; notices say so. Outputs may stay dynamic (post-processing in the
    graph); a notice names them.

    Returns:
        The model and the notices.

    Raises:
        UsageError: An unknown input, another rank, another static dimension, or a dynamic dimension
            that nothing fixes. The hint is the option to type.
    """
    import onnx

    shapes = shapes or {}
    fixed = onnx.ModelProto()
    fixed.CopyFrom(model)
    inputs = {value.name: value for value in graph_inputs(fixed)}
    for name in shapes:
        if name not in inputs:
            raise UsageError(
                f"The model has no input '{name}'.", f"Its inputs are: {', '.join(inputs)}."
            )
    require_tensors(fixed)
    notices: list[str] = []
    for value in inputs.values():
        shape = _new_shape(value, shapes.get(value.name), model, notices)
        if math.prod(shape) > _LARGEST_INPUT:
            raise UsageError(
                f"The input '{value.name}' would hold {math.prod(shape):,} values.",
                "Give it a smaller shape with --input-shape.",
            )
        _set_shape(value, shape)
    _unlist_weights(fixed, set(inputs))
    return infer_shapes(fixed), tuple(notices)


def _unlist_weights(model: ModelProto, inputs: set[str]) -> None:
    """Take initializers out of the list of inputs, where IR versions before 4 had to have them."""
    kept = [value for value in model.graph.input if value.name in inputs]
    if len(kept) < len(model.graph.input):
        del model.graph.input[:]
        model.graph.input.extend(kept)
        model.ir_version = max(model.ir_version, 4)


def _new_shape(
    value: ValueInfoProto, wanted: Shape | None, model: ModelProto, notices: list[str]
) -> Shape:
    present = dims(value)
    if wanted is None:
        if present is not None and DYNAMIC not in present:
            return present
        if present is not None and len(present) > 1 and DYNAMIC not in present[1:]:
            notices.append(f"The batch of the input '{value.name}' is dynamic; it was set to 1.")
            return (1, *present[1:])
        noted = _noted_size(model)
        suggested = _suggest(present, noted or (_USUAL_SIDE, _USUAL_SIDE))
        option = f"--input-shape {value.name}:{','.join(map(str, suggested))}"
        no_shape = f"The input '{value.name}' has no fixed shape ({_describe(value)})"
        if noted is None or len(suggested) != 4:
            hint = f"Give it the one it was trained with, such as {option}"
            raise UsageError(f"{no_shape}.", hint)
        notices.append(f"{no_shape}; it gets the size that the file's metadata names: {option}")
        return suggested
    if present is not None:
        if len(present) != len(wanted):
            raise UsageError(
                f"The input '{value.name}' has {len(present)} dimensions ({_describe(value)}),"
                f" not {len(wanted)}.",
                f"Give all {len(present)} of them.",
            )
        for index, (old, new) in enumerate(zip(present, wanted, strict=True)):
            if old not in (DYNAMIC, new):
                raise UsageError(
                    f"Dimension {index} of the input '{value.name}' is {old} in the model"
                    f" ({_describe(value)}) and cannot become {new}.",
                    "Export the model again with that shape, or with dynamic shapes.",
                )
    return wanted


def _describe(value: ValueInfoProto) -> str:
    """The shape as the file has it, names of dynamic dimensions included: `batch x 3 x ? x ?`."""
    if not value.type.tensor_type.HasField("shape"):
        return "not even the number of dimensions is given"
    parts = [
        str(dim.dim_value) if dim.dim_value > 0 else dim.dim_param or "?"
        for dim in value.type.tensor_type.shape.dim
    ]
    return " x ".join(parts) or "a scalar"


def _suggest(present: Shape | None, size: tuple[int, int]) -> Shape:
    """A likely shape: batch 1, 3 channels, and `size` (height, width)."""
    height, width = size
    if present is None or (len(present) == 4 and present[3] not in (1, 3, 4)):
        usual: Shape = (1, 3, height, width)
    elif len(present) == 4:
        usual = (1, height, width, 3)
    else:
        usual = (1,) * len(present)
    if present is None:
        return usual
    return tuple(new if old == DYNAMIC else old for old, new in zip(present, usual, strict=True))


def _noted_size(model: ModelProto) -> tuple[int, int] | None:
    """(height, width) from Ultralytics' metadata entry `imgsz`, "[640, 640]"."""
    text = next((item.value for item in model.metadata_props if item.key == "imgsz"), "")
    try:
        value = ast.literal_eval(text[:100])
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        value = None
    if (
        isinstance(value, list)
        and len(value) == 2
        and all(isinstance(side, int) and 0 < side <= _LARGEST_DIM for side in value)
    ):
        return value[0], value[1]
    return None


def _set_shape(value: ValueInfoProto, shape: Shape) -> None:
    tensor_type = value.type.tensor_type
    tensor_type.ClearField("shape")
    tensor_type.shape.SetInParent()  # a scalar has a shape too, an empty one
    for dim in shape:
        tensor_type.shape.dim.add().dim_value = dim


def value_counts(model: ModelProto) -> dict[str, int]:
    """{tensor name: how many values it holds}, of a model with static input shapes.

    Of constants, and of dynamic shapes, nothing or 0 is told.
    """
    import onnx

    typed = onnx.shape_inference.infer_shapes(model).graph
    return {
        value.name: math.prod(each.dim_value for each in value.type.tensor_type.shape.dim)
        for value in (*typed.value_info, *typed.input, *typed.output)
    }


def infer_shapes(model: ModelProto) -> ModelProto:
    """A copy whose value_info and output shapes follow from the inputs.

    What the file itself claims about inner tensors is dropped, since it may be of another input
    size. For outputs inference comes first; a static dimension of the file stands where inference
    knows none (a padded number of detections) and the ranks agree.

    Raises:
        InputError: The shapes in the model contradict each other.
    """
    import onnx
    from onnx.shape_inference import InferenceError

    require_tensors(model)
    require_ranks(model)
    light = without_weights(model)
    del light.graph.value_info[:]
    declared = {value.name: dims(value) for value in model.graph.output}
    for value in light.graph.output:
        value.type.tensor_type.ClearField("shape")
    try:
        inferred = onnx.shape_inference.infer_shapes(light, data_prop=True)
    except (InferenceError, RuntimeError, ValueError) as error:
        first_line = (str(error).splitlines() or ["no details"])[0]
        raise InputError(
            f"The shapes in the model do not fit together: {first_line[:200].rstrip('. ')}.",
            "Export the model again with this input shape.",
        ) from error
    for value in inferred.graph.output:
        _complete(value, declared[value.name])
    del inferred.graph.initializer[:]
    inferred.graph.initializer.extend(model.graph.initializer)
    return inferred


def inner_tensors(model: ModelProto) -> tuple[TensorSpec, ...]:
    """All float32 tensors that the model's ops give, in the order in which they run; those whose
    shape is not known before it runs are left out."""
    import onnx

    graph = infer_shapes(model).graph
    known = {value.name: value for value in (*graph.value_info, *graph.output)}
    found = []
    for value in (known.get(name) for node in graph.node for name in node.output):
        if value is None or value.type.tensor_type.elem_type != onnx.TensorProto.FLOAT:
            continue
        shape = dims(value)
        if shape is not None and DYNAMIC not in shape:
            found.append(TensorSpec(name=value.name, shape=shape, dtype="float32"))
    return tuple(found)


def without_weights(model: ModelProto) -> ModelProto:
    """A copy in which large initializers have a type and a shape only.

    Inference takes the model through two more copies and two byte strings, and looks at the values
    of shapes, axes and the like alone.
    """
    import onnx

    light = onnx.ModelProto()
    copy_fields(model, light, ("graph",))
    copy_fields(model.graph, light.graph, ("initializer",))
    for tensor in model.graph.initializer:
        if math.prod(tensor.dims) <= _MOST_LOOKED_AT:
            light.graph.initializer.append(tensor)
        else:
            light.graph.initializer.add(
                name=tensor.name, dims=tensor.dims, data_type=tensor.data_type
            )
    return light


def _complete(value: ValueInfoProto, declared: Shape | None) -> None:
    """Fill the dimensions inference left open with the file's."""
    inferred = dims(value)
    if declared is None:
        return
    if inferred is None:
        merged = declared
    elif len(inferred) == len(declared):
        merged = tuple(
            new if new != DYNAMIC else old for new, old in zip(inferred, declared, strict=True)
        )
    else:
        return
    set_partial_shape(value, merged)


def set_partial_shape(value: ValueInfoProto, shape: Shape) -> None:
    """Set a shape in which `DYNAMIC` dimensions stay open."""
    _set_shape(value, shape)
    for dim in value.type.tensor_type.shape.dim:
        if dim.dim_value == DYNAMIC:
            dim.ClearField("dim_value")


def dynamic_outputs(model: ModelProto) -> tuple[str, ...]:
    """One notice for each output whose shape is known only when the model runs."""
    notices = []
    for value in model.graph.output:
        shape = dims(value)
        if shape is None or DYNAMIC in shape:
            kind = dtype_name(value.type.tensor_type.elem_type)
            notices.append(
                f"The shape of the output '{value.name}' ({_describe(value)}, {kind}) depends on"
                " the picture."
            )
    return tuple(notices)
