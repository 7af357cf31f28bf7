"""Reading graphs: of honest files everything, of damaged ones an error made for people."""

from __future__ import annotations

import struct
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from mobileq.errors import InputError
from mobileq.spec import QuantParams
from mobileq.targets.tflite import flatbuffer
from mobileq.targets.tflite.tensors import file_tensors

SHARED_FOLDER = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=2000)


def read_and_look_everywhere(path: Path) -> bool:
    """Whether the file was read. Nothing but InputError may be raised."""
    try:
        model = flatbuffer.read_model(path)
    except InputError:
        return False
    assert all(count > 0 for count in flatbuffer.op_counts(model).values())
    assert sum(flatbuffer.tensor_types(model).values()) == len(model.subgraphs[0].tensors)
    flatbuffer.tail_tensors(model)
    flatbuffer.custom_ops(model)
    flatbuffer.activation_indices(model)
    file_tensors(model)
    for graph in model.subgraphs:
        for tensor in graph.tensors:
            flatbuffer.tensor_quant(tensor)
            flatbuffer.tensor_name(tensor)
    return True


@pytest.fixture(scope="module")
def whole(convert) -> bytes:
    """A file with quantized tensors, two kinds of constants, options and signatures."""
    return convert("scores", "int8", "uint8").path.read_bytes()


def test_ops_are_counted_by_type(convert):
    counted = flatbuffer.op_counts(flatbuffer.read_model(convert("anchors", "fp32").path))
    assert list(counted.items()) == [
        ("CONV_2D", 3), ("TRANSPOSE", 3), ("RESHAPE", 2), ("CONCATENATION", 1), ("LOGISTIC", 1),
        ("PAD", 1),
    ]  # fmt: skip


def test_tensor_types_are_counted(convert):
    types = flatbuffer.tensor_types(flatbuffer.read_model(convert("scores", "int8", "int8").path))
    assert set(types) == {"int8", "int32"}
    assert list(types.values()) == sorted(types.values(), reverse=True)


def test_scales_of_weights_are_one_per_channel(convert):
    graph = flatbuffer.read_model(convert("scores", "int8").path).subgraphs[0]
    scales = [flatbuffer.tensor_quant(t) for t in graph.tensors if t.name.endswith(b"_filter")]
    per_channel = [quant for quant in scales if quant is not None and quant.axis is not None]
    assert per_channel
    for quant in per_channel:
        assert len(quant.scale) == len(quant.zero_point) == 8
        assert set(quant.zero_point) == {0}


def test_tail_is_what_follows_the_last_weights(convert):
    tail = flatbuffer.tail_tensors(flatbuffer.read_model(convert("anchors", "fp32").path))
    assert tail[-1] == "y"
    assert "all" in tail
    assert not any("Conv" in name for name in tail)


def test_transposed_convolution_counts_as_weights(convert):
    """What comes before it is not the tail, and itself is not."""
    model = flatbuffer.read_model(convert("upsampled", "fp32").path)
    graph = model.subgraphs[0]
    (op,) = (op for op in graph.operators if flatbuffer.op_name(model, op) == "TRANSPOSE_CONV")
    assert flatbuffer.tensor_name(graph.tensors[op.outputs[0]]) not in flatbuffer.tail_tensors(
        model
    )


def test_model_without_weights_has_no_tail(convert):
    model = flatbuffer.read_model(convert("conv", "fp32").path)
    model.subgraphs[0].operators = []
    assert flatbuffer.tail_tensors(model) == ()


def test_file_of_known_ops_has_no_custom_ones(convert):
    assert flatbuffer.custom_ops(flatbuffer.read_model(convert("anchors", "fp32").path)) == ()


def test_written_model_is_read_back_the_same(convert, tmp_path):
    model = flatbuffer.read_model(convert("scores", "int8", "uint8").path)
    flatbuffer.write_model(model, tmp_path / "again.tflite")
    again = flatbuffer.read_model(tmp_path / "again.tflite")
    assert flatbuffer.op_counts(again) == flatbuffer.op_counts(model)
    assert file_tensors(again) == file_tensors(model)
    for ours, theirs in zip(again.buffers, model.buffers, strict=True):
        np.testing.assert_array_equal(
            [] if ours.data is None else ours.data, [] if theirs.data is None else theirs.data
        )


@pytest.mark.parametrize("content", [b"", b"TFL3", b"\x08\0\0\0TFL3", b"PK\x03\x04" + bytes(99)])
def test_file_that_is_none_is_an_error(tmp_path, content):
    path = tmp_path / "x.tflite"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"x\.tflite is") as caught:
        flatbuffer.read_model(path)
    assert "completely" in caught.value.hint


def test_file_that_is_missing_stays_a_system_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        flatbuffer.read_model(tmp_path / "none.tflite")


@SHARED_FOLDER
@given(noise=st.binary(max_size=300))
@example(noise=b"")
@example(noise=b"\0" * 300)
@example(noise=b"\xff" * 300)
def test_noise_behind_the_identifier_is_an_error(tmp_path, noise):
    path = tmp_path / "x.tflite"
    path.write_bytes(noise[:4].ljust(4, b"\0") + b"TFL3" + noise[4:])
    assert not read_and_look_everywhere(path)


@SHARED_FOLDER
@given(data=st.data())
def test_truncated_file_is_read_or_an_error(tmp_path, whole, data):
    path = tmp_path / "x.tflite"
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])
    read_and_look_everywhere(path)


VALUES = st.sampled_from([b"\0", b"\1", b"\x7f", b"\x80", b"\xff"]) | st.binary(
    min_size=1, max_size=4
)


