"""`mobileq android`: what is written, what is kept, what is refused."""

from __future__ import annotations

import json
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest

from mobileq.android.native_libraries import elf_problem, library_problems
from mobileq.android.options import AndroidOptions
from mobileq.android.project import STATE_NAME, render_project
from mobileq.android.template import task_views
from mobileq.bundle import read_bundle, verify_bundle
from mobileq.errors import InputError, UsageError
from mobileq.spec import Task, TensorSpec
from tests.android.bundles import write_bundle
from tests.cli.commands import Cli

OPTIONS = AndroidOptions(application_id="com.example.birds", name="Birds", runtimes=("tflite",))
ARGUMENTS = ("--application-id", "com.example.birds", "--name", "Birds")


@pytest.fixture
def rendered(bundle: Path, tmp_path: Path) -> Path:
    render_project(bundle, tmp_path / "app", OPTIONS)
    return tmp_path / "app"


def test_the_bundle_is_in_the_assets_as_it_was(bundle: Path, tmp_path: Path):
    options = replace(OPTIONS, runtimes=("tflite", "mnn"))
    render_project(bundle, tmp_path / "app", options)
    assets = tmp_path / "app/app/src/main/assets/bundle"
    files = {path.relative_to(bundle) for path in bundle.rglob("*") if path.is_file()}
    assert files == {p.relative_to(assets) for p in assets.rglob("*") if p.is_file()}
    for name in files:
        assert (assets / name).read_bytes() == (bundle / name).read_bytes()


def test_nothing_of_the_template_language_is_left(rendered: Path):
    for path in rendered.rglob("*"):
        assert path.suffix != ".jinja"
        if path.suffix in (".gradle", ".toml", ".md", ".xml", ".java"):
            text = path.read_text()
            assert "{{" not in text
            assert "{%" not in text


def test_files_of_other_runtimes_are_not_there(rendered: Path):
    names = {path.name for path in rendered.rglob("*.java")}
    assert "TfliteBackend.java" in names
    assert not names & {"MnnBackend.java", "MNNNetNative.java"}


def test_rendering_again_changes_nothing(bundle: Path, rendered: Path):
    again = render_project(bundle, rendered, OPTIONS)
    assert (again.written, again.removed, again.kept) == ((), (), ())


def test_edited_files_are_kept_and_named_until_forced(bundle: Path, rendered: Path):
    layout = "app/src/main/res/layout/activity_main.xml"
    (rendered / layout).write_text("<mine/>")
    (rendered / "app/src/main/java/Mine.java").write_text("class Mine {}")
    for _ in range(2):  # the second time it is still known whose it is
        again = render_project(bundle, rendered, OPTIONS)
        assert again.kept == (layout,)
        assert (rendered / layout).read_text() == "<mine/>"
    forced = render_project(bundle, rendered, OPTIONS, force=True)
    assert (forced.written, forced.kept) == ((layout,), ())
    assert (rendered / layout).read_text() != "<mine/>"
    assert (rendered / "app/src/main/java/Mine.java").is_file()


def test_other_options_change_only_what_they_are_about(bundle: Path, rendered: Path):
    other = AndroidOptions(application_id="com.example.birds", name="Owls", runtimes=("tflite",))
    again = render_project(bundle, rendered, other)
    assert again.written == ("app/src/main/res/values/app.xml",)


def test_a_runtime_that_is_left_out_takes_its_unedited_files_along(bundle: Path, rendered: Path):
    edited = rendered / "app/src/main/java/mobileq/app/tflite/TfliteRuntime.java"
    edited.write_text("// mine")
    mnn = AndroidOptions(application_id="com.example.birds", name="Birds", runtimes=("mnn",))
    again = render_project(bundle, rendered, mnn)
    assert "app/src/main/java/mobileq/app/tflite/TfliteBackend.java" in again.removed
    assert again.kept == ("app/src/main/java/mobileq/app/tflite/TfliteRuntime.java",)
    assert edited.read_text() == "// mine"


def test_another_bundle_replaces_the_old_one(rendered: Path, tmp_path: Path):
    owls = write_bundle(tmp_path / "owls", name="owls")
    again = render_project(owls, rendered, OPTIONS)
    folder = "app/src/main/assets/bundle/models"
    assert f"{folder}/birds-fp32.tflite" in again.removed
    assert (rendered / folder / "owls-fp32.tflite").is_file()
    assert not [name for name in again.written if name.endswith(".java")]


