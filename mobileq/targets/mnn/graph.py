"""A .mnn graph that can be changed: MNN's JSON form, with the weights as arrays beside it.

MNN 3.6.1 writes floats into JSON with six decimals, which ruins weights and scales that are small.
With `--saveExternalData` its converter leaves the large constants in a file of their own, as they
are, and the JSON is small too. Small constants are taken from the ONNX model. Reading JSON, MNN
takes all digits.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from mobileq.errors import ToolError
from mobileq.targets.mnn.contents import CONVOLUTIONS
from mobileq.targets.mnn.flatbuffer import Place

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_COPY = "ConvertTensor"
"""Changes the layout, as between NCHW and MNN's blocks of four channels, never the values."""
SCALED = (*CONVOLUTIONS, "BinaryOp", "Eltwise", "PReLU", "Scale", "UnaryOp")
"""Ops that have scales of their own. Through all others, MNN 3.6.1 carries the scale of what they
give to what they take, where that has none."""
_PRODUCT = "__matmul_converted"
"""Ends the name of the convolution that MNN 3.6.1 makes of a product by weights."""
_REARRANGING = (
    *(_COPY, "ExpandDims", "Flatten", "Identity", "Permute", "Reshape", "Squeeze", "Transpose"),
    "Unsqueeze",
)
"""Ops that give each value that they take once. MNN puts some around such a convolution."""
_PAIRS = {"Convolution2D": ("weight", "bias"), "LayerNorm": ("gamma", "beta")}
"""Fields that an op's two stretches of the file beside the model belong into."""
_LONG = 2**20
"""Numbers; more are no part of the JSON form, of each of which MNN's parser takes 80 bytes."""
_LONG_FIELDS = {
    ("Convolution2D", "quanParameter", "buffer"): (2, 3, 0),
    ("Convolution2D", "weight"): (2, 1),
    ("Blob", "float32s"): (2, 7),
    ("Blob", "int32s"): (2, 5),
}
"""Where constants can be long, by the type and the keys of an op's parameters: the fields' numbers
in MNN's schema, from the op on."""
_BLOB_FIELDS = {"DT_FLOAT": ("float32s", "<f4"), "DT_INT32": ("int32s", "<i4")}


@dataclass(frozen=True, eq=False)
class Convolution:
    """A convolution: its op in the JSON form, and its weights.

    `weights` is float32 [output channels, input channels / groups * height * width].
    """

    op: dict[str, Any]
    weights: NDArray[np.float32]

    @property
    def is_product(self) -> bool:
        """Whether it is one of matrices in the ONNX model."""
        return bool(self.op["name"].endswith(_PRODUCT))

    @property
    def input(self) -> int:
        """Index of the tensor it takes."""
        index: int = self.op["inputIndexes"][0]
        return index

    @property
    def output(self) -> int:
        """Index of the tensor it gives."""
        index: int = self.op["outputIndexes"][0]
        return index


