"""Which tensor of a .tflite file is which of the ONNX model's, and in what order of axes."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from mobileq.errors import VerificationError
from mobileq.graph.outline import DYNAMIC
from mobileq.spec import Layout, QuantParams, TensorSpec
from mobileq.targets.base import Tensors
from mobileq.targets.tflite import contents, flatbuffer, interface
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
    inputs = tuple(declared(graph.tensors[index]) for index in graph.inputs)
    outputs = tuple(declared(graph.tensors[index]) for index in graph.outputs)
    return inputs, outputs


def quantized_activations(model: Any) -> list[tuple[str, str, QuantParams]]:
    """(name, type, scale) of the activations in integers, in the file's order."""
    tensors = model.subgraphs[0].tensors
    activations = [tensors[index] for index in sorted(contents.activation_indices(model))]
    described = [declared(tensor) for tensor in activations]
    return [(each.name, each.dtype, each.quant) for each in described if each.quant]


def code_limits(dtype: str) -> tuple[int, int]:
    """The lowest and the highest code of an integer type."""
    import numpy as np

    limits = np.iinfo(dtype)
    return int(limits.min), int(limits.max)


def declared(tensor: Any) -> TensorSpec:
    """A tensor as the file has it, under its own name."""
    name, dtype = contents.tensor_name(tensor), contents.dtype_name(tensor)
    shape = tuple(int(size) for size in tensor.shape) if tensor.shape is not None else ()
    return TensorSpec(
        name=name,
        artifact_name=name,
        shape=shape,
        dtype=dtype,
        layout="NHWC" if len(shape) == 4 and shape[3] in (1, 3, 4) else None,
        quant=contents.tensor_quant(tensor) if dtype in _SCALED else None,
    )


def match_tensors(
    model: tuple[TensorSpec, ...],
    file: tuple[TensorSpec, ...],
    orders: tuple[Order, ...] | None = None,
) -> tuple[TensorSpec, ...]:
    """The file's tensors under the model's names, with the order of their axes.

    Tensors correspond by position: onnx2tf 2.6.9 keeps the order but rewrites names (`x:1` becomes
    `x__1`). Where a shape fits several orders it is taken to be the model's own, as it is in every
    file that `restore_layouts` left. Raises VerificationError where number or shapes can't
    correspond.

    Args:
        orders: Of the file's axes, where they are known already.
    """
    pairs = _paired(model, file)
    if orders is None:
        orders = tuple(_orders(wanted, found)[0] for wanted, found in pairs)
    return tuple(
        _matched(wanted, found, order) for (wanted, found), order in zip(pairs, orders, strict=True)
    )


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


class EdgeOrders(NamedTuple):
    """The order of axes that a converter gave each input and each output of a float file."""

    inputs: tuple[Order, ...]
    outputs: tuple[Order, ...]


def edge_orders(
    path: Path,
    inputs: tuple[TensorSpec, ...],
    outputs: tuple[TensorSpec, ...],
    run_both: Callable[[tuple[Order, ...]], tuple[Tensors, Tensors]],
) -> EdgeOrders:
    """What a converter did to the axes of the tensors at a file's edge.

    Shapes tell it for nearly all. Where one fits several orders ([1, 80, 80, 80]: the scores of 80
    classes at stride 8), those are taken with which the file's numbers come nearest to the model's.

    Args:
        path: The float file.
        inputs: The model's.
        outputs: The model's.
        run_both: Gives the model's outputs and the file's, as they are, for the same input, both
            under the model's names; the file is fed in the given orders. Called only where shapes
            don't tell.
    """
    file_inputs, file_outputs = file_tensors(flatbuffer.read_model(path))
    feeding = list(product(*(_orders(*pair) for pair in _paired(inputs, file_inputs))))
    fitting = [_orders(*pair) for pair in _paired(outputs, file_outputs)]
    if len(feeding) == 1 and all(len(orders) == 1 for orders in fitting):
        return EdgeOrders(feeding[0], tuple(orders[0] for orders in fitting))
    tried: list[tuple[float, EdgeOrders]] = []
    for fed in feeding:
        wanted, found = run_both(fed)
        nearest = [
            min(
                (_distance(wanted[spec.name], found[spec.name], order), at, order)
                for at, order in enumerate(orders)
            )
            for spec, orders in zip(outputs, fitting, strict=True)
        ]
        distance = sum(each for each, _, _ in nearest)
        tried.append((distance, EdgeOrders(fed, tuple(order for _, _, order in nearest))))
    return min(tried, key=itemgetter(0))[1]


