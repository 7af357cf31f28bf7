"""What runs in the child process: passes that run the model, or code that may crash on it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from mobileq.external.framing import Arrays, Fields
from mobileq.graph.given_quantization import GivenQuantization
from mobileq.spec import ModelSpec, TensorRanges

if TYPE_CHECKING:
    from onnx import ModelProto


class OrtWorker:
    """Handler for `mobileq.external.child.Child`."""

    def halve(self, fields: Fields, arrays: Arrays) -> tuple[Fields, Arrays]:
        """float32 .onnx -> weights and computation in half precision."""
        from mobileq.targets.onnxruntime.float16 import halved
        from mobileq.targets.onnxruntime.magnitudes import largest_values

        model = _loaded(fields)
        spec = msgspec.convert(fields["spec"], ModelSpec)
        _write(halved(model, largest_values(model, spec)), fields)
        return {}, {}

    def quantize_dynamic(self, fields: Fields, arrays: Arrays) -> tuple[Fields, Arrays]:
        """float32 .onnx -> weights in 8 bits, activations as each inference finds them."""
        from mobileq.targets.onnxruntime.dynamic import with_dynamic_ranges

        _write(with_dynamic_ranges(_loaded(fields)), fields)
        return {}, {}

    def quantize(self, fields: Fields, arrays: Arrays) -> tuple[Fields, Arrays]:
        """float32 .onnx -> pairs of QuantizeLinear and DequantizeLinear, or operators on integers.

        Gives the reason why it is not all integer, where that is asked for.
        """
        from mobileq.targets.onnxruntime.float_weights import store_small
        from mobileq.targets.onnxruntime.kept_floats import keep_floats
        from mobileq.targets.onnxruntime.kernels import float_reason, in_operator_format
        from mobileq.targets.qdq.options import QdqOptions
        from mobileq.targets.qdq.writing import quantized_model

        given = fields["given"]
        model = quantized_model(
            _loaded(fields),
            msgspec.convert(fields["ranges"], TensorRanges),
            fields["keep_float"],
            msgspec.convert(fields["options"], QdqOptions),
            None if given is None else msgspec.convert(given, GivenQuantization),
            whole=fields["whole"],
        )
        keep_floats(model)
        reason = None
        if fields["whole"] or fields["operators"]:
            operators = in_operator_format(model, Path(fields["output"]).parent)
            reason = float_reason(operators) if fields["whole"] else None
            model = operators if fields["operators"] else model
        store_small(model)
        _write(model, fields)
        return {"float_reason": reason}, {}

    def reduce(self, fields: Fields, arrays: Arrays) -> tuple[Fields, Arrays]:
        """.onnx -> .ort, and the list of its operators."""
        from mobileq.targets.onnxruntime.kernels import write_reduced

        write_reduced(Path(fields["source"]), Path(fields["output"]), Path(fields["config"]))
        return {}, {}

    def outline(self, fields: Fields, arrays: Arrays) -> tuple[Fields, Arrays]:
        """What an .ort file takes, gives, is made of and says of itself."""
        from mobileq.targets.onnxruntime.reduced import outline

        return outline(Path(fields["path"])), {}


def _loaded(fields: Fields) -> ModelProto:
    import onnx

    return onnx.load(fields["source"])


def _write(model: ModelProto, fields: Fields) -> None:
    Path(fields["output"]).write_bytes(model.SerializeToString(deterministic=True))
