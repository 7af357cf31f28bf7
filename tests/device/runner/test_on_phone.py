"""A bundle validated on a device of our own: adb, runner and TFLite are real, Android is not."""

from __future__ import annotations

import json
import shlex
import shutil
import sys
from contextlib import closing, nullcontext
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from mobileq.android.native_libraries import elf_problem
from mobileq.bundle import read_bundle
from mobileq.device.adb import find_adb
from mobileq.device.listing import chosen
from mobileq.device.phone import Phone
from mobileq.device.runner.kit import Kit
from mobileq.device.runner.phone import FOLDER, place_on
from mobileq.device.runner.remote import RemoteRunner
from mobileq.device_bench import Bench, BenchedDevice
from mobileq.errors import DeviceError, UsageError
from mobileq.evaluate.report import Lost, Validation, read_report
from mobileq.page import TextPage
from mobileq.progress import Silent
from mobileq.workflows.bench import bench
from mobileq.workflows.push import push
from mobileq.workflows.recommend import recommend
from mobileq.workflows.validate import validate
from tests.android import jvm
from tests.device import elf
from tests.device.fixtures import Phones
from tests.device.loopback import LoopbackDevice
from tests.device.runner.conftest import DEMO

pytestmark = pytest.mark.usefixtures("children")

WITH_RUNNER = """
case "$1" in -Djava.library.path=*) ;; *) echo "no library path" >&2; exit 1 ;; esac
[ "$2 $3" = "/ mobileq.runner.Main" ] || exit 1
[ -s "$CLASSPATH" ] && [ -s "${{1#*=}}/libtensorflowlite_jni.so" ] || exit 1
shift 3
unset CLASSPATH
exec {command} "$@"
"""
"""What Android's does, with a Java that runs classes where Android has a dex."""
WITH_MNN = """
[ "$LD_LIBRARY_PATH" = "${{1#*=}}" ] && [ -s "$LD_LIBRARY_PATH/libMNN_CL.so" ] || exit 1
unset LD_LIBRARY_PATH
"""
PARTLY = (
    "11-28 21:04:11.512  9876  9876 I tflite  : Replacing 223 out of 270 node(s) with delegate "
    "(TfLiteXNNPackDelegate) node, yielding 9 partitions for the whole graph.\n"
)


@pytest.fixture
def phone(phones: Phones, command: tuple[str, ...]) -> LoopbackDevice:
    """One that can run the runner."""
    made = phones()
    words = map(shlex.quote, (command[0], "-Dorg.bytedeco.javacpp.cachedir=/tmp", *command[1:]))
    made.sandbox.install("app_process", WITH_RUNNER.format(command=" ".join(words)))
    return made


def validated(bundle: Path, kit: Kit, **options: object) -> Validation:
    given = {"device": True, "runner": kit.folder, "count": 6, "runs": 1, "progress": Silent()}
    pictures, labels = DEMO / "validation" / "images", DEMO / "data.yaml"
    return validate(bundle, pictures, labels, **{**given, **options})  # type: ignore[arg-type]


def test_a_phone_finds_what_this_computer_finds(
    phone: LoopbackDevice, bundle: Path, kit: Kit, tmp_path: Path
):
    copy = Path(shutil.copytree(bundle, tmp_path / "demo"))
    phone.sandbox.write("etc/logcat.txt", PARTLY)
    found = validated(copy, kit, delegates=("cpu", "gpu"), threads=1)
    there = found.phone
    assert there is not None
    assert there.device == f"Example Loop 9 ({phone.serial})"
    assert [(each.scores.name, each.delegate) for each in there.files] == [
        ("tflite-fp32", "cpu"),
        ("tflite-int8", "cpu"),
    ]
    here = {each.name: each for each in found.scores}
    for each, least in zip(there.files, (0.9999, 0.9), strict=True):
        assert each.same is not None
        assert each.same["map50_95"] >= least
        assert each.scores.latency_ms > 0
        assert each.scores.accuracy is not None
        wanted = here[each.scores.name].accuracy
        assert wanted is not None
        assert each.scores.accuracy["map50_95"] == pytest.approx(wanted["map50_95"], abs=0.03)
        assert each.delegations == ("TfLiteXNNPackDelegate: 223 of 270 nodes in 9 partitions",)
    assert there.files[0].scores.accuracy == here["tflite-fp32"].accuracy
    assert (there.files[0].lost, there.files[0].pictures) == (Lost(value=0.0, error=0.0), ())
    amounts = [each.amount for each in there.files[1].pictures]
    assert amounts == sorted(amounts, reverse=True)
    names = {path.name for path in (DEMO / "validation" / "images").iterdir()}
    assert {each.picture for each in there.files[1].pictures} <= names
    assert [(each.file_name, each.reason) for each in there.failures] == [
        (
            f"tflite-{precision} on gpu",
            f"tflite-{precision} does not run on Example Loop 9 ({phone.serial}) (GPU): no GPU on "
            "a desktop.",
        )
        for precision in ("fp32", "int8")
    ]
    assert found.failures == ()
    assert read_report(copy).validation == found


