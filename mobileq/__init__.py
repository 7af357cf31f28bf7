"""Take a trained vision model from ONNX to a phone: convert, quantize, verify.

The commands are functions of the same names: `mobileq.convert(...)` returns the bundle's manifest.
They are imported on first use, so that `import mobileq` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_FUNCTIONS = {
    "convert": "mobileq.workflows.convert",
    "ConvertOptions": "mobileq.workflows.request",
    "inspect": "mobileq.workflows.inspect",
    "validate": "mobileq.workflows.validate",
    "detect": "mobileq.workflows.detect",
    "sensitivity": "mobileq.workflows.sensitivity",
    "demo": "mobileq.workflows.demo",
    "verify_bundle": "mobileq.bundle",
    "read_bundle": "mobileq.bundle",
}

__all__ = ["__version__", *_FUNCTIONS]


def __getattr__(name: str) -> Any:
    if name not in _FUNCTIONS:
        raise AttributeError(f"module 'mobileq' has no attribute {name!r}")
    return getattr(importlib.import_module(_FUNCTIONS[name]), name)
