"""All rules, in the order in which they are tried on a node."""

from __future__ import annotations

from mobileq.graph.rewrites import (
    absolute_norm,
    bitwise_not,
    boolean_reduction,
    constant_branch,
    einsum_sums,
    elu_alpha,
    explicit_pads,
    fixed_loop,
    fractional_mod,
    gelu_tanh,
    grouped_conv1d,
    last_index,
    narrow_integers,
    one_hot,
    one_input,
    pad_axes,
    pool_taps,
    prelu,
    resize_matrices,
    slice_backwards,
    split_sizes,
    whole_power,
)

RULES = tuple(
    module.RULE
    for module in (
        constant_branch,
        fixed_loop,
        one_input,
        bitwise_not,
        narrow_integers,
        whole_power,
        fractional_mod,
        boolean_reduction,
        last_index,
        einsum_sums,
        elu_alpha,
        gelu_tanh,
        prelu,
        absolute_norm,
        one_hot,
        pad_axes,
        split_sizes,
        slice_backwards,
        explicit_pads,
        pool_taps,
        grouped_conv1d,
        resize_matrices,
    )
)
