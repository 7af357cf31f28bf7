"""All of MNN's own rules, in the order in which they are tried on a node."""

from __future__ import annotations

from mobileq.graph.rewrites import positive_indices
from mobileq.targets.mnn.rewrites import (
    affine_grid,
    both_branches,
    ceil_windows,
    conv1d,
    dilated_conv3d,
    dropout,
    empty_parts,
    everywhere,
    gelu,
    gemm_transpose,
    half_even,
    hardmax,
    inner_product,
    kernel_shape,
    less,
    log_softmax,
    mean,
    mish,
    not_numbers,
    pool3d,
    pool_strides,
    power,
    reductions,
    resize_axes,
    shrink,
    whole_pools,
    wrapping_casts,
)

RULES = (
    *(
        module.RULE
        for module in (
            dropout,
            gelu,
            gemm_transpose,
            half_even,
            less,
            log_softmax,
            mean,
            pool_strides,
            shrink,
            whole_pools,
            pool3d,
            ceil_windows,
            dilated_conv3d,
            kernel_shape,
            conv1d,
            reductions,
            hardmax,
            not_numbers,
            mish,
            power,
            inner_product,
            empty_parts,
            resize_axes,
            affine_grid,
            both_branches,
            wrapping_casts,
        )
    ),
    positive_indices.ALL,
    *everywhere.RULES,
)
