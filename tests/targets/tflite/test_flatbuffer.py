"""Reading graphs: of honest files everything, of damaged ones an error made for people."""

from __future__ import annotations

import io
import struct
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from mobileq.errors import InputError
from mobileq.spec import QuantParams
from mobileq.targets.tflite import contents, counting, flatbuffer, weighty
from mobileq.targets.tflite.tensors import file_tensors

SHARED_FOLDER = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=2000)


def read_and_look_everywhere(path: Path) -> bool:
    """Whether the file was read. Nothing but InputError may be raised."""
    try:
        model = flatbuffer.read_model(path)
    except InputError:
        return False
    assert all(count > 0 for count in counting.op_counts(model).values())
    assert sum(counting.tensor_types(model).values()) == len(model.subgraphs[0].tensors)
    weighty.tail_tensors(model)
    counting.custom_ops(model)
    contents.activation_indices(model)
    file_tensors(model)
    for graph in model.subgraphs:
        for tensor in graph.tensors:
            contents.tensor_quant(tensor)
            contents.tensor_name(tensor)
    return True


@pytest.fixture(scope="module")
def whole(convert) -> bytes:
    """A file with quantized tensors, two kinds of constants, options and signatures."""
    return convert("scores", "int8", "uint8").path.read_bytes()


def test_written_model_is_read_back_the_same(convert, tmp_path):
    model = flatbuffer.read_model(convert("scores", "int8", "uint8").path)
    flatbuffer.write_model(model, tmp_path / "again.tflite")
    again = flatbuffer.read_model(tmp_path / "again.tflite")
    assert counting.op_counts(again) == counting.op_counts(model)
    assert file_tensors(again) == file_tensors(model)
    for ours, theirs in zip(again.buffers, model.buffers, strict=True):
        np.testing.assert_array_equal(
            [] if ours.data is None else ours.data, [] if theirs.data is None else theirs.data
        )


def test_added_metadata_leaves_every_byte_where_it_was_aligned(whole, tmp_path):
    path = tmp_path / "more.tflite"
    end = zipfile.ZipFile(io.BytesIO(whole)).infolist()[-1].header_offset  # of the flatbuffer
    for length in (end, end + 4):  # no flatbuffer need end where the next 16 bytes begin
        path.write_bytes(whole[:end] + bytes(length - end))
        before = path.read_bytes()
        flatbuffer.add_metadata(path, "SAID", b"what it says")
        after = path.read_bytes()
        start = after.index(before[8:])
        assert (start - 8) % 16 == 0
        assert not any(after[start + len(before) - 8 :])
        model = flatbuffer.read_model(path)
        entries = {entry.name.decode(): entry.buffer for entry in model.metadata}
        assert bytes(model.buffers[entries["SAID"]].data) == b"what it says"
        assert set(entries) > {"SAID"}
        flatbuffer.write_model(model, tmp_path / "again.tflite")


@pytest.mark.parametrize("content", [b"", b"TFL3", b"\x08\0\0\0TFL3", b"PK\x03\x04" + bytes(99)])
def test_file_that_is_none_is_an_error(tmp_path, content):
    path = tmp_path / "x.tflite"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"x\.tflite is") as caught:
        flatbuffer.read_model(path)
    assert "completely" in caught.value.hint


