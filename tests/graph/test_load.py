from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path

import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mobileq.errors import InputError, MobileqError, UsageError
from mobileq.graph.load import load

from .builders import model_of, small_model


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "model.onnx"
    path.write_bytes(small_model().SerializeToString())
    return path


def refused(path: Path, data: bytes) -> InputError:
    path.write_bytes(data)
    with pytest.raises(InputError) as caught:
        load(path)
    assert path.name in caught.value.message
    assert caught.value.hint
    return caught.value


def test_loads_a_valid_model_unchanged(file: Path) -> None:
    assert load(file) == small_model()


def test_missing_file_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no file .*nowhere\.onnx"):
        load(tmp_path / "nowhere.onnx")


def test_folder_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is a folder"):
        load(tmp_path)


def test_path_with_nul_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="no file"):
        load("a\0b.onnx")


def test_empty_file_is_named_as_such(file: Path) -> None:
    assert "0 bytes" in refused(file, b"").message


def test_text_is_not_onnx(file: Path) -> None:
    assert "is not an ONNX model" in refused(file, b"hello, world").message


def test_bytes_that_parse_as_an_empty_model_are_not_onnx(file: Path) -> None:
    # Field 100, a length of 3: protobuf keeps it as an unknown field of an empty message.
    data = b"\xa2\x06\x03abc"
    assert onnx.load_model_from_string(data).ByteSize() == len(data)
    assert "is not an ONNX model" in refused(file, data).message


def test_truncated_file_is_called_damaged(file: Path) -> None:
    data = file.read_bytes()
    assert "damaged or was cut off" in refused(file, data[: len(data) // 2]).message


def test_file_cut_before_the_opset_is_called_damaged(file: Path) -> None:
    model = small_model()
    del model.opset_import[:]
    assert "damaged or was cut off" in refused(file, model.SerializeToString()).message


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"PK\x03\x04" + bytes(22) + b"yolo/data.pkl", "a PyTorch file"),
        (b"PK\x03\x04" + bytes(22) + b"model.xml", "a zip archive"),
        (b"\x80\x02}q\0.", "a PyTorch (pickle) file"),
        (b"\x89HDF\r\n\x1a\n" + bytes(8), "a Keras HDF5 file"),
        (b"version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer"),
        (b"<!DOCTYPE html><html>", "a web page"),
    ],
)
def test_other_formats_are_recognised_by_contents(file: Path, data: bytes, what: str) -> None:
    assert f"is {what}" in refused(file, data).message


def test_pytorch_zip_without_a_visible_pickle_is_recognised_by_its_name(tmp_path: Path) -> None:
    assert "is a PyTorch file" in refused(tmp_path / "m.pt", b"PK\x03\x04" + bytes(30)).message


def test_model_without_outputs_is_refused(file: Path) -> None:
    model = small_model()
    del model.graph.output[:]
    assert "no outputs" in refused(file, model.SerializeToString()).message


def test_model_without_operators_is_refused(file: Path) -> None:
    model = small_model()
    del model.graph.node[:]
    assert "no operators" in refused(file, model.SerializeToString()).message


def test_nodes_in_any_order_are_sorted(file: Path) -> None:
    """As ONNX Runtime takes them; onnxconverter-common puts the input's cast at the end."""
    model = small_model()
    nodes = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend(reversed(nodes))
    file.write_bytes(model.SerializeToString())
    makes = [node.output[0] for node in load(file).graph.node]
    assert makes.index("y") > max(makes.index("c"), makes.index("k"))


def test_cycle_is_refused(file: Path) -> None:
    model = small_model()
    model.graph.node[1].input[0] = "y"
    assert "topologically sorted" in refused(file, model.SerializeToString()).message


def test_checker_failure_is_told_in_one_line_with_the_node(file: Path) -> None:
    model = small_model()
    model.graph.node[0].op_type = "Convolution"
    model.graph.node[0].name = "first"
    message = refused(file, model.SerializeToString()).message
    assert "No Op registered for Convolution" in message
    assert "first" in message
    assert "\n" not in message