def test_a_state_file_that_points_outside_removes_nothing(bundle: Path, rendered: Path):
    outside = rendered.parent / "precious.txt"
    outside.write_text("x")
    state = json.loads((rendered / STATE_NAME).read_text())
    digest = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"  # of "x"
    state["../precious.txt"] = digest
    (rendered / STATE_NAME).write_text(json.dumps(state))
    render_project(bundle, rendered, OPTIONS, force=True)
    assert outside.is_file()


def test_a_folder_of_something_else_is_left_alone(bundle: Path, tmp_path: Path):
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(UsageError, match="was not rendered by mobileq"):
        render_project(bundle, tmp_path, OPTIONS)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_changed_bundle_is_refused(tmp_path: Path):
    path = write_bundle(tmp_path / "b")
    (path / "labels.txt").write_text("cat\n")
    with pytest.raises(InputError, match=r"not as it was written: labels\.txt"):
        render_project(path, tmp_path / "app", OPTIONS)
    assert not (tmp_path / "app").exists()


def test_a_model_with_two_inputs_is_refused(tmp_path: Path):
    path = write_bundle(tmp_path / "b", inputs=2)
    with pytest.raises(InputError, match=r"2 inputs \(in0, in1\): a camera cannot feed it"):
        render_project(path, tmp_path / "app", OPTIONS)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"preprocess": None}, r"takes no picture, but float32 \[1, 3, 64, 96\]"),
        ({"decode": None, "task": "unknown", "labels": ()}, "What the outputs of birds mean"),
        (
            {
                "inputs": (TensorSpec(name="in0", shape=(2, 3, 64, 96), dtype="float32"),),
                "outputs": (TensorSpec(name="out", shape=(2, 6, 126), dtype="float32"),),
            },
            "takes 2 pictures at a time; the app has one",
        ),
    ],
)
def test_a_model_that_the_app_cannot_read_is_refused_at_once(
    tmp_path: Path, fields: dict[str, Any], message: str
):
    path = write_bundle(tmp_path / "b", changed=fields)
    with pytest.raises(InputError, match=message):
        render_project(path, tmp_path / "app", OPTIONS)
    assert not (tmp_path / "app").exists()


@pytest.mark.parametrize("task", get_args(Task))
def test_every_task_has_a_view_in_the_app_or_is_refused(task: str, tmp_path: Path):
    path = write_bundle(tmp_path / "b", changed={"task": task})
    view = task_views().get(task)
    if view is not None:
        render_project(path, tmp_path / "app", OPTIONS)
        java = tmp_path / "app/app/src/main/java"
        assert (java / f"{view.replace('.', '/')}.java").is_file()
        registry = (java / "mobileq/app/Tasks.java").read_text()
        assert f'case "{task}":\n                return new {view}(' in registry
    else:
        with pytest.raises(InputError, match="the app could not show them"):
            render_project(path, tmp_path / "app", OPTIONS)


def test_a_classifier_is_rendered_without_decoding(tmp_path: Path):
    path = write_bundle(tmp_path / "b", changed={"decode": None, "task": "classify"})
    assert render_project(path, tmp_path / "app", OPTIONS).written


def test_a_bundle_without_a_file_for_the_runtime_is_refused(tmp_path: Path):
    path = write_bundle(tmp_path / "b", ("mnn",))
    with pytest.raises(UsageError, match="has no files for tflite"):
        render_project(path, tmp_path / "app", OPTIONS)


@pytest.mark.parametrize(
    ("field", "value", "named"),
    [
        ("application_id", "birds", "form"),
        ("application_id", "com.example.new", "keyword 'new'"),
        ("application_id", "com..birds", "form"),
        ("application_id", "com.1birds", "form"),
        ("application_id", "com.example.birds'", "form"),
        ("application_id", "com.example.${x}", "form"),
        ("application_id", "com.exämple.birds", "form"),
        ("application_id", "com.example.birds\n", "form"),
        ("application_id", "../com.example", "form"),
        ("application_id", "com." + "x" * 300, "150"),
        ("name", "", "empty"),
        ("name", " \u00a0 ", "empty"),
        ("name", "x" * 300, "100"),
        ("name", "a\nb", "line break"),
        ("name", "a\u2028b", "line break"),
        ("name", "a\ufffeb", "no character"),
        ("name", "a\U0001ffffb", "no character"),
        ("name", "a\0b", "control"),
        ("name", "a\ud800b", "control"),
        ("min_sdk", 23, "minSdk 23"),
        ("target_sdk", 38, "38"),
        ("delegate", "npu", "'npu'"),
        ("abis", ("x86",), "'x86'"),
        ("abis", (), "nothing"),
        ("runtimes", ("onnx",), "'onnx'"),
        ("camerax_version", "1.6", "'1.6'"),
        ("camerax_version", "1.6.2'; evil()", "no version"),
        ("litert_version", "2.3.2", "no interpreter"),
        ("litert_version", "1.4", "no version"),
        ("litert", "3", "'3'"),
    ],
)
def test_what_makes_no_project_is_refused_in_a_sentence(field: str, value: object, named: str):
    chosen = {"application_id": "a.b", "name": "n", "runtimes": ("tflite",), field: value}
    with pytest.raises(UsageError) as caught:
        AndroidOptions(**chosen)  # type: ignore[arg-type]
    assert named in caught.value.message
    assert caught.value.hint
    assert caught.value.message.isprintable()
    assert len(caught.value.message) < 200


