"""What phones were measured stays in the bundle, and is about its files as they are."""

import hashlib
import json
from pathlib import Path

import msgspec
import pytest

from mobileq.bundle import Bundle, VerifyReport, read_bundle, verify_bundle
from mobileq.device_bench import (
    Bench,
    BenchedDevice,
    BenchRow,
    fastest_rows,
    keep_bench,
    newest_rows,
    of_phone,
)
from mobileq.errors import InputError, UsageError
from mobileq.phone_condition import Condition
from tests.test_bundle import MODEL, write_bundle

DIGEST = hashlib.sha256(MODEL).hexdigest()


def row(delegate: str = "cpu", median_ms: float | None = 10.0, **options: object) -> BenchRow:
    known = {"artifact": "tflite-fp32", "sha256": DIGEST, "threads": 0}
    return BenchRow(delegate=delegate, median_ms=median_ms, **{**known, **options})  # type: ignore[arg-type]


def bench(*rows: BenchRow, model: str = "Pixel 9", second: int = 0) -> Bench:
    return Bench(
        device=BenchedDevice(model=model, serial=f"serial-of-{model}"),
        measured=f"2026-11-29T02:45:{second:02}+00:00",
        frame=(480, 640),
        runs=50,
        warmup=5,
        rows=rows or (row(),),
    )


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return write_bundle(tmp_path / "bundle")


def test_benches_are_kept_and_read_back_the_newest_first(bundle: Bundle):
    first = keep_bench(bundle.path, bench(second=1))
    second = keep_bench(bundle.path, bench(row("gpu"), second=2))
    assert [first.name, second.name] == [
        "Pixel-9-20261129T024501.json",
        "Pixel-9-20261129T024502.json",
    ]
    assert [each.rows[0].delegate for each in bundle.benches] == ["gpu", "cpu"]
    assert verify_bundle(bundle.path) == VerifyReport()


def test_none_takes_the_place_of_another_of_the_same_second(bundle: Bundle):
    paths = {keep_bench(bundle.path, bench(row(median_ms=float(at)))) for at in range(3)}
    assert sorted(path.name for path in paths) == [
        "Pixel-9-20261129T024500-2.json",
        "Pixel-9-20261129T024500-3.json",
        "Pixel-9-20261129T024500.json",
    ]
    assert sorted(each.rows[0].median_ms or 0 for each in bundle.benches) == [0.0, 1.0, 2.0]


@pytest.mark.parametrize(
    ("model", "stem"),
    [
        ("../../etc/passwd", "etc-passwd"),
        ("", "phone"),
        ("\N{SNOWMAN}\n", "phone"),
        ("CON", "CON"),
        ("a" * 500, "a" * 60),
    ],
)
def test_whatever_a_phone_calls_itself_is_a_file_in_the_bundle(
    bundle: Bundle, model: str, stem: str
):
    path = keep_bench(bundle.path, bench(model=model))
    assert path.relative_to(bundle.path).as_posix() == f"device/{stem}-20261129T024500.json"
    assert bundle.benches[0].device.model == model


def test_figures_of_other_bytes_are_not_shown(bundle: Bundle):
    other = row("gpu", sha256="00" * 32)
    keep_bench(bundle.path, bench(row(), other))
    keep_bench(bundle.path, bench(other))
    assert [[each.delegate for each in found.rows] for found in bundle.benches] == [["cpu"]]


def test_a_new_bundle_in_its_place_keeps_those_of_files_that_stay(bundle: Bundle):
    kept = keep_bench(bundle.path, bench())
    keep_bench(bundle.path, bench(row(sha256="00" * 32), second=1))
    content = kept.read_bytes()
    again = write_bundle(bundle.path, force=True)
    assert list((again.path / "device").iterdir()) == [kept]
    assert kept.read_bytes() == content
    assert "device" not in str(again.manifest.files)
    assert again.manifest.content_sha256 == bundle.manifest.content_sha256


