"""Which tensor of a .tflite file is which of the ONNX model's, and in what order of axes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mobileq.errors import VerificationError
from mobileq.spec import Layout, QuantParams, TensorSpec
from mobileq.targets.base import Tensors
from mobileq.targets.tflite import flatbuffer
from mobileq.targets.tflite.layout import Order, fitting_orders, inverse

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SCALED = ("int8", "uint8", "int16")
_SWAPPED: dict[tuple[Layout, Order], Layout] = {
    ("NCHW", (0, 2, 3, 1)): "NHWC",
    ("NHWC", (0, 3, 1, 2)): "NCHW",
}
"""What a layout becomes by an order of axes; by others it has no name."""


def file_tensors(model: Any) -> tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]:
    """Inputs and outputs as the file declares them, under its own names."""
    graph = model.subgraphs[0]
    inputs = tuple(_declared(graph.tensors[index]) for index in graph.inputs)
    outputs = tuple(_declared(graph.tensors[index]) for index in graph.outputs)
    return inputs, outputs


def quantized_activations(model: Any) -> list[tuple[str, str, QuantParams]]:
    """(name, type, scale) of the activations in integers, in the file's order."""
    tensors = model.subgraphs[0].tensors
    activations = [tensors[index] for index in sorted(flatbuffer.activation_indices(model))]
    described = [_declared(tensor) for tensor in activations]
    return [(each.name, each.dtype, each.quant) for each in described if each.quant]


def code_limits(dtype: str) -> tuple[int, int]:
    """The lowest and the highest code of an integer type."""
    import numpy as np

    limits = np.iinfo(dtype)
    return int(limits.min), int(limits.max)


def _declared(tensor: Any) -> TensorSpec:
    name, dtype = flatbuffer.tensor_name(tensor), flatbuffer.dtype_name(tensor)
    shape = tuple(int(size) for size in tensor.shape) if tensor.shape is not None else ()
    return TensorSpec(
        name=name,
        artifact_name=name,
        shape=shape,
        dtype=dtype,
        layout="NHWC" if len(shape) == 4 and shape[3] in (1, 3, 4) else None,
        quant=flatbuffer.tensor_quant(tensor) if dtype in _SCALED else None,
    )


def match_tensors(
    model: tuple[TensorSpec, ...], file: tuple[TensorSpec, ...]
) -> tuple[TensorSpec, ...]:
    """The file's tensors under the model's names, with the order of their axes.

    Tensors correspond by position: onnx2tf 2.6.9 keeps the order but rewrites names (`x:1` becomes
    `x__1`). Where a shape fits several orders it is taken to be the model's own, as it is in every
    file that `restore_output_layouts` left. Raises VerificationError where number or shapes can't
    correspond.
    """
    pairs = _paired(model, file)
    return tuple(_matched(wanted, found, _orders(wanted, found)[0]) for wanted, found in pairs)


def _paired(
    model: tuple[TensorSpec, ...], file: tuple[TensorSpec, ...]
) -> list[tuple[TensorSpec, TensorSpec]]:
    if len(model) != len(file):
        raise VerificationError(
            f"The converted file has {len(file)} tensors at its edge where the model has "
            f"{len(model)}.",
            "Try the other --engine.",
        )
    return list(zip(model, file, strict=True))


def _orders(wanted: TensorSpec, found: TensorSpec) -> tuple[Order, ...]:
    orders = fitting_orders(wanted.shape, found.shape)
    if not orders:
        raise VerificationError(
            f"The converted file's {wanted.name!r} has shape {list(found.shape)} where the model "
            f"has {list(wanted.shape)}.",
            "Try the other --engine.",
        )
    return orders


def _matched(wanted: TensorSpec, found: TensorSpec, order: Order) -> TensorSpec:
    changed = order != tuple(range(len(order)))
    layout: Layout | None = wanted.layout
    if changed and layout:
        layout = _SWAPPED.get((layout, order))
    return TensorSpec(
        name=wanted.name,
        artifact_name=found.artifact_name,
        shape=found.shape,
        dtype=found.dtype,
        layout=layout,
        quant=found.quant,
        permutation=order if changed else None,
    )


def output_orders(
    path: Path, outputs: tuple[TensorSpec, ...], run_both: Callable[[], tuple[Tensors, Tensors]]
) -> tuple[Order, ...]:
    """The order of axes that a converter gave each output of a float file.

    Shapes tell it for nearly all. Where one fits several orders ([1, 80, 80, 80]: the scores of 80
    classes at stride 8), the one with which the file's numbers come nearest to the model's is
    taken.

    Args:
        run_both: Gives the model's outputs and the file's, as they are, for the same input, both
            under the model's names. Called only where shapes don't tell.
    """
    file = file_tensors(flatbuffer.read_model(path))[1]
    fitting = [_orders(wanted, found) for wanted, found in _paired(outputs, file)]
    if all(len(orders) == 1 for orders in fitting):
        return tuple(orders[0] for orders in fitting)
    wanted, found = run_both()
    return tuple(
        min(orders, key=partial(_distance, wanted[spec.name], found[spec.name]))
        for spec, orders in zip(outputs, fitting, strict=True)
    )


def _distance(wanted: NDArray[Any], found: NDArray[Any], order: Order) -> float:
    import numpy as np

    difference = found.transpose(inverse(order)).astype("float64") - wanted
    return float(np.abs(np.nan_to_num(difference)).sum())


def restore_output_layouts(
    path: Path, orders: tuple[Order, ...], telling: tuple[TensorSpec, ...] = ()
) -> None:
    """Rewrite the file so that its outputs have the model's order of axes again.

    onnx2tf 2.6.9 drops a transpose at the end: YOLOX's [1, 3549, 85] comes out as [1, 85, 3549].

    Args:
        orders: Of its outputs, as `output_orders` gives them.
        telling: The model's outputs, where those whose shape tells the order may stay as they are
            (a raw head's maps are large, and a transpose costs as much as a layer).
    """
    if telling:
        file = file_tensors(flatbuffer.read_model(path))[1]
        told = [len(_orders(*pair)) == 1 for pair in _paired(telling, file)]
        orders = tuple(
            tuple(range(len(order))) if known else order
            for order, known in zip(orders, told, strict=True)
        )
    changed = [(at, each) for at, each in enumerate(orders) if each != tuple(range(len(each)))]
    if not changed:
        return
    model = flatbuffer.read_model(path)
    for position, order in changed:
        flatbuffer.transpose_output(model, position, inverse(order))
    flatbuffer.write_model(model, path)
