"""ONNX's own tests, from the installed package, as models that a converter can be given.

The tests feed everything at run time, also what fixes shapes (axes, repeats, the k of TopK) and
weights, which every exporter stores in the file. Those inputs become initializers with the test's
own values.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from onnx import GraphProto, ModelProto, NodeProto, ValueInfoProto

KINDS = ("node", "pytorch-converted", "pytorch-operator")
_SHAPING = frozenset(
    {"axes", "axis", "block_shape", "depth", "dft_length", "ends", "frame_length", "frame_step"}
    | {"image_shape", "output_shape", "pads", "repeats", "roi", "scales", "shape"}
    | {"size", "sizes", "split", "starts", "steps"}
    | {"max_output_boxes_per_class", "iou_threshold", "score_threshold"}
    | {"num_mel_bins", "sample_rate", "lower_edge_hertz", "upper_edge_hertz"}
    | {"M", "cond", "start", "limit", "delta", "sequence_lens", "ratio", "training_mode"}
    | {"constant_value", "target_type"}
)
"""Formal names of inputs, over all operators, that say what an operator does, not what it works
on."""
_WEIGHTED = frozenset(
    {"BatchNormalization", "Conv", "ConvInteger", "ConvTranspose", "DeformConv", "Gemm"}
    | {
        "GroupNormalization",
        "QLinearConv",
        "GRU",
        "InstanceNormalization",
        "LayerNormalization",
        "LSTM",
        "PRelu",
        "RMSNormalization",
    }
    | {"RNN"}
)
_WEIGHTS = frozenset(
    {"B", "Bias", "C", "P", "R", "Scale", "W", "bias", "input_mean", "input_var", "mean", "scale"}
    | {"slope", "var", "w"}
)
"""Formal names of the weights of these operators."""
_EXPANDED = "_expanded"
"""Marks a test whose operator is written out as its function body."""


@dataclass(frozen=True)
class Loaded:
    """A test's model, its inputs and what must come out. Sequences are lists of arrays."""

    model: ModelProto
    feeds: dict[str, Any]
    wanted: dict[str, Any]


@dataclass(frozen=True)
class Case:
    """One test; `rtol` and `atol` are its own."""

    kind: str
    name: str
    folder: Path
    rtol: float
    atol: float

    @property
    def id(self) -> str:
        """`node/test_abs`."""
        return f"{self.kind}/{self.name}"

    @property
    def plain(self) -> str:
        """The test's name without the mark of a written-out operator."""
        return self.name.partition(_EXPANDED)[0]

    def load(self) -> Loaded:
        """The model with its parameters stored in it, and the first of the test's data sets."""
        import onnx

        model = onnx.load(self.folder / "model.onnx")
        data = self.folder / "test_data_set_0"
        feeds = _values(data, "input", model.graph.input)
        wanted = _values(data, "output", model.graph.output)
        frozen = _shaping(self.folder.with_name(self.plain)) & feeds.keys()
        if frozen != feeds.keys():  # a model needs an input
            _freeze(model, {name: feeds.pop(name) for name in frozen})
        return Loaded(model, feeds, wanted)

    def op(self) -> str:
        """The operator that the test is of; several, for a whole model."""
        nodes = _nodes(self.folder.with_name(self.plain))
        kinds = dict.fromkeys(node.op_type for node in nodes if node.op_type != "Constant")
        return ", ".join(kinds) or "Constant"


def cases() -> Iterator[Case]:
    """All tests that lie in the installed package, in order."""
    from onnx.backend.test.loader import load_model_tests

    for kind in KINDS:
        for each in sorted(load_model_tests(kind=kind), key=lambda each: each.name):
            yield Case(kind, each.name, Path(each.model_dir), each.rtol, each.atol)


def _values(folder: Path, what: str, declared: Any) -> dict[str, Any]:
    files = (folder / f"{what}_{at}.pb" for at in range(len(declared)))
    return {
        value.name: _value(file, value)
        for file, value in zip(files, declared, strict=True)
        if file.exists()
    }


def _value(file: Path, declared: ValueInfoProto) -> Any:
    import onnx
    from onnx import numpy_helper

    kind = declared.type.WhichOneof("value")
    if kind == "sequence_type":
        sequence = onnx.SequenceProto.FromString(file.read_bytes())
        return numpy_helper.to_list(sequence)
    if kind == "optional_type":
        return numpy_helper.to_optional(onnx.OptionalProto.FromString(file.read_bytes()))
    return numpy_helper.to_array(onnx.TensorProto.FromString(file.read_bytes()))


@cache
def _nodes(folder: Path) -> tuple[NodeProto, ...]:
    import onnx

    if not (folder / "model.onnx").exists():
        return ()
    return tuple(onnx.load(folder / "model.onnx").graph.node)


def _shaping(folder: Path) -> set[str]:
    """Names of the inputs that become initializers; a written-out operator's are the operator's."""
    import onnx

    if not (folder / "model.onnx").exists():
        return set()
    model = onnx.load(folder / "model.onnx")
    versions = {item.domain: item.version for item in model.opset_import}
    given = {value.name for value in model.graph.input}
    return {
        name
        for node in model.graph.node
        for name, formal in zip(node.input, _formal(node, versions), strict=False)
        if name in given and _is_parameter(node, formal)
    }


def _formal(node: NodeProto, versions: dict[str, int]) -> list[str]:
    import onnx

    try:
        schema = onnx.defs.get_schema(node.op_type, versions.get(node.domain, 1), node.domain)
    except onnx.defs.SchemaError:
        return []
    return [each.name for each in schema.inputs]


def _is_parameter(node: NodeProto, formal: str) -> bool:
    if formal == "input":  # a shape that is data elsewhere
        return node.op_type == "ConstantOfShape"
    if formal in ("k", "K"):
        return node.op_type in ("TopK", "Trilu")
    if node.op_type in _WEIGHTED and formal in _WEIGHTS:
        return True
    return formal in _SHAPING or formal.endswith(("_scale", "_zero_point"))


def _freeze(model: ModelProto, values: dict[str, NDArray[Any]]) -> None:
    from onnx import numpy_helper

    graph: GraphProto = model.graph
    kept = [value for value in graph.input if value.name not in values]
    del graph.input[:]
    graph.input.extend(kept)
    graph.initializer.extend(numpy_helper.from_array(each, name) for name, each in values.items())
    model.ir_version = max(model.ir_version, 4)  # before, initializers had to be inputs too
