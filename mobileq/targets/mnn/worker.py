"""What runs in the child process: MNN's C modules, which abort on bad input.

Only `MNN` and `_tools` are imported, never `MNN.tools`: that runs pip and sends usage logs at
import (MNN 3.6.1).
"""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from mobileq.errors import InputError
from mobileq.external.framing import Arrays, Fields


class MnnWorker:
    """Handler for `mobileq.external.child.Child`."""

    def outline(self, fields: Fields, arrays: Arrays) -> tuple[Fields, Arrays]:
        """Inputs, outputs and ops of a .mnn file."""
        graph = _dumped(fields["path"])
        return {
            "ops": Counter(op["type"] for op in graph["oplists"]),
            "weights": _weight_types(graph),
            "quant": _quantized_tensors(graph),
            **_session_tensors(fields["path"]),
        }, {}


def _dumped(path: str) -> dict[str, Any]:
    """The graph in MNN's JSON form."""
    import _tools
    import MNN  # noqa: F401  registers what `_tools` links against

    with tempfile.TemporaryDirectory(prefix="mobileq-") as folder:
        target = Path(folder) / "model.json"
        # Returns True whatever happened.
        _tools.mnnconvert(
            ["mnnconvert", "-f", "MNN", "--modelFile", path, "--JsonFile", str(target)]
        )
        try:
            graph: dict[str, Any] = json.loads(target.read_text(errors="replace"))
        except (OSError, ValueError) as error:
            raise InputError(
                f"{path} is not an MNN file, or a damaged one.", "Convert the model again."
            ) from error
    return graph


def _session_tensors(path: str) -> dict[str, Any]:
    """Shapes and types, as a session works them out."""
    import MNN

    interpreter = MNN.Interpreter(path)
    session = interpreter.createSession()
    found = {}
    for kind, tensors in (
        ("inputs", interpreter.getSessionInputAll(session)),
        ("outputs", interpreter.getSessionOutputAll(session)),
    ):
        found[kind] = [
            {
                "name": name,
                "shape": list(tensor.getShape()),
                "dtype": _dtype(tensor.getDataType()),
                "nhwc": tensor.getDimensionType() == MNN.Tensor_DimensionType_Tensorflow,
            }
            for name, tensor in tensors.items()
        ]
    return found


def _dtype(halide_type: Any) -> str:
    import MNN

    known = {
        MNN.Halide_Type_Float: "float32",
        MNN.Halide_Type_Int: "int32",
        MNN.Halide_Type_Uint8: "uint8",
        MNN.Halide_Type_Int64: "int64",
    }
    return known.get(halide_type, "unknown")


def _weight_types(graph: dict[str, Any]) -> dict[str, int]:
    """How the weights of convolutions are kept: {"float32": 3, "8 bit": 57}."""
    kinds: Counter[str] = Counter()
    for op in graph["oplists"]:
        main = op.get("main", {})
        packed = main.get("quanParameter") or {}
        if packed.get("type"):
            kinds[_PACKING.get(packed["type"], f"packing {packed['type']}")] += 1
        elif main.get("weight"):
            kinds["float32"] += 1
    return dict(kinds)


_PACKING = {1: "int8 table", 2: "int8 sparse", 3: "float16", 4: "int8", 8: "int8 static"}


def _quantized_tensors(graph: dict[str, Any]) -> dict[str, tuple[float, int]]:
    """{tensor name: (scale, zero-point)}."""
    names = graph.get("tensorName", [])
    found = {}
    for tensor in graph.get("extraTensorDescribe") or ():
        info = tensor.get("quantInfo") or {}
        if info.get("scale") and tensor["index"] < len(names):
            found[names[tensor["index"]]] = (info["scale"], int(info.get("zero", 0)))
    return found
