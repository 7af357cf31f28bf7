"""Read files in ONNX Runtime's own format, .ort, which only ONNX Runtime can."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import msgspec

from mobileq.errors import InputError
from mobileq.external.child import call
from mobileq.external.framing import Fields
from mobileq.graph.outline import dtype_name, guess_layout
from mobileq.regular_file import MAX_MODEL_BYTES, read_regular
from mobileq.spec import TensorSpec
from mobileq.targets.model_file import ModelFile
from mobileq.targets.onnxruntime.metadata import embedded_spec

_MARK = b"ORTM"
_TYPES = {"float": "float32", "double": "float64"}


def read_reduced(path: Path) -> ModelFile:
    """See `mobileq.targets.base.Target.read`."""
    if read_regular(path, MAX_MODEL_BYTES, "a model")[4:8] != _MARK:
        raise InputError(f"{path} is not an .ort file.", "Convert the model again.")
    found = call(
        "mobileq.targets.onnxruntime.worker:OrtWorker",
        "outline",
        {"path": str(path)},
        stage=f"reading {path.name}",
        tool="ONNX Runtime",
        advice="The file is probably damaged: convert the model again.",
    )
    return ModelFile(
        inputs=msgspec.convert(found["inputs"], tuple[TensorSpec, ...]),
        outputs=msgspec.convert(found["outputs"], tuple[TensorSpec, ...]),
        ops=found["ops"],
        tensor_types=found["tensor_types"],
        spec=embedded_spec(found["metadata"], path),
        metadata=found["metadata"],
    )


def outline(path: Path) -> Fields:
    """In the child: what `read_reduced` makes a ModelFile of."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    counted = _counter(path)
    graph = counted._model.Graph()
    types = (graph.Initializers(at).DataType() for at in range(graph.InitializersLength()))
    return {
        "inputs": [_described(each) for each in session.get_inputs()],
        "outputs": [_described(each) for each in session.get_outputs()],
        "metadata": dict(sorted(session.get_modelmeta().custom_metadata_map.items())),
        "ops": dict(sorted(counted.ops.items())),
        "tensor_types": dict(Counter(map(dtype_name, types))),
    }


def _described(tensor: Any) -> Fields:
    """Of `tensor(float)` and a shape, where names stand for what is not known."""
    kind = tensor.type.removeprefix("tensor(").removesuffix(")")
    shape = tuple(each if isinstance(each, int) else -1 for each in tensor.shape)
    spec = TensorSpec(
        name=tensor.name,
        shape=shape,
        dtype=_TYPES.get(kind, kind),
        layout=guess_layout(shape),
    )
    built: Fields = msgspec.to_builtins(spec)
    return built


def _counter(path: Path) -> Any:
    """ONNX Runtime's reader of the format, which knows each operator once, made to count them."""
    from onnxruntime.tools.ort_format_model import OrtFormatModelProcessor

    class Counting(OrtFormatModelProcessor):  # type: ignore[misc]
        def __init__(self) -> None:
            self.ops: Counter[str] = Counter()
            super().__init__(str(path), {}, None)

        def _add_required_op(self, domain: str, opset: int, op_type: str) -> None:
            self.ops[op_type] += 1

    counting = Counting()
    counting.process()
    return counting