def test_file_that_is_missing_is_said_to_be(tmp_path):
    with pytest.raises(InputError, match=r"none\.tflite cannot be read: No such file"):
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
    assert contents.tensor_quant(tensor) == QuantParams(
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
    start = time.process_time()
    with pytest.raises(InputError, match="damaged"):
        flatbuffer.read_model(path)
    assert time.process_time() - start < 5


class Written:
    """The same model, written by the schema's own classes and by ours."""

    def __init__(self, model: Any, folder: Path) -> None:
        import flatbuffers

        builder = flatbuffers.Builder(1024)
        builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
        self.plain, self.shared = folder / "plain.tflite", folder / "shared.tflite"
        self.plain.write_bytes(bytes(builder.Output()))
        flatbuffer.write_model(model, self.shared)


@pytest.fixture(scope="module")
def written(convert, tmp_path_factory) -> Written:
    model = flatbuffer.read_model(convert("anchors", "int8").path)
    return Written(model, tmp_path_factory.mktemp("written"))


def test_equal_vectors_are_written_once(written):
    plain, shared = written.plain.stat().st_size, written.shared.stat().st_size
    model = flatbuffer.read_model(written.plain)
    zero_points = [
        tensor.quantization.zeroPoint
        for tensor in model.subgraphs[0].tensors
        if tensor.quantization is not None and tensor.quantization.zeroPoint is not None
    ]
    repeated = sum(map(len, zero_points)) - len({tuple(each) for each in zero_points})
    assert repeated > 10
    assert shared < plain


def test_shared_vectors_read_back_the_same(written):
    plain, shared = map(flatbuffer.read_model, (written.plain, written.shared))
    assert file_tensors(shared) == file_tensors(plain)
    for one, other in zip(plain.subgraphs[0].tensors, shared.subgraphs[0].tensors, strict=True):
        assert contents.tensor_name(one) == contents.tensor_name(other)
        assert contents.tensor_quant(one) == contents.tensor_quant(other)
        assert list(one.shape) == list(other.shape)
        assert (one.type, one.buffer) == (other.type, other.buffer)
    for one, other in zip(plain.buffers, shared.buffers, strict=True):
        np.testing.assert_array_equal(
            [] if one.data is None else one.data, [] if other.data is None else other.data
        )
    for one, other in zip(plain.subgraphs[0].operators, shared.subgraphs[0].operators, strict=True):
        assert list(one.inputs) == list(other.inputs)
        assert list(one.outputs) == list(other.outputs)


def buffer_places(path: Path) -> list[int]:
    """Where in the file the bytes of each buffer that has some begin."""
    from ai_edge_litert import schema_py_generated as schema

    data = path.read_bytes()
    model = schema.Model.GetRootAs(data, 0)
    found = []
    for index in range(model.BuffersLength()):
        table = model.Buffers(index)._tab
        field = table.Offset(4)
        if field and table.VectorLen(field):
            found.append(table.Vector(field))
    return found


@pytest.mark.parametrize("precision", ["fp32", "fp16", "dynamic", "int8", "int16x8"])
def test_buffers_are_aligned_as_the_schema_demands(convert, precision, tmp_path):
    path = tmp_path / "again.tflite"
    flatbuffer.write_model(flatbuffer.read_model(convert("anchors", precision).path), path)
    places = buffer_places(path)
    assert len(places) > 3
    assert {place % 16 for place in places} == {0}


def test_quantized_files_have_aligned_buffers(convert):
    assert {place % 16 for place in buffer_places(convert("anchors", "int8").path)} == {0}


def test_shared_file_runs_as_the_plain_one(convert, written):
    from mobileq.targets.tflite.target import TfliteTarget

    made = convert("anchors", "int8")
    given = []
    for path in (written.plain, written.shared):
        runner = TfliteTarget().open(path, made.converted.inputs, made.converted.outputs)
        given.append(runner.run(made.model.feeds)["y"])
        runner.close()
    np.testing.assert_array_equal(*given)


def test_vectors_of_another_type_are_not_mixed_up(tmp_path):
    """Four bytes of zero, and one number of four bytes that is zero."""

    def change(model, graph, op, tensor):
        from ai_edge_litert import schema_py_generated as schema

        graph.inputs = np.zeros(1, np.int32)
        model.buffers[0].data = np.zeros(4, np.uint8)
        tensor.quantization.scale = np.zeros(1, np.float32)
        model.buffers += [schema.BufferT()]

    path = tmp_path / "x.tflite"
    path.write_bytes(damaged_by(change))
    flatbuffer.write_model(flatbuffer.read_model(path), path)
    again = flatbuffer.read_model(path)
    assert again.buffers[0].data.tolist() == [0, 0, 0, 0]
    assert again.buffers[1].data is None
    assert again.subgraphs[0].tensors[0].quantization.scale.tolist() == [0.0]
    assert again.subgraphs[0].inputs.tolist() == [0]
