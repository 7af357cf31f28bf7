"""The tests that `make test` runs: what once came out wrong, or not at all."""

SAMPLE = frozenset(
    {
        "node/test_abs",
        "node/test_conv_with_strides_padding",
        "node/test_convtranspose",
        "node/test_gemm_default_matrix_bias",
        "node/test_matmul_3d",
        "node/test_softmax_axis_1",
    }
)
