"""MatMul and Gemm in every precision, whichever factor is a constant."""

from __future__ import annotations

import pytest

from mobileq.targets.tflite import contents, flatbuffer

from ...tiny import sqnr_db


def constants_of(path, kind: str):
    """The constants that ops of a kind take."""
    model = flatbuffer.read_model(path)
    graph = model.subgraphs[0]
    activations = contents.activation_indices(model)
    for op in graph.operators:
        if contents.op_name(model, op) == kind:
            taken = (int(index) for index in op.inputs)
            yield from (graph.tensors[at] for at in taken if at >= 0 and at not in activations)


@pytest.mark.parametrize(
    ("precision", "io", "least"),
    [
        ("fp32", "float32", 100),
        ("fp16", "float32", 60),
        ("dynamic", "float32", 38),
        ("int8", "float32", 30),
        ("int8-full", "int8", 30),
        ("int16x8", "float32", 38),
    ],
)
def test_products_are_near_the_models_in_every_precision(convert, precision, io, least):
    file = convert("products", precision, io)
    found = file.run()
    noise = {name: sqnr_db(wanted, found[name]) for name, wanted in file.model.wanted.items()}
    assert {name: round(each) for name, each in noise.items() if each < least} == {}


def test_product_by_one_matrix_is_a_linear_layer_with_a_scale_per_channel(convert):
    file = convert("products", "int8")
    found = [tensor for tensor in constants_of(file.path, "FULLY_CONNECTED") if tensor.type == 9]
    assert {len(tensor.quantization.scale) for tensor in found} == {9, 12}
    assert {len(each.quantization.scale) for each in constants_of(file.path, "BATCH_MATMUL")} == {1}


def test_weights_of_a_linear_layer_are_in_the_file_once(convert):
    path = convert("products", "fp32").path
    matrices = [t for t in constants_of(path, "FULLY_CONNECTED") if len(t.shape) == 2]
    data = [each.data for each in flatbuffer.read_model(path).buffers]
    sizes = [len(each) for each in data if each is not None]
    assert sizes.count(12 * 9 * 4) == len({tensor.buffer for tensor in matrices})
