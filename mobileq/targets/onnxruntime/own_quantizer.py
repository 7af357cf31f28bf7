"""ONNX Runtime's own `quantize_static`, in a child process and with bounded memory.

Its histogram calibrators (1.26) keep every activation of all pictures that they are given at once.
What they are given in several turns they merge: they are given a few pictures a turn.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from mobileq.errors import ToolError, UsageError
from mobileq.external.child import Child
from mobileq.external.framing import Arrays, Fields
from mobileq.progress import tracked
from mobileq.targets.base import ConversionJob
from mobileq.targets.qdq.options import QdqOptions

if TYPE_CHECKING:
    from numpy.typing import NDArray

OwnMethod = Literal["MinMax", "Entropy", "Percentile"]
_TURN_BYTES = 2**28
"""Of activations that a histogram calibrator is given at once; it makes some copies of them."""


def quantize_statically(
    job: ConversionJob,
    output: Path,
    method: OwnMethod,
    options: QdqOptions,
    *,
    operators: bool = False,
    decoding_too: bool = False,
) -> None:
    """Write `output`: the job's model, quantized by ONNX Runtime.

    Nodes that give a tensor of `job.keep_float` stay float, and so do those behind the last
    weights.

    Args:
        options: Of which it knows all but `kernels`.
        operators: Integer operators (QOperator) instead of pairs.
        decoding_too: What is behind the last weights may be quantized as well.

    Raises:
        UsageError: There are no pictures.
        ToolError: ONNX Runtime failed.
    """
    if job.samples is None or job.sample_count == 0:
        raise UsageError(
            "ONNX Runtime's own quantizer needs pictures to calibrate on.",
            "Add --calib FOLDER with some dozens of typical photos.",
        )
    source = job.scratch / "onnxruntime-named.onnx"
    fields: dict[str, Any] = {
        **asdict(options),
        "source": str(source),
        "output": str(output),
        "method": method,
        "operators": operators,
        "samples": str(_write_samples(job)),
        "excluded": _write_named(job, source, decoding_too),
        "turn": _turn(job),
    }
    with (
        job.progress.stage(f"Quantizing by ONNX Runtime's {method}"),
        Child(
            "mobileq.targets.onnxruntime.own_quantizer:StaticQuantizer",
            stage=f"quantizing {job.spec.name}",
            tool="ONNX Runtime's quantize_static",
            advice="Use another --ort-method; mobileq is the default.",
        ) as child,
    ):
        child.request("quantize", fields)
    if not output.exists():
        raise ToolError(
            "ONNX Runtime's quantize_static wrote nothing.", "See the log for what it said."
        )


def _write_named(job: ConversionJob, path: Path, decoding_too: bool) -> list[str]:
    """Write the model in operators with a scale for each channel, every node with a name.

    Returns:
        Names of the nodes that are to stay float.
    """
    import onnx

    from mobileq.graph.rewrites.opset import raised
    from mobileq.targets.qdq.placement import decoding

    model = raised(onnx.load(job.model), 13)
    nodes = model.graph.node
    taken = {node.name for node in nodes}
    for at, node in enumerate(nodes):
        if not node.name:
            node.name = f"node/{at}"
            while node.name in taken:
                node.name += "_"
    onnx.save(model, path)
    skipped = set() if decoding_too else decoding(model.graph)
    kept = set(job.keep_float)
    return [
        node.name
        for at, node in enumerate(nodes)
        if at in skipped or not kept.isdisjoint(node.output)
    ]


def _write_samples(job: ConversionJob) -> Path:
    """One file for each picture, which are read one at a time."""
    import numpy as np

    assert job.samples is not None
    folder = job.scratch / "onnxruntime-samples"
    if not folder.exists():
        folder.mkdir()
        samples = tracked(job.samples(), job.progress, "Preparing calibration", job.sample_count)
        for at, feeds in enumerate(samples):
            by_name: dict[str, Any] = dict(feeds)
            np.savez(folder / f"{at:06}.npz", **by_name)
    return folder


def _turn(job: ConversionJob) -> int:
    """Pictures that histogram calibrators are given at once: it must divide their number."""
    import onnx

    from mobileq.graph.shapes import value_counts

    values = sum(value_counts(onnx.load(job.model, load_external_data=False)).values())
    most = max(1, _TURN_BYTES // (4 * max(values, 1)))
    return max(
        at for at in range(1, job.sample_count + 1) if job.sample_count % at == 0 and at <= most
    )


class StaticQuantizer:
    """Handler for `mobileq.external.child.Child`."""

    def quantize(self, fields: Fields, arrays: Arrays) -> tuple[Fields, Arrays]:
        """`quantize_static` with what `quantize_statically` found out."""
        from onnxruntime.quantization import (
            CalibrationMethod,
            QuantFormat,
            QuantType,
            quantize_static,
        )

        types = {"int8": QuantType.QInt8, "uint8": QuantType.QUInt8}
        method = fields["method"]
        # The stride is for all calibrators, whatever its name says.
        # MinMax keeps two numbers for each tensor and picture only. (1.26 drops what it
        # has when CalibMaxIntermediateOutputs is reached.)
        bound = {} if method == "MinMax" else {"CalibStridedMinMax": fields["turn"]}
        quantize_static(
            fields["source"],
            fields["output"],
            _Reader(Path(fields["samples"])),
            quant_format=QuantFormat.QOperator if fields["operators"] else QuantFormat.QDQ,
            per_channel=fields["per_channel"],
            reduce_range=fields["reduce_range"],
            activation_type=types[fields["activation_type"]],
            weight_type=types[fields["weight_type"]],
            nodes_to_exclude=fields["excluded"],
            calibrate_method=CalibrationMethod[method],
            extra_options=bound,
        )
        return {}, {}


class _Reader:
    """A `CalibrationDataReader`: those are told by their methods."""

    def __init__(self, folder: Path) -> None:
        self._files = sorted(folder.glob("*.npz"))
        self._left: Iterator[Path] = iter(self._files)

    def __len__(self) -> int:
        return len(self._files)

    def set_range(self, start_index: int, end_index: int) -> None:
        """Begin a turn."""
        self._left = iter(self._files[start_index:end_index])

    def get_next(self) -> dict[str, NDArray[Any]] | None:
        """The next picture's feeds, or None behind the last."""
        import numpy as np

        path = next(self._left, None)
        if path is None:
            return None
        with np.load(path) as stored:
            return dict(stored)
