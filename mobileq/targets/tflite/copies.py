"""One tensor of the ONNX model as two outputs: the file gets a copy for the second."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mobileq.graph.outline import producers
from mobileq.targets.tflite import flatbuffer, interface

if TYPE_CHECKING:
    from onnx import NodeProto


def restore_copies(path: Path, source: Path) -> None:
    """Rewrite the file so that an output which is another one's copy is made.

    onnx2tf 2.6.9 leaves out Identity, and with it the output that it gives: the file lists a tensor
    that nothing fills.

    Args:
        source: The ONNX model's file, whose outputs are in the same order.
    """
    import onnx

    model = flatbuffer.read_model(path)
    empty = interface.unmade_outputs(model)
    if not empty:
        return
    graph = onnx.load(source, load_external_data=False).graph
    makers = producers(graph)
    roots = [_root(value.name, makers) for value in graph.output]
    made = {root: at for at, root in enumerate(roots) if at not in empty}
    copied = [(at, made[roots[at]]) for at in empty if roots[at] in made]
    for position, original in copied:
        interface.copy_output(model, original, position)
    if copied:
        flatbuffer.write_model(model, path)


def _root(name: str, makers: dict[str, NodeProto]) -> str:
    """The tensor that a chain of Identity nodes hands on."""
    node = makers.get(name)
    while node is not None and node.op_type == "Identity":
        name = node.input[0]
        node = makers.get(name)
    return name
