"""What runs in the child process: the converters and quantizers of TFLite files.

Each method takes JSON fields and gives JSON fields, paths being strings.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import msgspec

from mobileq.errors import ToolError
from mobileq.external.framing import Arrays, Fields
from mobileq.graph.open_lengths import refuse_open_lengths
from mobileq.parallel import import_ahead
from mobileq.spec import TensorSpec
from mobileq.targets.tflite.correspondence import REPORT_SUFFIX
from mobileq.targets.tflite.frugal import only_float32
from mobileq.targets.tflite.layout import file_order
from mobileq.targets.tflite.refusals import reasons_told, refuse_known


class TfliteWorker:
    """Handler for `mobileq.external.child.Child`."""

    def __init__(self) -> None:
        import_ahead("onnx2tf.onnx2tf")  # .4 s, while the parent looks at the model

    def expect_quantizing(self, fields: Fields, arrays: Arrays) -> tuple[Fields, Arrays]:
        """Says that `quantize` comes next."""
        import_ahead("ai_edge_quantizer.quantizer")  # .2 s, while ranges are chosen
        return {}, {}

    def convert_direct(self, fields: Fields, arrays: Arrays) -> tuple[Fields, Arrays]:
        """ONNX -> float32 .tflite with onnx2tf's flatbuffer_direct backend."""
        _refuse(fields["model"])
        inputs = msgspec.convert(fields["inputs"], tuple[TensorSpec, ...])
        with tempfile.TemporaryDirectory(dir=Path(fields["output"]).parent) as folder:
            with reasons_told(fields["model"]), only_float32():
                _onnx2tf(fields["model"], folder, inputs, tflite_backend="flatbuffer_direct")
            written = sorted(Path(folder).glob("*_float32.tflite"))
            if not written:
                raise ToolError("onnx2tf wrote no float32 file.", "Try --engine tensorflow.")
            shutil.move(written[0], fields["output"])
            report = written[0].with_name(
                written[0].name.replace("_float32.tflite", "_tensor_correspondence_report.json")
            )
            shutil.move(report, Path(fields["output"]).with_suffix(REPORT_SUFFIX))
        return {}, {}

    def convert_saved_model(self, fields: Fields, arrays: Arrays) -> tuple[Fields, Arrays]:
        """ONNX -> SavedModel with onnx2tf's tf_converter backend."""
        inputs = msgspec.convert(fields["inputs"], tuple[TensorSpec, ...])
        _onnx2tf(fields["model"], fields["output"], inputs, tflite_backend="tf_converter")
        if not (Path(fields["output"]) / "saved_model.pb").exists():
            raise ToolError("onnx2tf wrote no SavedModel.", "Use --engine direct.")
        return {}, {}

    def saved_model_to_tflite(self, fields: Fields, arrays: Arrays) -> tuple[Fields, Arrays]:
        """SavedModel -> .tflite with tf.lite.TFLiteConverter."""
        from mobileq.targets.tflite.saved_model import convert_saved_model

        convert_saved_model(**fields)
        return {}, {}

    def quantize(self, fields: Fields, arrays: Arrays) -> tuple[Fields, Arrays]:
        """float32 .tflite -> fp16, dynamic, int8 or int16x8 with ai-edge-quantizer."""
        from mobileq.targets.tflite.quantizer import quantize_file

        return {"notes": quantize_file(**fields)}, {}


def _refuse(path: str) -> None:
    """Its own function: the model, once looked through, leaves its memory to the conversion."""
    import onnx

    model = onnx.load(path, load_external_data=False)
    refuse_open_lengths(model)
    refuse_known(model)


def _onnx2tf(model: str, output: str, inputs: tuple[TensorSpec, ...], tflite_backend: str) -> None:
    import onnx2tf

    # TFLite's recurrent ops keep their state from one run to the next (LiteRT 2.1.2).
    options: dict[str, Any] = {"enable_rnn_unroll": True}
    # It takes every 4-D input for NCHW and would turn an SSD's [1, 300, 300, 3] into
    # [1, 300, 3, 300] (2.6.9).
    kept = [spec.name for spec in inputs if file_order(spec) == tuple(range(len(spec.shape)))]
    if kept:
        options["keep_shape_absolutely_input_names"] = kept
    with tempfile.TemporaryDirectory(dir=Path(model).parent) as folder:
        onnx2tf.convert(
            # A copy: it rewrites its input file in place (2.6.9). It names the graph after it, so
            # that the same model from another path would give another file.
            input_onnx_file_path=str(shutil.copy(model, Path(folder) / "model.onnx")),
            output_folder_path=output,
            tflite_backend=tflite_backend,
            not_use_onnxsim=True,  # the model comes simplified
            non_verbose=True,
            **options,
        )
