"""All passes, by what a file has gone through, in the order in which they run."""

from __future__ import annotations

from mobileq.spec import Precision
from mobileq.targets.tflite.rewrites.channels_last import put_channels_last
from mobileq.targets.tflite.rewrites.clips import clip_in_kernels
from mobileq.targets.tflite.rewrites.constant_factors import rescale_constant_factors
from mobileq.targets.tflite.rewrites.constants import tell_constants
from mobileq.targets.tflite.rewrites.float16 import halve_constants
from mobileq.targets.tflite.rewrites.focus import join_slices
from mobileq.targets.tflite.rewrites.gelus import join_gelus
from mobileq.targets.tflite.rewrites.hard_swish import split_hard_swishes
from mobileq.targets.tflite.rewrites.integer_kernels import narrow_choices, narrow_ops
from mobileq.targets.tflite.rewrites.limits import widen_limits
from mobileq.targets.tflite.rewrites.linear_layers import connect_fully
from mobileq.targets.tflite.rewrites.padding import spell_out_same
from mobileq.targets.tflite.rewrites.passes import Pass
from mobileq.targets.tflite.rewrites.pool_edges import repeat_edges
from mobileq.targets.tflite.rewrites.roots import take_refined_roots, take_roots
from mobileq.targets.tflite.rewrites.second_factors import centre_factors
from mobileq.targets.tflite.rewrites.shuffles import transpose_shuffles
from mobileq.targets.tflite.rewrites.stems import convolve_blocks
from mobileq.targets.tflite.rewrites.unique_names import make_names_unique
from mobileq.targets.tflite.rewrites.wide_casts import cast_to_wide

_QUANTIZED: tuple[Precision, ...] = ("dynamic", "int8", "int8-full", "int16x8")

CONVERTED = (
    Pass(connect_fully),
    Pass(spell_out_same),
    Pass(put_channels_last),
    Pass(clip_in_kernels),
    Pass(transpose_shuffles),
    Pass(make_names_unique),
)
"""The float file as onnx2tf wrote it: files of all precisions are made of what comes out."""

BEFORE_RANGES = (
    Pass(take_roots, ("int8",)),  # whose normalizations stay in float
    Pass(take_refined_roots, ("int8-full", "int16x8")),
    Pass(join_gelus, ("int8", "int8-full")),  # TFLite has no kernel for 16 bits
    Pass(widen_limits),
)
"""A float file that integers are to be made of, before its tensors are given ranges."""

QUANTIZED = (
    Pass(narrow_ops, _QUANTIZED),
    Pass(narrow_choices, ("int8-full",)),
    Pass(cast_to_wide, ("int8-full",)),
    Pass(rescale_constant_factors, _QUANTIZED, needs_floats=True),
    Pass(centre_factors, _QUANTIZED),
    Pass(split_hard_swishes, _QUANTIZED),
    Pass(join_slices, _QUANTIZED),
    Pass(convolve_blocks, _QUANTIZED),
    Pass(repeat_edges, _QUANTIZED),
    Pass(halve_constants, ("fp16", "int8")),
)
"""A file as ai-edge-quantizer wrote it; for fp16, which it is not asked for, the float file."""

FROM_TENSORFLOW = (Pass(centre_factors, ("int8",)), Pass(spell_out_same))
"""A file of any precision as TensorFlow's converter wrote it."""

WRITTEN = (Pass(tell_constants),)
"""Every file, whoever wrote it, as the last."""