def test_litert_2_has_accelerators_and_releases_of_its_own():
    chosen = {"application_id": "a.b", "name": "n", "runtimes": ("tflite",), "litert": "2"}
    assert AndroidOptions(**chosen, delegate="npu").delegate == "npu"  # type: ignore[arg-type]
    for wrong in ({"delegate": "nnapi"}, {"litert_version": "1.4.2"}, {"litert_version": "2.1.6"}):
        with pytest.raises(UsageError):
            AndroidOptions(**chosen, **wrong)  # type: ignore[arg-type]


def test_a_project_with_litert_2_has_nothing_of_the_other(bundle: Path, tmp_path: Path):
    chosen = {"application_id": "a.b", "name": "n", "runtimes": ("tflite",)}
    render_project(bundle, tmp_path / "app", AndroidOptions(**chosen))  # type: ignore[arg-type]
    again = AndroidOptions(**chosen, litert="2")  # type: ignore[arg-type]
    done = render_project(bundle, tmp_path / "app", again)
    sources = "app/src/main/java/mobileq/app"
    assert f"{sources}/litert/LitertRuntime.java" in done.written
    assert f"{sources}/tflite/TfliteRuntime.java" in done.removed
    catalog = (tmp_path / "app/gradle/libs.versions.toml").read_text()
    assert 'litert = "2.3.2"' in catalog
    assert "litert-gpu-api" not in catalog
    assert (
        "new LitertRuntime(context, assets)"
        in (tmp_path / "app" / sources / "Runtimes.java").read_text()
    )
    assert "litert_npu_runtime_libraries.zip" in (tmp_path / "app/README.md").read_text()


def elf(machine: int, alignment: int, wide: bool = True) -> bytes:
    """A header and one loaded segment."""
    if wide:
        header = struct.pack(
            "<4sBBBB8xHHIQQQIHHH", b"\x7fELF", 2, 1, 1, 0, 3, machine, 1, 0, 64, 0, 0, 64, 56, 1
        )
        return header.ljust(64, b"\0") + struct.pack("<IIQQQQQQ", 1, 5, 0, 0, 0, 9, 9, alignment)
    header = struct.pack(
        "<4sBBBB8xHHIIIIIHHH", b"\x7fELF", 1, 1, 1, 0, 3, machine, 1, 0, 52, 0, 0, 52, 32, 1
    )
    return header.ljust(52, b"\0") + struct.pack("<IIIIIIII", 1, 0, 0, 0, 9, 9, 5, alignment)


@pytest.mark.parametrize(
    ("content", "abi", "problem"),
    [
        (elf(183, 0x4000), "arm64-v8a", None),
        (elf(183, 0x10000), "arm64-v8a", None),
        (elf(183, 0x1000), "arm64-v8a", "has segments that are not aligned to 16 KB"),
        (elf(62, 0x4000), "arm64-v8a", "is not built for arm64-v8a"),
        (elf(40, 0x1000, wide=False), "armeabi-v7a", None),
        (elf(40, 0x1000, wide=False), "arm64-v8a", "is not built for arm64-v8a"),
        (elf(183, 0x4000)[:80], "arm64-v8a", "is cut off"),
        (b"", "x86_64", "is no ELF file"),
        (b"MZ", "x86_64", "is no ELF file"),
    ],
)
def test_libraries_that_would_not_load_are_named(content: bytes, abi: str, problem: str | None):
    assert elf_problem(content, abi) == problem


def test_mnn_libraries_that_are_missing_are_named(tmp_path: Path):
    folder = tmp_path / "arm64-v8a"
    folder.mkdir()
    (folder / "libMNN.so").write_bytes(elf(183, 0x1000))
    problems = library_problems(tmp_path, ("arm64-v8a", "x86_64"), ("mnn",))
    assert len(problems) == 2
    assert problems[0].startswith("arm64-v8a/libMNN.so has segments")
    assert "libmnncore.so, libc++_shared.so in arm64-v8a/" in problems[1]
    assert library_problems(tmp_path / "none", ("arm64-v8a",), ("tflite",)) == []


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Cli:
    return Cli(capsys)


