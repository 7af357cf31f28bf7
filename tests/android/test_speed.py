"""The Java core against the usual sample app: a short run of `benchmarks/postprocess_speed.py`."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.postprocess_speed import QUICK, measure

CANDIDATES = 400
"""Of the scene, at least; the smallest object of a JVM has 16 bytes."""


@pytest.mark.slow
def test_raw_int8_outputs_take_far_less_than_the_sample_apps_time_and_no_memory(tmp_path: Path):
    found = measure(tmp_path, QUICK, only="sampleFloat|coreRawInt8")
    core, sample = found["coreRawInt8"], found["sampleFloat"]
    # 8 to 20 times, as machines and their other work have it: the benchmark tells, this guards.
    assert sample.microseconds > 4 * core.microseconds
    # Exactly nothing in GoldenTest; here JMH's own objects are spread over few pictures.
    assert sample.allocated_bytes > 16 * CANDIDATES
    assert core.allocated_bytes < CANDIDATES