def changed(path: Path) -> None:
    said = json.loads(path.read_bytes())
    said["rows"][0]["median_ms"] = 1.0
    path.write_text(json.dumps(said))


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (changed, "is not as it was written"),
        (lambda path: path.write_bytes(b"{"), "cannot be used"),
        (lambda path: path.write_bytes(b"\xff"), "cannot be used"),
        (lambda path: (path.unlink(), path.mkdir()), "cannot be read"),
    ],
)
def test_a_damaged_one_is_named(bundle: Bundle, damage, said: str):
    path = keep_bench(bundle.path, bench())
    damage(path)
    with pytest.raises(InputError, match=said) as caught:
        _ = bundle.benches
    assert path.name in caught.value.message
    if path.is_file():
        assert verify_bundle(bundle.path).unexpected == (f"device/{path.name}",)
    write_bundle(bundle.path, force=True)  # nothing damaged is carried over
    assert read_bundle(bundle.path).benches == []


def test_other_files_and_links_do_not_belong_there(bundle: Bundle, tmp_path: Path):
    path = keep_bench(bundle.path, bench())
    elsewhere = path.rename(tmp_path / "elsewhere.json")
    path.symlink_to(elsewhere)
    (path.parent / "notes.txt").write_text("mine")
    assert verify_bundle(bundle.path).unexpected == (f"device/{path.name}", "device/notes.txt")


def test_a_folder_that_cannot_be_written_is_an_error(bundle: Bundle):
    (bundle.path / "device").write_text("a file")
    with pytest.raises(InputError, match="cannot be written") as caught:
        keep_bench(bundle.path, bench())
    assert "--output" in caught.value.hint


def test_a_phone_is_named_by_its_model_or_a_part():
    benches = [bench(), bench(model="Pixel 9 Pro"), bench(model="Galaxy S24")]
    assert [each.device.model for each in of_phone(benches, "pixel 9")] == ["Pixel 9"]
    assert [each.device.model for each in of_phone(benches, "s24")] == ["Galaxy S24"]
    assert [each.device.model for each in of_phone(benches, "serial-of-Galaxy")] == ["Galaxy S24"]
    with pytest.raises(UsageError, match="is several phones: Pixel 9, Pixel 9 Pro"):
        of_phone(benches, "pixel")
    with pytest.raises(UsageError, match="No phone 'iphone'") as caught:
        of_phone(benches, "iphone")
    assert "Galaxy S24 (serial-of-Galaxy S24)" in caught.value.hint


def test_of_each_file_the_newest_figures_of_its_fastest_place_count():
    states = {
        "before": Condition(thermal_status="none"),
        "after": Condition(thermal_status="severe"),
    }
    hot = row("nnapi", 1.0, **states)
    newer = bench(row("cpu", 12.0, threads=4), row("gpu", None, problem="no GPU"), hot)
    older = bench(row("cpu", 3.0, threads=4), row("cpu", 20.0, threads=1), row("gpu", 2.0))
    rows = newest_rows([newer, older])
    assert [(each.where, each.median_ms) for each in rows] == [
        ("cpu, 4", 12.0),
        ("gpu", None),
        ("nnapi", 1.0),
        ("cpu, 1", 20.0),
    ]
    assert fastest_rows(rows) == {"tflite-fp32": newer.rows[0]}
    assert fastest_rows([hot]) == {"tflite-fp32": hot}


@pytest.mark.parametrize(
    ("field", "value"), [("measured", "yesterday"), ("schema_version", 2), ("runs", "many")]
)
def test_only_what_mobileq_writes_is_read(bundle: Bundle, field: str, value: object):
    path = keep_bench(bundle.path, bench())
    said = msgspec.json.decode(path.read_bytes())
    path.write_bytes(msgspec.json.encode({**said, field: value}))
    with pytest.raises(InputError, match=f"`{field}`"):
        _ = bundle.benches