def test_the_command_renders_all_runtimes_that_the_bundle_has(
    cli: Cli, bundle: Path, tmp_path: Path
):
    result = cli("android", str(bundle), "-o", str(tmp_path / "app"), *ARGUMENTS)
    assert result.code == 0
    assert "files written" in result.out
    assert "MNN needs libMNN.so" in result.out
    targets = {artifact.target for artifact in read_bundle(bundle).manifest.artifacts}
    assert targets == {"tflite", "mnn"}
    assert (tmp_path / "app/app/src/main/java/mobileq/app/mnn/MnnBackend.java").is_file()


def test_files_that_no_app_can_run_are_left_out_and_named(cli: Cli, tmp_path: Path):
    made = write_bundle(tmp_path / "bundle", ("onnxruntime", "tflite"))
    arguments = ("android", str(made), "-o", str(tmp_path / "app"), *ARGUMENTS)
    result = cli(*arguments)
    assert result.code == 0
    assert "not in the app, which has no runtime for them: onnxruntime-fp32" in result.out
    assert cli(*arguments, "--json").document["left_out"] == ["onnxruntime-fp32"]
    assets = tmp_path / "app/app/src/main/assets/bundle"
    assert [path.name for path in (assets / "models").iterdir()] == ["birds-fp32.tflite"]
    assert verify_bundle(assets).ok
    assert [each.target for each in read_bundle(assets).manifest.artifacts] == ["tflite"]


def models(app: Path) -> list[str]:
    return sorted(path.name for path in (app / "app/src/main/assets/bundle/models").iterdir())


def test_files_of_a_runtime_that_the_app_lacks_are_left_out(bundle: Path, rendered: Path):
    assert models(rendered) == ["birds-fp32.tflite"]
    assert render_project(bundle, rendered, OPTIONS).left_out == ("mnn-fp32",)


def test_the_files_that_are_named_are_in_the_app_and_what_runs_them(
    cli: Cli, bundle: Path, tmp_path: Path
):
    arguments = ("android", str(bundle), "-o", str(tmp_path / "app"), *ARGUMENTS)
    done = cli(*arguments, "--artifact", "mnn-fp32", "--json")
    assert done.document["left_out"] == []
    assert models(tmp_path / "app") == ["birds-fp32.mnn"]
    assert verify_bundle(tmp_path / "app/app/src/main/assets/bundle").ok
    assert not list((tmp_path / "app").rglob("TfliteBackend.java"))
    cli(*arguments, "--artifact", "mnn-fp32", "--artifact", "birds-fp32.tflite")
    assert models(tmp_path / "app") == ["birds-fp32.mnn", "birds-fp32.tflite"]
    unknown = cli(*arguments, "--artifact", "int4")
    assert unknown.code == 2
    assert "has no artifact 'int4'" in unknown.err
    assert "tflite-fp32, mnn-fp32" in unknown.err


def test_a_bundle_that_no_app_can_run_says_what_to_convert_to(cli: Cli, tmp_path: Path):
    made = write_bundle(tmp_path / "bundle", ("onnxruntime",))
    result = cli("android", str(made), "-o", str(tmp_path / "app"), *ARGUMENTS)
    assert result.code == 2
    assert "has files for onnxruntime only, which the app can't run" in result.err
    assert "--target tflite or mnn" in result.err
    assert not (tmp_path / "app").exists()


def test_the_command_says_which_files_it_kept(cli: Cli, bundle: Path, rendered: Path):
    (rendered / "README.md").write_text("mine")
    arguments = ("android", str(bundle), "-o", str(rendered), *ARGUMENTS, "--runtime", "tflite")
    assert "kept as you changed it: README.md" in cli(*arguments).out
    assert cli(*arguments, "--json").document["kept"] == ["README.md"]


def test_the_options_are_listed_with_their_defaults(cli: Cli):
    listed = cli("android", "--list-options", "--json").document["options"]
    defaults = {row["option"]: row["default"] for row in listed}
    assert defaults["--min-sdk"] == "24"
    assert defaults["--target-sdk"] == "37"
    assert defaults["--abi"] == "arm64-v8a,armeabi-v7a,x86_64"
    result = cli("android", "--list-options")
    assert result.code == 0
    help_text = cli("android", "--help").out
    assert all(option in result.out and option in help_text for option in defaults)


def test_a_missing_bundle_or_folder_is_a_usage_error(cli: Cli, tmp_path: Path):
    assert cli("android").code == 2
    result = cli("android", str(tmp_path / "none"), "-o", str(tmp_path / "app"), *ARGUMENTS)
    assert result.code == 2
    assert "There is no folder" in result.err
