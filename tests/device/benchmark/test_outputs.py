"""What is read of benchmark programs' output: recorded ones (outputs/README.md), and bad ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from mobileq.device.benchmark.base import Benchmark, Measured, NoTimesError
from mobileq.device.benchmark.mnn import MNN_BASIC, MNN_BENCHMARK
from mobileq.device.benchmark.tflite import TFLITE

MIB = 2**20
OUTPUTS = Path(__file__).parent / "outputs"
READ: dict[str, tuple[Benchmark, str, Measured]] = {
    "tflite-1.14-cpu": (TFLITE, "cpu", Measured(mean_ms=747.733, load_ms=21.039)),
    "tflite-2.2-gpu": (
        *(TFLITE, "gpu"),
        Measured(mean_ms=8.68033, first_ms=11.147, load_ms=1451.507, peak_bytes=int(63.4883 * MIB)),
    ),
    "tflite-2.8-profiled": (
        *(TFLITE, "cpu"),
        Measured(mean_ms=2950.34, first_ms=3512.391, load_ms=17.187, peak_bytes=int(46.0859 * MIB)),
    ),
    "tflite-percentiles-cpu": (
        *(TFLITE, "cpu"),
        Measured(
            **{"mean_ms": 42.3948, "median_ms": 42.419, "p95_ms": 42.671, "first_ms": 90.71},
            load_ms=207.799,
            peak_bytes=int(26.6797 * MIB),
            delegations=("TfLiteXNNPackDelegate: 2136 of 2168 nodes in 65 partitions",),
        ),
    ),
    "tflite-percentiles-gpu-and-nnapi": (
        *(TFLITE, "gpu"),
        Measured(
            **{"mean_ms": 309.35, "median_ms": 307.968, "p95_ms": 315.711, "first_ms": 328.14},
            load_ms=5664.363,
            peak_bytes=int(375.48 * MIB),
            delegations=("TfLiteGpuDelegateV2: 49 of 49 nodes in 1 partitions",),
        ),
    ),
    "mnn-benchmark-2019-vulkan": (MNN_BENCHMARK, "gpu", Measured(mean_ms=428.666)),
    "mnn-benchmark-2-cpu": (MNN_BENCHMARK, "cpu", Measured(mean_ms=43.598)),
    "mnn-benchmark-3-cpu": (MNN_BENCHMARK, "cpu", Measured(mean_ms=7.239)),
    "mnn-basic-2-cpu": (MNN_BASIC, "cpu", Measured(mean_ms=5.5706)),
    "mnn-basic-3-cuda": (MNN_BASIC, "cpu", Measured(mean_ms=1.19249)),
}


def output(name: str) -> str:
    return (OUTPUTS / f"{name}.txt").read_text()


@pytest.mark.parametrize("name", READ)
def test_recorded_times_are_read(name: str):
    program, delegate, wanted = READ[name]
    assert program.read(output(name), delegate) == wanted


@pytest.mark.parametrize("name", READ)
def test_an_output_that_breaks_off_before_its_times_has_none(name: str):
    program, delegate, _ = READ[name]
    text = output(name)
    mark = {"tflite": "nference timings", "mnn": " avg" if "benchmark" in name else "Avg="}
    cut = text.rindex(mark[program.target])
    for end in range(0, cut, 37):
        with pytest.raises(NoTimesError):
            program.read(text[:end], delegate)


@pytest.mark.parametrize(
    ("name", "delegate", "said"),
    [
        ("tflite-percentiles-gpu-and-nnapi", "nnapi", "the NNAPI took nothing of the model"),
        ("tflite-percentiles-cpu", "gpu", "the GPU took nothing of the model; the CPU ran it"),
        ("tflite-2.4-nnapi-failed", "nnapi", "it gave no times, and said: ERROR: NN API returned"),
        ("tflite-percentiles-failed", "cpu", "said: ERROR: tensorflow/lite/kernels/batch_matmul"),
    ],
)
def test_what_did_not_run_as_it_was_asked_has_no_times(name: str, delegate: str, said: str):
    with pytest.raises(NoTimesError, match=said):
        TFLITE.read(output(name), delegate)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("program", "text", "said"),
    [
        (TFLITE, "", "it gave no times, and said: nothing"),
        (TFLITE, "count=3 avg=nan\nInference timings in us: Init: 1", "Inference timings"),
        (TFLITE, "count=3 avg=-5 std=1\nInference timings in us: ", "Inference timings"),
        (TFLITE, "count=3 avg=1e999\nInference timings in us: ", "Inference timings"),
        (TFLITE, f"count=3 avg={'9' * 5000}\nInference timings in us: ", "Inference timings"),
        (TFLITE, "\x1b[2J\0\udcff", r"said: \?\[2J\?\?"),
        (TFLITE, 'CANNOT LINK EXECUTABLE "./program": library "libx.so" not found\n..', "libx.so"),
        (TFLITE, "x" * 10_000_000, "said: x{200}$"),
        (MNN_BENCHMARK, "[ - ] model.mnn max = 0 ms min = 0 ms avg = 0.000 ms", "gave no times"),
        (MNN_BENCHMARK, "open models/ failed: Permission denied", "does not run it: open models/"),
        (MNN_BASIC, "Resize error, can't execute MNN\n", "does not run it: Resize error"),
        (
            *(MNN_BENCHMARK, "Can't Find type=3 backend, use 0 instead\n[ - ] a avg = 4.2 ms"),
            "MNN has no library for the CPU",
        ),
    ],
)
def test_a_bad_output_is_a_sentence(program: Benchmark, text: str, said: str):
    with pytest.raises(NoTimesError, match=said):
        program.read(text, "cpu")
