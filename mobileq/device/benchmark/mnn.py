"""MNN's programs: benchmark.out, and MNNV2Basic.out, which times each op as well and is slower for
that. Built for Android, MNN prints to the log."""

from __future__ import annotations

import re

from mobileq.device.benchmark.base import Asked, Benchmark, Measured, NoTimesError, no_times, number
from mobileq.device.runner.client import Accelerator

_FORWARD = {"cpu": (0,), "gpu": (3, 7)}
"""MNNForwardType: OpenCL, and Vulkan where the libraries have no OpenCL."""
_PRECISION = 0
"""BackendConfig::Precision_Normal, which the app's sessions have too."""
_GPU_MODE = 4
"""MNN_GPU_TUNING_WIDE, in place of the number of threads."""
_PRELOAD = "export LD_PRELOAD=$(ls libMNN_CL.so libMNN_Vulkan.so 2>/dev/null | head -n 1); "
_FAILED = re.compile(r"Resize error.*|open .* failed.*")
_NO_GPU = re.compile(r"Can't Find type=\d+ backend")
"""The CPU then runs what the GPU was asked for."""


def _threads(asked: Asked) -> str:
    return asked.shell_threads if asked.delegate == "cpu" else str(_GPU_MODE)


def _forward(asked: Asked) -> str:
    """The shell's word for what it runs on; of a GPU, by the plug-in that lies there."""
    if asked.delegate == "cpu":
        return "0"
    opencl, vulkan = _FORWARD["gpu"]
    return f"$([ -f libMNN_CL.so ] && echo {opencl} || echo {vulkan})"


def _started(asked: Asked, words: str) -> str:
    """With the GPU's plug-in, which registers itself when it is loaded and which nobody loads."""
    preload = "" if asked.delegate == "cpu" else _PRELOAD
    return f"{asked.count_processors}{preload}exec ./program {words}"


def _benchmark_script(asked: Asked) -> str:
    """It takes a folder, and runs all that is in it."""
    words = f"{asked.runs} {asked.warmup} {_forward(asked)} {_threads(asked)} {_PRECISION}"
    copied = f"rm -rf models && mkdir models && cp {asked.word} models/model.mnn"
    return f"{copied} && {_started(asked, f'models/ {words}')}"


def _basic_script(asked: Asked) -> str:
    """Its first run is no part of the loop; there is no other warm-up."""
    words = f"{asked.runs} 0 {_forward(asked)} {_threads(asked)} {_PRECISION}"
    return _started(asked, f"{asked.word} {words}")


def _read(pattern: str, text: str, delegate: Accelerator) -> Measured:
    if _NO_GPU.search(text):
        raise NoTimesError(f"MNN has no library for the {delegate.upper()}")
    if failed := _FAILED.search(text):
        raise NoTimesError(f"MNN does not run it: {failed[0][:200]}")
    mean = number(pattern, text)
    if not mean:  # 0 where nothing ran
        raise no_times(text)
    return Measured(mean_ms=mean)


def _read_benchmark(text: str, delegate: Accelerator) -> Measured:
    return _read(r"\[ - \] .*avg = *# ?ms", text, delegate)


def _read_basic(text: str, delegate: Accelerator) -> Measured:
    return _read(r"Avg= #\s*ms, OpSum", text, delegate)


MNN_BENCHMARK = Benchmark(
    title="MNN's benchmark.out",
    target="mnn",
    mark=b"MNN benchmark",
    script=_benchmark_script,
    read=_read_benchmark,
)
MNN_BASIC = Benchmark(
    title="MNN's MNNV2Basic.out",
    target="mnn",
    mark=b"ms, OpSum = ",
    script=_basic_script,
    read=_read_basic,
)
