"""A .mnn graph that can be changed: MNN's JSON form, with the weights as arrays beside it.

MNN 3.6.1 writes floats into JSON with six decimals, which ruins weights and scales that are small.
With `--saveExternalData` its converter leaves the large constants in a file of their own, as they
are, and the JSON is small too. Small constants are taken from the ONNX model. Reading JSON, MNN
takes all digits.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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
        copies = [op for op in self.ops if op["type"] == _COPY]
        self._source = {op["outputIndexes"][0]: op["inputIndexes"][0] for op in copies}
        self._copy = {op["inputIndexes"][0]: op["outputIndexes"][0] for op in copies}

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
        yield self.names[index]
        if index in self._copy:
            yield self.names[self._copy[index]]
        while index in self._source:
            index = self._source[index]
            yield self.names[index]

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
