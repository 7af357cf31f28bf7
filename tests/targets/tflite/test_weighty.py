"""Where a file's weights are."""

from __future__ import annotations

from mobileq.targets.tflite import contents, flatbuffer, weighty


def test_tail_is_what_follows_the_last_weights(convert):
    tail = weighty.tail_tensors(flatbuffer.read_model(convert("anchors", "fp32").path))
    assert tail[-1] == "y"
    assert "all" in tail
    assert not any("Conv" in name for name in tail)


def test_transposed_convolution_counts_as_weights(convert):
    """What comes before it is not the tail, and itself is not."""
    model = flatbuffer.read_model(convert("upsampled", "fp32").path)
    graph = model.subgraphs[0]
    (op,) = (op for op in graph.operators if contents.op_name(model, op) == "TRANSPOSE_CONV")
    assert contents.tensor_name(graph.tensors[op.outputs[0]]) not in weighty.tail_tensors(model)


def test_model_without_weights_has_no_tail(convert):
    model = flatbuffer.read_model(convert("conv", "fp32").path)
    model.subgraphs[0].operators = []
    assert weighty.tail_tensors(model) == ()


def test_convolutions_are_told_by_their_number_of_weights(convert):
    model = flatbuffer.read_model(convert("scores", "fp32").path)
    # 8 x 3 x 3 x 3 and 5 x 128.
    assert len(weighty.weighty_outputs(model, lambda total: 200)) == 2
    assert len(weighty.weighty_outputs(model, lambda total: 300)) == 1
    assert weighty.weighty_outputs(model, lambda total: 641) == set()
    assert len(weighty.weighty_outputs(model, lambda total: total // 2)) == 1
