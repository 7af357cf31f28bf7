"""The tests that `make test` runs: what once came out wrong, or not at all."""

SAMPLE = frozenset(
    {
        "node/test_add_uint8",
        "node/test_argmax_no_keepdims_example_select_last_index",
        "node/test_attention_4d_causal",
        "node/test_averagepool_2d_dilations",
        "node/test_clip",
        "node/test_constant_pad_axes",
        "node/test_conv_with_autopad_same",
        "node/test_conv_with_strides_padding",
        "node/test_elu",
        "node/test_gelu_tanh_2",
        "node/test_lppool_2d_pads",
        "node/test_mod_mixed_sign_float32",
        "node/test_onehot_with_axis",
        "node/test_pow_types_int64_int64",
        "node/test_prelu_broadcast",
        "node/test_resize_downsample_scales_cubic",
        "node/test_rms_normalization_2d_axis1",
        "node/test_simple_rnn_defaults",
        "node/test_slice_neg_steps",
        "node/test_split_1d_uneven_split_opset18",
        "node/test_swish",
        "pytorch-converted/test_Conv1d_groups",
        "pytorch-converted/test_ELU",
    }
)