@settings(SHARED_FOLDER, max_examples=400)
@given(data=st.data())
def test_damaged_file_is_read_or_an_error(tmp_path, whole, data):
    damaged = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 12))):
        place = data.draw(st.integers(8, len(whole) - 5) | st.integers(0, 3))
        value = data.draw(VALUES) * data.draw(st.integers(1, 4))
        damaged[place : place + len(value)] = value
    damaged[4:8] = b"TFL3"
    path = tmp_path / "x.tflite"
    path.write_bytes(damaged)
    read_and_look_everywhere(path)


def damaged_by(change) -> bytes:
    """A small file whose model `change` has edited."""
    from ai_edge_litert import schema_py_generated as schema

    model, graph = schema.ModelT(), schema.SubGraphT()
    code, op, tensor, buffer = (
        schema.OperatorCodeT(), schema.OperatorT(), schema.TensorT(), schema.BufferT()
    )  # fmt: skip
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CONV_2D
    tensor.name, tensor.shape = b"x", [4, 4, 4, 4]
    tensor.quantization = schema.QuantizationParametersT()
    tensor.quantization.scale, tensor.quantization.zeroPoint = [0.5], [0]
    op.inputs, op.outputs = [0, 0, -1], [0]
    graph.tensors, graph.operators, graph.inputs, graph.outputs = [tensor], [op], [0], [0]
    model.operatorCodes, model.subgraphs, model.buffers = [code], [graph], [buffer]
    change(model, graph, op, tensor)
    import flatbuffers

    builder = flatbuffers.Builder(64)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def setting(place: str, **values):
    names = ("model", "graph", "op", "tensor")

    def change(*parts):
        for name, value in values.items():
            setattr(parts[names.index(place)], name, value)

    return change


@pytest.mark.parametrize(
    "change",
    [
        setting("model", operatorCodes=None),
        setting("model", operatorCodes=[]),
        setting("model", subgraphs=None),
        setting("graph", tensors=None),
        setting("graph", inputs=[1]),
        setting("graph", outputs=[-1]),
        setting("op", opcodeIndex=1),
        setting("op", inputs=[0, 1]),
        setting("op", inputs=[0, -2]),
        setting("op", outputs=[2**31 - 1]),
        setting("tensor", shape=[4, -1]),
    ],
)
def test_index_that_points_nowhere_is_an_error(tmp_path, change):
    path = tmp_path / "x.tflite"
    path.write_bytes(damaged_by(change))
    assert not read_and_look_everywhere(path)


@pytest.mark.parametrize("scales", [0, 2, 3])
def test_scales_without_their_zero_points_are_an_error(tmp_path, scales):
    def change(model, graph, op, tensor):
        tensor.quantization.scale = [0.5] * scales

    path = tmp_path / "x.tflite"
    path.write_bytes(damaged_by(change))
    assert not read_and_look_everywhere(path)


@pytest.mark.parametrize(
    "change",
    [
        setting("graph", inputs=None, outputs=None),
        setting("graph", operators=None),
        setting("op", inputs=None),
        setting("op", inputs=[0]),
        setting("op", inputs=[0, -1]),
        setting("op", outputs=None),
        setting("tensor", shape=None),
        setting("tensor", name=None),
        setting("tensor", type=99),
        setting("tensor", quantization=None),
        setting("model", buffers=None),
    ],
)
def test_lists_that_a_file_leaves_out_are_empty(tmp_path, change):
    path = tmp_path / "x.tflite"
    path.write_bytes(damaged_by(change))
    assert read_and_look_everywhere(path)


def test_missing_zero_points_are_zero(tmp_path):
    def change(model, graph, op, tensor):
        tensor.quantization.scale, tensor.quantization.zeroPoint = [0.5, 0.25], None

    path = tmp_path / "x.tflite"
    path.write_bytes(damaged_by(change))
    (tensor,) = flatbuffer.read_model(path).subgraphs[0].tensors
    assert flatbuffer.tensor_quant(tensor) == QuantParams(
        scale=(0.5, 0.25), zero_point=(0, 0), axis=0
    )


def tables_within_tables(count: int) -> bytes:
    """`count` graphs that are all one graph, of `count` tensors that are all one tensor."""
    graphs_at = 60
    graph_at = graphs_at + 4 + 4 * count
    tensors_at = graph_at + 8
    tensor_at = tensors_at + 4 + 4 * count
    data = bytearray(tensor_at + 4)

    def put(at: int, form: str, *values: int) -> None:
        struct.pack_into("<" + form, data, at, *values)

    # vtable: its size, the table's size, then the place of each field. A table points back to it.
    put(0, "I", 32)
    data[4:8] = b"TFL3"
    put(12, "HHHHH", 10, 8, 0, 0, 4)  # the model's third field is the graphs
    put(32, "iI", 32 - 12, graphs_at - 36)
    put(44, "HHH", 6, 8, 4)  # a graph's first is the tensors
    put(graph_at, "iI", graph_at - 44, tensors_at - graph_at - 4)
    put(52, "HH", 4, 4)
    put(tensor_at, "i", tensor_at - 52)
    for start, target in ((graphs_at, graph_at), (tensors_at, tensor_at)):
        put(start, "I", count)
        for place in range(start + 4, start + 4 + 4 * count, 4):
            put(place, "I", target - place)
    return bytes(data)


def test_tables_within_tables_are_read_no_longer_than_the_file_is(tmp_path):
    path = tmp_path / "x.tflite"
    path.write_bytes(tables_within_tables(3))
    assert [len(graph.tensors) for graph in flatbuffer.read_model(path).subgraphs] == [3, 3, 3]
    path.write_bytes(tables_within_tables(20_000))  # 160 KB that stand for 400 million tensors
    start = time.monotonic()
    with pytest.raises(InputError, match="damaged"):
        flatbuffer.read_model(path)
    assert time.monotonic() - start < 5
