"""A person's benchmark program on a device of our own: adb is real, the program prints what real
ones printed."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from mobileq.__main__ import main
from mobileq.device.benchmark.base import Benchmark
from mobileq.device.benchmark.mnn import MNN_BASIC, MNN_BENCHMARK
from mobileq.device.benchmark.program import FOLDER
from mobileq.device.benchmark.tflite import TFLITE
from mobileq.device_bench import Bench
from mobileq.errors import UsageError
from mobileq.page import TextPage
from mobileq.progress import Silent
from mobileq.workflows.bench import bench
from tests.device import elf
from tests.device.benchmark.test_outputs import OUTPUTS
from tests.device.fixtures import Phones
from tests.device.loopback import LoopbackDevice

ABIS = {"ro.product.cpu.abilist": "x86_64,arm64-v8a"}
Made = Callable[..., Path]


@pytest.fixture
def phone(phones: Phones) -> LoopbackDevice:
    """One that runs programs for this machine."""
    return phones(properties=ABIS)


@pytest.fixture
def made(tmp_path: Path) -> Made:
    """Makes a program that prints a file, and notes down how it was started."""

    def make(output: Path, mark: bytes, name: str = "benchmark", abi: str = "x86_64") -> Path:
        script = tmp_path / "script.sh"
        asked = tmp_path / "asked"
        script.write_text(
            f'#!/bin/sh\necho "LD_LIBRARY_PATH=$LD_LIBRARY_PATH LD_PRELOAD=$LD_PRELOAD $*" >> '
            f"{asked}\nexec /bin/cat {output}\n"
        )
        script.chmod(0o755)
        program = tmp_path / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_bytes(elf.program(script, mark, abi))
        return program

    return make


def timed(bundle: Path, *artifacts: str, **options: object) -> Bench:
    output = bundle.parent / "bench.json"  # for the bundle is that of other tests as well
    given = {"runs": 7, "warmup": 2, "output": output, "progress": Silent()}
    return bench(bundle, artifacts, **{**given, **options})  # type: ignore[arg-type]


def told(found: Bench) -> str:
    page = TextPage()
    found.tell(page)
    return "\n".join(page.lines)


def test_benchmark_model_times_a_file_on_each_delegate(
    phone: LoopbackDevice, bundle: Path, made: Made, tmp_path: Path
):
    output = OUTPUTS / "tflite-percentiles-gpu-and-nnapi.txt"
    program = made(output, TFLITE.mark)
    found = timed(
        *(bundle, "fp32"), binary=program, delegates=("cpu", "gpu", "nnapi"), threads=(0, 2)
    )
    assert (found.tool, found.frame) == ("TFLite's benchmark_model", None)
    assert [row.where for row in found.rows] == ["cpu, all", "cpu, 2", "gpu", "nnapi"]
    for row in found.rows[:3]:
        assert (row.median_ms, row.p95_ms, row.mean_ms) == (307.968, 315.711, 309.35)
        assert (row.first_ms, row.load_ms, row.preprocess_ms) == (328.14, 5664.363, None)
        assert row.before is not None
        assert row.after is not None
    assert found.rows[3].problem == "the NNAPI took nothing of the model; the CPU ran it"
    text = told(found)
    assert "7 runs by TFLite's benchmark_model" in text
    (failed,) = (line for line in text.splitlines() if line.startswith("tflite-fp32 on nnapi: "))
    assert failed.endswith("the CPU ran it.")
    model = f"{phone.sandbox.root}/data/local/tmp/mobileq/{bundle.name}/models"
    (file,) = Path(model).glob("*fp32*")
    common = f"--graph={file} --num_runs=7 --warmup_runs=2 --min_secs=0 --warmup_min_secs=0"
    place = phone.sandbox.place(FOLDER)
    assert (tmp_path / "asked").read_text().splitlines() == [
        f"LD_LIBRARY_PATH={place} LD_PRELOAD= {common} --num_threads={rest}"
        for rest in ("8", "2", "8 --use_gpu=true", "8 --use_nnapi=true")
    ]


@pytest.mark.parametrize(
    "case",
    [
        (MNN_BENCHMARK, "mnn-benchmark-2019-vulkan", 428.666, "models/ 7 2 7 4 0"),
        (MNN_BASIC, "mnn-basic-3-cuda", 1.192, "{model} 7 0 7 4 0"),
    ],
)
def test_mnns_programs_run_with_the_libraries_beside_them(
    case: tuple[Benchmark, str, float, str],
    phone: LoopbackDevice,
    mnn_bundle: Path,
    made: Made,
    tmp_path: Path,
):
    kind, name, mean, asked = case
    program = made(OUTPUTS / f"{name}.txt", kind.mark)
    for library in ("libMNN.so", "libMNN_Vulkan.so", "libother.so"):
        (program.parent / library).write_bytes(elf.library("x86_64"))
    (program.parent / "libMNN_CL.so").write_bytes(elf.library("arm64-v8a"))
    found = timed(mnn_bundle, binary=program, delegates=("gpu",))
    (row,) = found.rows
    assert (row.mean_ms, row.median_ms, row.peak_bytes) == (mean, None, None)
    place = phone.sandbox.place(FOLDER)
    assert {each.name for each in place.iterdir()} >= {"libMNN.so", "libMNN_Vulkan.so", "program"}
    assert not {"libother.so", "libMNN_CL.so"} & {each.name for each in place.iterdir()}
    model = next(phone.sandbox.temporary.glob("mobileq/*/models/*.mnn"))
    started = (tmp_path / "asked").read_text().split(" ", 2)
    assert started[0] == f"LD_LIBRARY_PATH={place}"
    assert started[1:] == ["LD_PRELOAD=libMNN_Vulkan.so", asked.format(model=model) + "\n"]


def test_what_mnn_prints_to_the_log_is_read(
    phone: LoopbackDevice, mnn_bundle: Path, made: Made, tmp_path: Path
):
    empty = tmp_path / "empty"
    empty.write_text("")
    phone.sandbox.write("etc/logcat.txt", (OUTPUTS / "mnn-basic-2-cpu.txt").read_text())
    (row,) = timed(mnn_bundle, binary=made(empty, MNN_BASIC.mark)).rows
    assert row.mean_ms == 5.571


def test_a_program_is_brought_once_and_libraries_of_before_go(
    phone: LoopbackDevice, mnn_bundle: Path, made: Made, tmp_path: Path
):
    program = made(OUTPUTS / "mnn-benchmark-2-cpu.txt", MNN_BENCHMARK.mark)
    libraries = tmp_path / "libraries" / "x86_64"
    libraries.mkdir(parents=True)
    (libraries / "libMNN.so").write_bytes(elf.library("x86_64"))
    (libraries / "libMNN_CL.so").write_bytes(elf.library("x86_64"))
    timed(mnn_bundle, binary=program, mnn_libs=tmp_path / "libraries")
    place = phone.sandbox.place(FOLDER)
    before = (place / "program").stat().st_mtime_ns
    (libraries / "libMNN_CL.so").unlink()
    timed(mnn_bundle, binary=program, mnn_libs=tmp_path / "libraries")
    assert (place / "program").stat().st_mtime_ns == before
    assert {each.name for each in place.glob("*.so")} == {"libMNN.so"}


def test_a_program_for_another_processor_is_refused(
    phones: Phones, bundle: Path, made: Made, tmp_path: Path
):
    phones()
    program = made(OUTPUTS / "tflite-2.2-gpu.txt", TFLITE.mark)
    with pytest.raises(UsageError, match=r"is built for x86_64, and Example Loop 9 takes arm64-v8"):
        timed(bundle, binary=program)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is no program for Android"),
        (b"#!/bin/sh\nInference timings in us: ", "is no program for Android"),
        (elf.elf_header("x86_64", 2)[:40], "is no program for Android"),
        (elf.elf_header("x86_64", 1) + TFLITE.mark, "is no program for Android"),
        (elf.elf_header("x86_64", 2), "is no benchmark that is known"),
    ],
)
def test_what_is_no_benchmark_is_refused(content: bytes, said: str, bundle: Path, tmp_path: Path):
    path = tmp_path / "program"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=said) as error:
        timed(bundle, binary=path)
    assert "benchmark_model, MNN's benchmark.out" in error.value.hint


def test_libraries_for_another_processor_are_refused(
    phone: LoopbackDevice, mnn_bundle: Path, made: Made, tmp_path: Path
):
    program = made(OUTPUTS / "mnn-benchmark-2-cpu.txt", MNN_BENCHMARK.mark)
    folder = tmp_path / "libraries"
    folder.mkdir()
    with pytest.raises(UsageError, match="has none of libMNN"):
        timed(mnn_bundle, binary=program, mnn_libs=folder)
    (folder / "libMNN.so").write_bytes(elf.library("arm64-v8a"))
    with pytest.raises(UsageError, match=r"is built for arm64-v8a; x86_64 is needed\."):
        timed(mnn_bundle, binary=program, mnn_libs=folder)
    with pytest.raises(UsageError, match="is no folder"):
        timed(mnn_bundle, binary=program, mnn_libs=folder / "none")


def test_a_program_that_reads_no_file_of_the_bundle_is_a_usage_error(
    phone: LoopbackDevice, mnn_bundle: Path, made: Made
):
    program = made(OUTPUTS / "tflite-2.2-gpu.txt", TFLITE.mark)
    with pytest.raises(UsageError, match="TFLite's benchmark_model runs no file of"):
        timed(mnn_bundle, binary=program)
    with pytest.raises(UsageError, match=r"MNN's benchmark\.out has no 'nnapi'"):
        timed(mnn_bundle, binary=made(program, MNN_BENCHMARK.mark), delegates=("nnapi",))


def test_the_command_says_what_a_person_should_read(
    phone: LoopbackDevice,
    bundle: Path,
    made: Made,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
):
    program = made(OUTPUTS / "tflite-percentiles-failed.txt", TFLITE.mark)
    arguments = ["--artifact", "fp32", "--binary", str(program), "-o", str(tmp_path / "b.json")]
    code = main(["bench", str(bundle), *arguments])
    said = capsys.readouterr()
    assert code == 1
    text = " ".join((said.out + said.err).split())
    assert "it gave no times, and said: ERROR: tensorflow/lite/kernels/batch_matmul.cc" in text


def test_the_tests_programs_are_programs(made: Made, tmp_path: Path):
    output = tmp_path / "output"
    output.write_text("printed\n")
    program = made(output, b"")
    program.chmod(0o755)
    done = subprocess.run([program, "a b"], capture_output=True, text=True, check=True)
    assert done.stdout == "printed\n"
    assert (tmp_path / "asked").read_text().endswith(" a b\n")
