"""onnxslim, as this project calls it."""

from __future__ import annotations

import functools
import importlib
import io
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

from mobileq.errors import InputError
from mobileq.graph.outline import DYNAMIC, dims
from mobileq.graph.shapes import infer_shapes

if TYPE_CHECKING:
    from onnx import ModelProto

_SYMBOLIC: Final = "onnxslim.third_party.symbolic_shape_infer"


class SlimError(Exception):
    """onnxslim raised; it declares no exception types of its own."""


def slim(model: ModelProto) -> ModelProto:
    """A copy with constants folded and known patterns fused; nobody has looked whether it computes
    the same.

    Raises:
        SlimError: onnxslim failed.
    """
    import onnx

    # onnxslim 0.1.98 removes inputs from the model it is given.
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    with _silence():
        onnxslim = _imported()
        try:
            slimmed: ModelProto | None = onnxslim.slim(copy)
        except Exception as error:
            raise SlimError(f"{type(error).__name__}: {str(error)[:200]}") from error
    if slimmed is None:
        raise SlimError("it returned nothing")
    # It writes its own name over the exporter's, which reports are to show.
    slimmed.producer_name, slimmed.producer_version = model.producer_name, model.producer_version
    del slimmed.metadata_props[:]
    slimmed.metadata_props.extend(model.metadata_props)
    return slimmed


def import_tool() -> None:
    """Before it is needed."""
    with _silence():
        _imported()


@contextmanager
def _silence() -> Iterator[None]:
    """onnxslim 0.1.98 prints, and adds a handler of its own that writes to stderr."""
    import warnings

    logger = logging.getLogger("onnxslim")
    level, handlers = logger.level, list(logger.handlers)
    quiet = io.StringIO()
    # A handler that is there already stops onnxslim from adding one that outlives this block.
    logger.addHandler(logging.NullHandler())
    try:
        with redirect_stdout(quiet), redirect_stderr(quiet), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.handlers[:] = handlers
        logger.setLevel(level)


class _ShapeInference:
    """What onnxslim asks for shapes. Its own inference (0.1.98) reckons with symbols: it imports
    sympy, which takes half a second, and walks through the graph in Python. Where all shapes are
    numbers, as in most models with fixed inputs, ONNX's own finds the same.
    """

    @staticmethod
    def infer_shapes(model: ModelProto, **options: Any) -> ModelProto:
        """A model with the shapes of its tensors."""
        with suppress(InputError):
            inferred = infer_shapes(model)
            if _has_fixed_shapes(inferred):
                return inferred
        found: ModelProto
        symbolic = importlib.import_module(_SYMBOLIC)
        found = symbolic.SymbolicShapeInference.infer_shapes(model, **options)
        return found


def _has_fixed_shapes(model: ModelProto) -> bool:
    """Whether the shapes of all that nodes give are numbers, and no node has a graph of its own."""
    graph = model.graph
    if any(each.HasField("g") or each.graphs for node in graph.node for each in node.attribute):
        return False
    known = {value.name: dims(value) for value in (*graph.value_info, *graph.output)}
    shapes = (known.get(name) for node in graph.node for name in node.output if name)
    return all(shape is not None and DYNAMIC not in shape for shape in shapes)


def _imported() -> Any:
    """onnxslim without sympy, which it (0.1.98) would import for a model of any kind."""
    if "onnxslim" not in sys.modules:
        stand_in = ModuleType(_SYMBOLIC)
        stand_in.SymbolicShapeInference = _ShapeInference  # type: ignore[attr-defined]
        sys.modules[_SYMBOLIC] = stand_in
        try:
            importlib.import_module("onnxslim")
        finally:
            del sys.modules[_SYMBOLIC]  # who asks for it now gets onnxslim's
    _leave_shared_pads()  # whoever imported it: onnx2tf does as well
    return sys.modules["onnxslim"]


@functools.cache
def _leave_shared_pads() -> None:
    """onnxslim (0.1.98) takes a Pad into a convolution also where others read it, and the Pad
    stays. D-FINE's stem has such a Pad, behind which onnx2tf then turned the axes twice.
    `share_pads` can't undo it: the convolution has another name then, and what a Pad gave is part
    of larger paddings, which TFLite may have an op without a PAD for.
    """
    matcher = importlib.import_module("onnxslim.core.pattern.fusion.padconv").PadConvMatcher
    fits = matcher.parameter_check

    def parameter_check(self: Any) -> bool:
        return len(self.pad_0.users) == 1 and fits(self)

    matcher.parameter_check = parameter_check
