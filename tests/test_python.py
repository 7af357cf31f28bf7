"""The package as Python and editors see it."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import mobileq

ROOT = Path(__file__).resolve().parents[1]


def in_a_fresh_interpreter(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_import_costs_nothing_and_names_are_completed() -> None:
    code = (
        "import sys; before = set(sys.modules); import mobileq\n"
        "names = dir(mobileq)\n"
        "assert not any(name.startswith('mobileq.') for name in sys.modules)\n"
        "print(*sorted({name.split('.')[0] for name in set(sys.modules) - before}))\n"
        "assert {'convert', 'detect', 'MobileqError', 'ConvertOptions'} <= set(names), names"
    )
    loaded = in_a_fresh_interpreter(code)
    assert set(loaded.split()) <= {"mobileq", *sys.stdlib_module_names}, loaded


def test_every_name_is_there_and_type_checkers_find_the_same_one() -> None:
    tree = ast.parse((ROOT / "mobileq" / "__init__.py").read_text())
    typed = {
        alias.name: node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("mobileq.")
        for alias in node.names
    }
    assert sorted([*typed, "__version__"]) == mobileq.__all__
    for name, module in typed.items():
        found = getattr(mobileq, name)
        assert found.__module__ == module
        assert found.__doc__
    with pytest.raises(AttributeError, match="no attribute 'converted'"):
        mobileq.converted  # noqa: B018


def test_keywords_are_in_the_signature() -> None:
    names = set(inspect.signature(mobileq.convert).parameters)
    assert names >= {"model", "output", "precision", "calib", "keep_float", "family", "force"}
    assert "choices" not in names
    for function in (mobileq.detect, mobileq.inspect, mobileq.sensitivity):
        assert set(inspect.signature(function).parameters) >= {"family", "labels", "spec", "set"}


def mypy(*arguments: str) -> subprocess.CompletedProcess[str]:
    """What it finds from the project's folder, where it knows again what it has found out."""
    return subprocess.run(
        [sys.executable, "-m", "mypy", *arguments],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={"MYPYPATH": f"{ROOT}:{ROOT / 'benchmarks'}", "PATH": ""},
    )


@pytest.mark.slow
def test_mypy_finds_nothing_in_the_package() -> None:
    done = mypy()
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_mypy_finds_no_benchmark_that_calls_what_has_changed() -> None:
    """They run for an hour, once in a while: too late to be told."""
    lenient = ["--allow-any-generics", "--no-warn-return-any", "--implicit-reexport"]
    scripts = map(str, sorted(ROOT.glob("benchmarks/*.py")))
    done = mypy("--follow-imports=silent", *lenient, *scripts)
    assert done.returncode == 0, done.stdout + done.stderr


def test_mypy_knows_the_functions_and_their_options(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "from pathlib import Path\n"
        "import numpy as np\n"
        "import mobileq\n"
        "manifest = mobileq.convert('a.onnx', Path('b'), precision=['int8'], calib='photos')\n"
        "reveal_type(manifest)\n"
        "run = mobileq.detect(Path('b'), [np.zeros((8, 8, 3), np.uint8), 'a.jpg', Path('b.jpg')])\n"
        "reveal_type(run[0].objects)\n"
        "mobileq.detect(mobileq.read_bundle('b'), '*.jpg', family='yolov8')\n"
        "mobileq.convert('a.onnx', 'b', precison='int8')\n"
        "mobileq.convert('a.onnx', 'b', io='int9')\n"
        "mobileq.converted('a.onnx')\n"
    )
    done = mypy(str(program))
    # mypy 2.4.1 says again of a file that it knows what it said, under the path of an earlier run.
    told = [
        line.partition(f"{program.name}:")[2].replace(": ", " ", 1)
        for line in done.stdout.splitlines()
        if f"{program.name}:" in line and "defined in" not in line
    ]
    assert [re.match(r"\d+ \w+", line)[0] for line in told] == [  # type: ignore[index]
        *("5 note", "7 note", "9 error", "10 error", "11 error")
    ], done.stdout
    assert "mobileq.manifest.BundleManifest" in told[0]
    assert "DetectedObject" in told[1]
    assert "precison" in told[2]
    assert "int9" in told[3]
    assert "converted" in told[4]