class MnnGraph:
    """The graph of a model that was converted with `--saveExternalData`.

    Args:
        described: MNN's JSON form. The graph changes it.
        blob: Contents of the file beside it.
        constants: The ONNX model's, by name.

    Raises:
        ToolError: An op keeps its weights in a way that is not known.
    """

    def __init__(
        self,
        described: dict[str, Any],
        blob: bytes,
        constants: Mapping[str, NDArray[Any]],
    ) -> None:
        self.described = described
        self.ops: list[dict[str, Any]] = described["oplists"]
        self.names: list[str] = described["tensorName"]
        self.convolutions: list[Convolution] = []
        described.pop("mnn_uuid", None)  # random: same input, same bytes
        for op in self.ops:
            self._inline(op, blob)
            if op["type"] == "Const":
                _restore(op["main"], constants.get(self.names[op["outputIndexes"][0]]))
        self._copies = _Moves(self.ops, (_COPY,))
        self._moves = _Moves(self.ops, _REARRANGING)

    def _inline(self, op: dict[str, Any], blob: bytes) -> None:
        import numpy as np

        main = op.get("main") or {}
        place = main.pop("external", None)
        if place is None:
            return
        at, sizes = place[0], place[1:]
        if op["main_type"] in _PAIRS and len(sizes) == 2:
            first, second = _PAIRS[op["main_type"]]
            main[first] = np.frombuffer(blob, "<f4", sizes[0] // 4, at)
            main[second] = np.frombuffer(blob, "<f4", sizes[1] // 4, at + sizes[0])
            if op["type"] in CONVOLUTIONS and len(op["inputIndexes"]) == 1:
                weights = main["weight"].reshape(main["common"]["outputCount"], -1)
                self.convolutions.append(Convolution(op, weights))
        elif op["main_type"] == "Blob" and main["dataType"] in _BLOB_FIELDS:
            key, dtype = _BLOB_FIELDS[main["dataType"]]
            main[key] = np.frombuffer(blob, dtype, sizes[0] // 4, at)
        else:
            raise ToolError(
                f"How MNN keeps the constants of {op['name']} ({op['type']}) is not known.",
                "Use fp16, or report the model.",
            )

    def onnx_names(self, index: int) -> Iterator[str]:
        """Names that a tensor may have in the ONNX model: its own, and those of its copies."""
        return (self.names[same] for same in self._copies.around(index))

    def taken_names(self, convolution: Convolution) -> Iterator[str]:
        """Names that what it takes may have in the ONNX model."""
        around = self._moves if convolution.is_product else self._copies
        return (self.names[same] for same in around.around(convolution.input))

    def given_names(self, convolution: Convolution) -> Iterator[str]:
        """Names that what it gives may have in the ONNX model.

        MNN moves an activation function from behind the copy of a product's result to before it,
        and leaves the copy the name of what the function takes.
        """
        if not convolution.is_product:
            return self.onnx_names(convolution.output)
        own = self.names[convolution.output].removesuffix(_PRODUCT)
        copies = set(self._copies.ahead(convolution.output))
        ahead = self._moves.ahead(convolution.output)
        return iter((own, *(self.names[same] for same in ahead if same not in copies)))

    def beside_products(self, convolutions: Iterable[Convolution]) -> set[int]:
        """Tensors that are float beside those that are products in the ONNX model.

        Without a word on them MNN 3.6.1 would carry scales to what is computed for a product, and
        have ops that take its result run in int8 without a scale of what they give. Nor may an op
        that gives floats take codes: a LayerNorm took the 1.0 beside "float" for a scale.
        """
        makers = {index: op for op in self.ops for index in op["outputIndexes"]}
        found: set[int] = set()
        for convolution in convolutions:
            if convolution.is_product:
                origin = self._moves.behind(convolution.input)[-1]
                if makers[origin]["type"] not in SCALED:
                    found |= {origin, *makers[origin].get("inputIndexes", ())}
                found.update(self._moves.ahead(convolution.output)[1:])
        return found

    def to_json(self) -> tuple[bytes, dict[Place, NDArray[Any]]]:
        """The JSON form, and what is too long for it, to be put into the file that MNN makes of it
        (see `flatbuffer.put_vectors`). The graph is not to be used any more."""
        long = dict(self._taken_long())
        return msgspec.json.encode(self.described, enc_hook=_array), long

    def _taken_long(self) -> Iterator[tuple[Place, NDArray[Any]]]:
        import numpy as np

        for at, op in enumerate(self.ops):
            for (kind, *keys, last), numbers in _LONG_FIELDS.items():
                fields = (op.get("main") or {}) if op.get("main_type") == kind else {}
                for key in keys:
                    fields = fields.get(key, {})
                values = fields.get(last)
                if isinstance(values, np.ndarray) and values.size > _LONG:
                    fields[last] = [0]
                    yield (at, *numbers), _finite(values)


class _Moves:
    """Which tensors hold the same values, by ops of some types.

    Args:
        ops: Of the graph, each after those that it takes from.
    """

    def __init__(self, ops: Iterable[Mapping[str, Any]], types: Collection[str]) -> None:
        self._source: dict[int, int] = {}
        self._copies: dict[int, list[int]] = {}
        for op in ops:
            if op["type"] in types:
                taken, given = op["inputIndexes"][0], op["outputIndexes"][0]
                self._source[given] = taken
                self._copies.setdefault(taken, []).append(given)

    def behind(self, index: int) -> list[int]:
        """The tensor itself, what it is made of, and so on."""
        found = [index]
        while found[-1] in self._source:
            found.append(self._source[found[-1]])
        return found

    def ahead(self, index: int) -> list[int]:
        """The tensor itself, and all that is made of it."""
        found = [index]
        for each in found:  # it grows
            found += self._copies.get(each, ())
        return found

    def around(self, index: int) -> list[int]:
        """The tensor itself, what is made of it, and what it is made of."""
        return [*self.ahead(index), *self.behind(index)[1:]]


def _restore(main: dict[str, Any], exact: NDArray[Any] | None) -> None:
    """Put the digits back that JSON has lost."""
    lossy = main.get("float32s")
    if exact is not None and isinstance(lossy, list) and len(lossy) == exact.size:
        main["float32s"] = exact.astype("<f4").ravel()


def _array(value: Any) -> Any:
    """Arrays one by one as finished JSON: a list of all weights would take ten times the memory."""
    return msgspec.Raw(msgspec.json.encode(_finite(value).tolist()))


def _finite(value: Any) -> Any:
    """JSON has no infinity, which masks are made of."""
    import numpy as np

    return np.nan_to_num(value) if value.dtype.kind == "f" else value
