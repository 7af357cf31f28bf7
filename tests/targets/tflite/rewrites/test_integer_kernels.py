"""Ops that ai-edge-quantizer leaves in float, and that TFLite has integer kernels for."""

from __future__ import annotations

from mobileq.targets.tflite import counting, editing, flatbuffer
from mobileq.targets.tflite.rewrites.integer_kernels import narrow_choices

from ...tiny import kept


def test_a_shape_is_that_of_codes_as_well(tiny, tmp_path):
    """onnx2tf 2.6.9 writes one for each Squeeze whose length it has lost."""
    job = tiny("gelu").job(tmp_path, "int8-full", "int8")
    kept().convert(job)
    model = flatbuffer.read_model(job.output)
    graph = model.subgraphs[0]
    source = next(int(op.outputs[0]) for op in graph.operators)
    wide = editing.add_tensor(model, editing.float_tensor(b"wide", graph.tensors[source].shape))
    rank = len(graph.tensors[source].shape)
    made = editing.add_tensor(model, editing.int8_tensor(b"shape", [rank], 1.0))
    for name, inputs, outputs in (("DEQUANTIZE", [source], [wide]), ("SHAPE", [wide], [made])):
        editing.append_op(model, name, inputs, outputs)
    narrow_choices(model)
    assert "DEQUANTIZE" not in counting.op_counts(model)
    assert list(graph.operators[-1].inputs) == [source]
