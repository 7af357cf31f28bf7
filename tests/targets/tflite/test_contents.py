"""What ops and tensors say of themselves."""

from __future__ import annotations

from mobileq.targets.tflite import contents, flatbuffer


def test_scales_of_weights_are_one_per_channel(convert):
    graph = flatbuffer.read_model(convert("scores", "int8").path).subgraphs[0]
    scales = [contents.tensor_quant(t) for t in graph.tensors if t.name.endswith(b"_filter")]
    per_channel = [quant for quant in scales if quant is not None and quant.axis is not None]
    assert per_channel
    for quant in per_channel:
        assert len(quant.scale) == len(quant.zero_point) == 8
        assert set(quant.zero_point) == {0}