def _distance(wanted: NDArray[Any], found: NDArray[Any], order: Order) -> float:
    import numpy as np

    difference = found.transpose(inverse(order)).astype("float64") - wanted
    return float(np.abs(np.nan_to_num(difference)).sum())


def restore_layouts(
    path: Path,
    inputs: tuple[TensorSpec, ...],
    orders: EdgeOrders,
    telling: tuple[TensorSpec, ...] = (),
) -> None:
    """Rewrite the file so that its outputs have the model's order of axes again, and so do inputs
    whose shape does not tell theirs.

    onnx2tf 2.6.9 drops a transpose at the end: YOLOX's [1, 3549, 85] comes out as [1, 85, 3549].

    Args:
        inputs: The model's.
        orders: As `edge_orders` gives them.
        telling: The model's outputs, where those whose shape tells the order may stay as they are
            (a raw head's maps are large, and a transpose costs as much as a layer).
    """
    model = flatbuffer.read_model(path)
    file_inputs, file_outputs = file_tensors(model)
    given = _unless_told(orders.outputs, telling, file_outputs) if telling else orders.outputs
    taken = _unless_told(orders.inputs, inputs, file_inputs)
    for position, order in _changed(given):
        interface.transpose_output(model, position, inverse(order))
    for position, order in _changed(taken):
        interface.transpose_input(model, position, order)
    if _changed(given) or _changed(taken):
        flatbuffer.write_model(model, path)


def _unless_told(
    orders: tuple[Order, ...], model: tuple[TensorSpec, ...], file: tuple[TensorSpec, ...]
) -> tuple[Order, ...]:
    """The orders, and the model's own where the shape alone tells what the file's is."""
    told = [len(_orders(*pair)) == 1 for pair in _paired(model, file)]
    return tuple(
        tuple(range(len(order))) if known else order
        for order, known in zip(orders, told, strict=True)
    )


def restore_shapes(
    path: Path, inputs: tuple[TensorSpec, ...], outputs: tuple[TensorSpec, ...]
) -> None:
    """Rewrite the file so that tensors at its edge whose axes are no order of the model's have the
    model's shape again.

    onnx2tf 2.6.9 has no scalars ([] becomes [1]), and drops or adds axes of 1 around recurrent ops.
    """
    model = flatbuffer.read_model(path)
    changed = _declare_found(model, outputs)
    file_inputs, file_outputs = file_tensors(model)
    for specs, found, reshape in (
        (outputs, file_outputs, interface.reshape_output),
        (inputs, file_inputs, interface.reshape_input),
    ):
        for position, (wanted, given) in enumerate(_paired(specs, found)):
            if _same_values(wanted.shape, given.shape) and not fitting_orders(
                wanted.shape, given.shape
            ):
                reshape(model, position, wanted.shape)
                changed = True
    if changed:
        flatbuffer.write_model(model, path)


def _declare_found(model: Any, outputs: tuple[TensorSpec, ...]) -> bool:
    """Give outputs whose length is known only when they are computed the model's shape; whether
    there were any. Until then LiteRT allots what is declared, which onnx2tf makes 1."""
    import numpy as np

    graph, changed = model.subgraphs[0], False
    for wanted, index in zip(outputs, graph.outputs, strict=False):
        tensor = graph.tensors[index]
        signature = [] if tensor.shapeSignature is None else [int(d) for d in tensor.shapeSignature]
        is_open = DYNAMIC in signature and DYNAMIC not in wanted.shape
        fits = len(signature) == len(wanted.shape) and all(
            length in (DYNAMIC, own) for length, own in zip(signature, wanted.shape, strict=True)
        )
        if is_open and fits and list(tensor.shape) != list(wanted.shape):
            tensor.shape, changed = np.array(wanted.shape, np.int32), True
    return changed


def _same_values(model: tuple[int, ...], file: tuple[int, ...]) -> bool:
    """Whether nothing but axes of 1 are more or fewer."""
    return DYNAMIC not in model and [d for d in model if d != 1] == [d for d in file if d != 1]


def _changed(orders: tuple[Order, ...]) -> list[tuple[int, Order]]:
    return [(at, each) for at, each in enumerate(orders) if each != tuple(range(len(each)))]
