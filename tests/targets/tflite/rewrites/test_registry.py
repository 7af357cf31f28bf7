"""Which passes run on which files."""

from __future__ import annotations

from pathlib import Path

from mobileq.targets.tflite import rewrites
from mobileq.targets.tflite.rewrites import registry
from mobileq.targets.tflite.rewrites.passes import Pass, run_passes


def listed() -> list[tuple[Pass, ...]]:
    return [value for value in vars(registry).values() if isinstance(value, tuple)
            and all(isinstance(each, Pass) for each in value)]  # fmt: skip


def test_every_file_of_the_room_has_a_pass_that_is_run() -> None:
    folder = Path(rewrites.__file__).parent
    files = {path.stem for path in folder.glob("*.py")} - {"__init__", "registry", "passes"}
    modules = [each.apply.__module__ for passes in listed() for each in passes]
    assert {module.rpartition(".")[2] for module in modules} == files


def test_passes_run_in_order_on_files_that_they_are_for() -> None:
    def record(text: str, result: bool | None):
        def apply(*given: object) -> bool | None:
            ran.append((text, *given))
            return result

        return apply

    passes = (
        Pass(record("all", None)),
        Pass(record("int8", True), ("int8",)),
        Pass(record("floats", False), needs_floats=True),
    )
    ran: list[tuple[object, ...]] = []
    assert run_passes(passes, "model", "int8", "float model")
    assert ran == [("all", "model"), ("int8", "model"), ("floats", "model", "float model")]
    ran.clear()
    assert not run_passes(passes, "model", "fp16")
    assert ran == [("all", "model"), ("floats", "model", None)]
