"""Products by constants that are no linear layer, in integers.

ai-edge-quantizer 0.5.1 quantizes the constant of a BATCH_MATMUL to 8 bits, a scale for each
channel. LiteRT 2.1.2 takes the first of these scales for all, and wants both factors in 16 bits
where one has them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mobileq.targets.tflite import contents, editing

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Matrix = NDArray[np.float32]

_LARGEST = {"int8": 127, "int16": 32767}
_COPY = b"_duplicated"
"""Begins what ai-edge-quantizer adds to the name of a constant that it copies for another op."""


def rescale_constant_factors(model: Any, float_model: Any) -> None:
    """Give each constant of an integer BATCH_MATMUL the other factor's type, and one scale.

    Args:
        model: The integer file.
        float_model: The one it was made of: of the same names.
    """
    graph = model.subgraphs[0]
    originals = {tensor.name: tensor for tensor in float_model.subgraphs[0].tensors}
    for op in contents.ops_of(model, "BATCH_MATMUL"):
        for at in (0, 1):
            other = graph.tensors[int(op.inputs[1 - at])]
            index, kind = int(op.inputs[at]), contents.dtype_name(other)
            name = graph.tensors[index].name
            original = originals.get(name.split(_COPY)[0])
            is_constant = contents.has_data(model, graph.tensors[index])
            if original is None or kind not in _LARGEST or not is_constant:
                continue
            value = contents.float32_values(float_model, original)
            if value is not None:
                op.inputs = list(map(int, op.inputs))
                op.inputs[at] = _add_scaled(model, name + b"/one_scale", value, kind)
                editing.drop_constants(model, {index})


def _add_scaled(model: Any, name: bytes, value: Matrix, kind: str) -> int:
    import numpy as np

    scale = max(float(np.abs(value).max(initial=0.0)), 1e-30) / _LARGEST[kind]
    codes = np.round(value / scale).astype(kind)
    return editing.add_constant(model, name, codes, scale)