@pytest.fixture
def mnn_libraries(tmp_path: Path) -> Path:
    """What looks like MNN's for the phone; its functions are in tests/android/desktop."""
    folder = tmp_path / "mnn" / "arm64-v8a"
    folder.mkdir(parents=True)
    for name in ("libMNN.so", "libMNN_CL.so", "libmnncore.so", "libc++_shared.so"):
        (folder / name).write_bytes(elf.library("arm64-v8a"))
    return folder.parent


def test_mnn_files_run_with_the_persons_libraries(
    phones: Phones,
    command: tuple[str, ...],
    mnn_bundle: Path,
    kit: Kit,
    mnn_libraries: Path,
    tmp_path: Path,
):
    phone = phones()
    there = tmp_path / "libraries"
    there.mkdir()
    for name in ("MNN", "mnncore"):
        shutil.copy(jvm.jdk() / "lib" / "libjsig.so", there / f"lib{name}.so")
    properties = {
        "java.library.path": there,
        "python": sys.executable,
        "mnn.server": jvm.ROOT / "tests/android/desktop/mnn_server.py",
    }
    options = (f"-D{name}={value}" for name, value in properties.items())
    words = " ".join(map(shlex.quote, (command[0], *options, *command[1:])))
    phone.sandbox.install("app_process", f"{WITH_MNN}{WITH_RUNNER}".format(command=words))
    copy = Path(shutil.copytree(mnn_bundle, tmp_path / "demo"))
    found = validated(copy, kit, delegates=("cpu", "gpu"), threads=1, mnn_libs=mnn_libraries)
    assert found.phone is not None
    (file,) = found.phone.files
    assert file.scores.interpreter.startswith("MNN, CPU, threads: 1, Example Loop 9")
    assert file.same is not None
    assert file.same["map50_95"] >= 0.9999
    (failed,) = found.phone.failures
    assert failed.reason.endswith("(GPU): MNN has no library for GPU.")
    with pytest.raises(UsageError, match="The runner runs no file of"):
        validated(copy, kit, delegates=("cpu",))


def test_a_library_of_mnn_that_is_missing_is_named(
    phone: LoopbackDevice, mnn_bundle: Path, kit: Kit, mnn_libraries: Path
):
    (mnn_libraries / "arm64-v8a" / "libmnncore.so").unlink()
    with pytest.raises(
        UsageError, match=r"MNN needs libmnncore\.so beside libMNN\.so, libMNN_CL"
    ) as no:
        validated(mnn_bundle, kit, mnn_libs=mnn_libraries)
    assert "JNI" in no.value.hint


def test_a_bundle_that_the_runner_has_no_library_for_is_refused(
    phone: LoopbackDevice, mnn_bundle: Path, kit: Kit
):
    with pytest.raises(UsageError, match="The runner runs no file of") as caught:
        bench(mnn_bundle, runner=kit.folder, progress=Silent())
    assert "--mnn-libs" in caught.value.hint
    assert not phone.sandbox.place("data/local/tmp/mobileq").exists()


def test_the_runner_is_brought_once(phone: LoopbackDevice, kit: Kit):
    place = Phone(chosen(find_adb(), phone.serial))
    place_on(place, kit, "/data/local/tmp/mobileq/demo", Silent())
    folder = phone.sandbox.place(FOLDER)
    assert (folder / "runner.jar").read_bytes() == kit.jar.read_bytes()
    (library, _) = sorted((folder / "arm64-v8a").iterdir(), reverse=True)
    assert library.read_bytes() == (kit.folder / "lib" / "arm64-v8a" / library.name).read_bytes()
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    place_on(place, kit, "/data/local/tmp/mobileq/demo", Silent())
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


