"""Old operator versions become newer ones, which the rules and the tools know.

`onnx.version_converter` adds the attributes that later versions made explicit. onnxslim 0.1.98
fails below opset 7; Min and Max broadcast from opset 8, Where exists from 9, and slices and
paddings take inputs from 10 and 11.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from mobileq.graph.outline import opset

if TYPE_CHECKING:
    from onnx import ModelProto

OLDEST = 11
_RAISED = 13
_log = logging.getLogger(__name__)


def raised(model: ModelProto, oldest: int = OLDEST) -> ModelProto:
    """The model in opset 13 where it is older than the oldest that will do, else itself.

    Also itself where the converter knows no way: models of the first opsets have operators that
    are gone.
    """
    if not 0 < opset(model) < oldest:
        return model
    from onnx import version_converter

    try:
        return version_converter.convert_version(model, _RAISED)
    except (RuntimeError, IndexError) as error:  # the latter at operators of no standard
        _log.info("opset %d stays: %s", opset(model), error)
        return model