def test_opset_of_the_future_names_the_newest_supported(file: Path) -> None:
    error = refused(file, small_model(opset=999).SerializeToString())
    assert "needs opset 999" in error.message
    assert f"opset {onnx.defs.onnx_opset_version()} or lower" in error.hint


def test_ir_version_of_the_future_is_refused_with_a_remedy(file: Path) -> None:
    error = refused(file, small_model(ir_version=99).SerializeToString())
    assert "or lower" in error.hint


def test_weight_with_too_few_values_is_named(file: Path) -> None:
    model = small_model()
    model.graph.initializer[0].raw_data = model.graph.initializer[0].raw_data[:-4]
    assert "the values of 'w' do not fit" in refused(file, model.SerializeToString()).message


def test_name_that_is_no_text_is_refused(file: Path) -> None:
    data = small_model().SerializeToString().replace(b"Mul", b"M\xfel")
    assert "no text" in refused(file, data).message


def test_remark_that_is_no_text_is_kept_readable(file: Path) -> None:
    model = small_model()
    model.doc_string = "remark"
    file.write_bytes(model.SerializeToString().replace(b"remark", b"rem\xferk"))
    assert load(file).doc_string == "rem�rk"


class TestExternalData:
    @pytest.fixture
    def file(self, tmp_path: Path) -> Path:
        path = tmp_path / "model.onnx"
        onnx.save_model(
            small_model(), path, save_as_external_data=True, location="w.bin", size_threshold=0
        )
        return path

    def test_is_read_into_the_model(self, file: Path) -> None:
        weights = load(file).graph.initializer[0]
        assert not weights.external_data
        assert weights.raw_data == small_model().graph.initializer[0].raw_data

    def test_missing_file_is_named(self, file: Path) -> None:
        (file.parent / "w.bin").unlink()
        with pytest.raises(InputError, match=r"'w\.bin', which is missing"):
            load(file)

    def test_shortened_file_is_refused(self, file: Path) -> None:
        (file.parent / "w.bin").write_bytes(b"abcd")
        with pytest.raises(InputError, match="damaged: the values of 'w'"):
            load(file)

    @pytest.mark.parametrize("location", ["../w.bin", "/etc/hostname", "..\\w.bin", ""])
    def test_name_that_leads_out_of_the_folder_is_refused(self, file: Path, location: str) -> None:
        model = onnx.load(file, load_external_data=False)
        for entry in model.graph.initializer[0].external_data:
            if entry.key == "location":
                entry.value = location
        refused(file, model.SerializeToString())

    def test_offset_that_is_no_number_is_refused(self, file: Path) -> None:
        model = onnx.load(file, load_external_data=False)
        for entry in model.graph.initializer[0].external_data:
            if entry.key == "offset":
                entry.value = "many"
        assert "cannot be read" in refused(file, model.SerializeToString()).message


def check_only_known_errors(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.onnx")
        path.write_bytes(data)
        with contextlib.suppress(MobileqError):
            load(path)


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=200))
def test_any_bytes_load_or_are_refused(data: bytes) -> None:
    check_only_known_errors(data)


VALID = model_of(
    """g (float[1,3,8,8] x) => (float[1,4,8,8] y)
    <float[4,3,1,1] w = {0,1,2,3,4,5,6,7,8,9,10,11}> {
        c = Conv(x, w)
        k = Constant<value = float[1] {3.0}>()
        y = Mul(c, k)
    }""",
    metadata={"names": "{0: 'a'}"},
).SerializeToString()


@settings(deadline=None, max_examples=400)
@given(
    st.integers(0, len(VALID)),
    st.lists(st.tuples(st.integers(0, len(VALID) - 1), st.binary(max_size=3)), max_size=4),
)
def test_any_mutation_of_a_model_loads_or_is_refused(
    end: int, changes: list[tuple[int, bytes]]
) -> None:
    data = bytearray(VALID)
    for position, replacement in changes:
        data[position : position + 1] = replacement
    check_only_known_errors(bytes(data))
    check_only_known_errors(VALID[:end])
