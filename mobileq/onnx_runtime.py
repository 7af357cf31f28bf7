"""How every session of ONNX Runtime is opened."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from onnx import ModelProto

_ERRORS_ONLY: Final = 3
_WRONG_OPTIMIZERS: Final = ["Pad_Fusion"]
"""It makes zeros around a max pooling the pooling's own padding, which is no value at all (1.26,
1.31). Behind a SiLU, where all values may be negative, YOLOv3-tiny's boxes were 49 pixels off."""


def session_options(threads: int = 0, *, keep_pairs: bool = False) -> Any:
    """`SessionOptions` that log errors only, for callers to add to.

    Args:
        threads: For one op; 0 for all.
        keep_pairs: Of QuantizeLinear and DequantizeLinear no integer ops are made, whose roundings
            are others.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = _ERRORS_ONLY
    options.intra_op_num_threads = threads
    if keep_pairs:
        options.add_session_config_entry("session.disable_quant_qdq", "1")
    return options


def open_session(model: ModelProto | bytes | Path, options: Any) -> Any:
    """An `InferenceSession` on the CPU; its errors are ONNX Runtime's own."""
    import onnxruntime

    if isinstance(model, Path):
        source: str | bytes = str(model)
    else:
        source = model if isinstance(model, bytes) else model.SerializeToString()
    return onnxruntime.InferenceSession(
        source,
        options,
        providers=["CPUExecutionProvider"],
        disabled_optimizers=_WRONG_OPTIMIZERS,
    )
