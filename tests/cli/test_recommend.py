"""`mobileq recommend --device`, by what was measured on phones."""

from __future__ import annotations

from pathlib import Path

from mobileq.bundle import read_bundle
from mobileq.device_bench import Bench, BenchedDevice, BenchRow, keep_bench

from .commands import Cli


def benched(bundle: Path, times: dict[tuple[str, str], float | None]) -> Bench:
    """A phone on which the files were that fast; None: do not run."""
    digests = {each.name: each.sha256 for each in read_bundle(bundle).manifest.artifacts}
    rows = [
        BenchRow(
            artifact=artifact,
            sha256=digests[artifact],
            delegate=delegate,
            threads=0 if delegate == "gpu" else 4,
            median_ms=median_ms,
            problem="" if median_ms else f"{artifact} does not run there: no such op.",
        )
        for (artifact, delegate), median_ms in times.items()
    ]
    found = Bench(
        device=BenchedDevice(model="Example Loop 9", serial="1234"),
        measured="2026-11-29T02:45:00+00:00",
        frame=(480, 640),
        runs=50,
        warmup=5,
        rows=tuple(rows),
    )
    keep_bench(bundle, found)
    return found


def test_a_phones_own_times_decide_and_its_delegate_is_named(cli: Cli, bundle: Path) -> None:
    benched(
        bundle,
        {
            ("tflite-fp32", "cpu"): 9.0,
            ("tflite-fp32", "gpu"): 4.0,
            ("tflite-fp16", "cpu"): 10.0,
            ("tflite-fp16", "gpu"): None,
            ("tflite-dynamic", "cpu"): None,
        },
    )
    result = cli("recommend", bundle, "--device", "loop")
    assert (result.code, result.err) == (0, "")
    assert "Ship demo-fp32.tflite: it is the fastest (4.0 ms on the GPU of Exam" in result.out
    assert "times of Example Loop 9 (1234), 2026-11-29 02:45 UTC" in result.out
    assert "tflite-dynamic does not run there: no such op." in result.out
    assert "the CPU (4 threads) of Example Loop 9" in result.out
    found = cli("recommend", bundle, "--device", "1234", "--max-ms", "5", "--json").document
    assert (found["file"], found["others"]) == ("demo-fp32.tflite", [])
    assert found["phones"] == ["Example Loop 9"]
    assert cli("recommend", bundle, "--device", "loop", "--max-ms", "1").code == 3


def test_without_the_option_it_is_said_that_there_are_times_of_phones(
    cli: Cli, bundle: Path
) -> None:
    assert "see --device" not in cli("recommend", bundle).out
    benched(bundle, {("tflite-fp32", "cpu"): 9.0})
    result = cli("recommend", bundle)
    assert "Measured on Example Loop 9, too: see --device." in result.out
    assert "9.0 ms" not in result.out


def test_a_phone_that_was_not_measured_is_an_error(cli: Cli, bundle: Path) -> None:
    assert cli.fails(2, "recommend", bundle, "--device", "loop").endswith("mobileq bench BUNDLE.")
    benched(bundle, {("tflite-fp32", "cpu"): None})
    assert "Choose of: Example Loop 9 (1234)" in cli.fails(
        2, "recommend", bundle, "--device", "pixel"
    )
    told = cli.fails(2, "recommend", bundle, "--device", "loop")
    assert "None of the bundle's files is timed on Example Loop 9" in told


def test_inspect_shows_the_newest_of_each_phone_and_validate_keeps_them(
    cli: Cli, bundle: Path, demo: Path
) -> None:
    benched(bundle, {("tflite-fp32", "cpu"): 9.0})
    benched(bundle, {("tflite-fp32", "gpu"): 4.0})
    images = demo / "validation" / "images"
    assert cli("validate", bundle, "--images", images, "--count", 1, "--runs", 1).code == 0
    result = cli("inspect", bundle)
    assert result.out.count("Example Loop 9 (1234), 2026-11-29 02:45 UTC: 50 runs of a frame") == 1
    assert len(cli("inspect", bundle, "--json").document["benches"]) == 2
    assert cli("verify", bundle).code == 0