def test_libraries_for_small_pages_are_named_where_pages_are_large(phone: LoopbackDevice, kit: Kit):
    library = kit.folder / "lib" / "arm64-v8a" / "libtensorflowlite_jni.so"
    assert elf_problem(library.read_bytes(), "arm64-v8a")
    phone.sandbox.write("etc/page_size", "16384\n")
    with pytest.raises(DeviceError, match=r"not aligned to 16 KB, and .* has pages of 16 kB") as no:
        place_on(Phone(chosen(find_adb(), phone.serial)), kit, "/data/local/tmp/x", Silent())
    assert "LiteRT 1.4" in no.value.hint


def test_a_processor_that_there_is_no_library_for_is_named(phones: Phones, kit: Kit):
    other = phones(properties={"ro.product.cpu.abilist": "riscv64"})
    with pytest.raises(DeviceError, match=r"takes riscv64, and there are arm64-v8a, .*x86_64\."):
        place_on(Phone(chosen(find_adb(), other.serial)), kit, "/data/local/tmp/x", Silent())


def test_a_phone_of_64_bits_runs_libraries_of_32(phones: Phones, kit: Kit, tmp_path: Path):
    narrow = Kit(tmp_path / "kit")
    shutil.copytree(kit.folder / "lib" / "armeabi-v7a", narrow.folder / "lib" / "armeabi-v7a")
    shutil.copy(kit.jar, narrow.jar)
    place = place_on(Phone(chosen(find_adb(), phones().serial)), narrow, "/a b", Silent())
    assert place.command[-1].split(" exec ")[1] == (
        f"app_process32 -Djava.library.path={FOLDER}/armeabi-v7a / mobileq.runner.Main '/a b'"
    )


def test_a_bench_times_each_file_on_each_delegate_and_is_kept(
    phone: LoopbackDevice, bundle: Path, kit: Kit, tmp_path: Path
):
    copy = Path(shutil.copytree(bundle, tmp_path / "demo"))
    phone.sandbox.write("etc/logcat.txt", PARTLY)
    found = bench(
        *(copy, "fp32"),
        **{"delegates": ("cpu", "gpu"), "threads": (1, 2), "runs": 4, "warmup": 1},
        **{"runner": kit.folder, "progress": Silent()},
    )
    assert found.device == BenchedDevice(
        model="Example Loop 9", serial=phone.serial, android="15", api=35, soc="Tensor G4"
    )
    (kept,) = read_bundle(copy).benches
    assert kept == msgspec.structs.replace(found, content_sha256=kept.content_sha256)
    assert list((copy / "device").glob("Example-Loop-9-*.json"))
    one, two, gpu = found.rows
    assert [row.where for row in found.rows] == ["cpu, 1", "cpu, 2", "gpu"]
    for row in (one, two):
        assert row.artifact == "tflite-fp32"
        assert None not in (row.load_ms, row.first_ms, row.preprocess_ms, row.postprocess_ms)
        assert row.p95_ms >= row.median_ms > 0
        assert row.peak_bytes > 1 << 20
        for each in (row.before, row.after):
            assert (each.thermal_status, each.sensor, each.celsius) == ("none", "skin", 31.9)
            assert [cluster.limit_mhz for cluster in each.clusters] == [1950, 2850]
        assert row.delegations == ("TfLiteXNNPackDelegate: 223 of 270 nodes in 9 partitions",)
        assert not row.throttled
    assert (gpu.median_ms, gpu.problem.rpartition(": ")[2]) == (None, "no GPU on a desktop.")
    advised = recommend(copy, device="loop")
    assert advised.file == "demo-fp32.tflite"
    assert "of Example Loop 9" in advised.why


def test_only_files_that_are_timed_are_brought(
    phone: LoopbackDevice, bundle: Path, kit: Kit, tmp_path: Path
):
    copy = Path(shutil.copytree(bundle, tmp_path / "demo"))
    bench(copy, "int8", runs=1, warmup=0, runner=kit.folder, progress=Silent())
    models = phone.sandbox.place("data/local/tmp/mobileq/demo/models")
    assert [path.name for path in models.iterdir()] == ["demo-int8.tflite"]


@pytest.mark.parametrize("to_file", [False, True])
def test_a_bench_that_is_cut_off_keeps_its_rows(
    to_file: bool,
    phone: LoopbackDevice,
    bundle: Path,
    kit: Kit,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    class PullsOut(Silent):
        """As soon as the first file is timed."""

        def stage(self, name: str, total: int | None = None, unit: str = "") -> Any:
            return nullcontext(lambda count=1, /: name == "Timing" and phone.unplug())

    monkeypatch.setattr("mobileq.device.runner.remote._PATIENCE_S", 1.0)
    copy, report, heard = Path(shutil.copytree(bundle, tmp_path / "demo")), None, PullsOut()
    if to_file:
        report = tmp_path / "bench.json"
    options = {"output": report, "runs": 2, "warmup": 0, "runner": kit.folder, "progress": heard}
    with pytest.raises(DeviceError):
        bench(copy, **options)  # type: ignore[arg-type]
    kept = report or next((copy / "device").iterdir())
    (row,) = (found := msgspec.json.decode(kept.read_bytes(), type=Bench)).rows
    assert row.artifact == "tflite-fp32"
    assert row.median_ms is not None
    assert found.cut
    assert any("was cut off" in line for line in _told(found))
    assert f"1 timing of 2 are kept in {kept}." in heard.notices
    assert read_bundle(copy).benches == ([] if to_file else [found])
    assert [path.name for path in kept.parent.glob("*bench*" if to_file else "*")] == [kept.name]


def test_a_hot_phone_is_waited_for_and_said(
    phone: LoopbackDevice, bundle: Path, kit: Kit, tmp_path: Path
):
    place = phone.sandbox.place("etc/dumpsys/thermalservice")
    place.write_text(place.read_text().replace("Thermal Status: 0", "Thermal Status: 3"))
    heard = Silent()
    options = {"output": tmp_path / "bench.json", "runner": kit.folder, "progress": heard}
    found = bench(bundle, "int8", runs=1, warmup=0, cool_down=0.01, **options)  # type: ignore[arg-type]
    assert json.loads((tmp_path / "bench.json").read_bytes())["rows"][0]["median_ms"] > 0
    assert read_bundle(bundle).benches == []
    (row,) = found.rows
    assert row.throttled == "thermal state severe, then severe"
    assert any("is warm (thermal state severe, skin 31.9" in notice for notice in heard.notices)
    assert any(
        line.startswith("tflite-int8 on cpu, all ran while the phone was slowed down (thermal")
        for line in _told(found)
    )


def test_a_phone_that_keeps_its_clocks_to_itself_is_said_to(
    phone: LoopbackDevice, bundle: Path, kit: Kit, tmp_path: Path
):
    phone.sandbox.remove("dumpsys")
    shutil.rmtree(phone.sandbox.place("sys"))
    options = {"output": tmp_path / "bench.json", "runner": kit.folder, "progress": Silent()}
    found = bench(bundle, "int8", runs=1, warmup=0, **options)  # type: ignore[arg-type]
    assert found.rows[0].throttled == ""
    assert (
        f"{found.device.name} does not tell its thermal state or how warm it is or what its clocks "
        "may be: a slower run may go unnoticed."
    ) in _told(found)


def _told(found: Bench) -> list[str]:
    page = TextPage()
    found.tell(page)
    return page.lines


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"artifact": "w8"}, "runs no file 'w8'"),
        ({"delegates": ("dsp",)}, "no delegate 'dsp'"),
        ({"runs": 0}, "--runs must be 1"),
    ],
)
def test_what_cannot_be_timed_is_a_usage_error(
    options: dict, said: str, phone: LoopbackDevice, bundle: Path, kit: Kit
):
    with pytest.raises(UsageError, match=said):
        bench(bundle, **options, runner=kit.folder, progress=Silent())


def test_a_cable_that_is_pulled_out_costs_one_picture(
    phone: LoopbackDevice, bundle: Path, kit: Kit
):
    pushed = push(bundle, progress=Silent())
    place = place_on(Phone(chosen(find_adb(), phone.serial)), kit, pushed.folder, Silent())
    frame = np.random.default_rng(0).integers(0, 255, (160, 160, 3), dtype=np.uint8)
    with closing(RemoteRunner(place, read_bundle(bundle).manifest.artifacts[1])) as runner:
        before, _ = runner.analyse(frame)
        phone.cut_after(10_000)
        after, _ = runner.analyse(frame)
        assert runner.restarts == 1
    for name, array in before.items():
        np.testing.assert_array_equal(after[name], array)


def test_a_phone_that_stays_away_is_an_error(
    phone: LoopbackDevice, bundle: Path, kit: Kit, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("mobileq.device.runner.remote._PATIENCE_S", 1.0)
    pushed = push(bundle, progress=Silent())
    place = place_on(Phone(chosen(find_adb(), phone.serial)), kit, pushed.folder, Silent())
    with closing(RemoteRunner(place, read_bundle(bundle).manifest.artifacts[1])) as runner:
        phone.unplug()
        with pytest.raises(DeviceError, match=r"Example Loop 9 \(.*\) went away"):
            runner.analyse(np.zeros((8, 8, 3), np.uint8))
