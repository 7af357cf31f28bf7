"""Bundles appear whole or not at all, and say when they are not what was written."""

import errno
import hashlib
import multiprocessing
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

from mobileq.bundle import Bundle, BundleWriter, VerifyReport, read_bundle, verify_bundle
from mobileq.errors import InputError, MobileqError, UsageError
from mobileq.manifest import BundleManifest, RunInfo, SourceInfo, read_manifest, to_json
from mobileq.spec import Artifact, ModelSpec, QuantRecipe

MODEL = b"weights"


def manifest_of(content: bytes = MODEL) -> BundleManifest:
    artifact = Artifact(
        target="tflite",
        precision="fp32",
        path="models/m-fp32.tflite",
        sha256=hashlib.sha256(content).hexdigest(),
        size_bytes=len(content),
        inputs=(),
        outputs=(),
        recipe=QuantRecipe(precision="fp32"),
    )
    return BundleManifest(
        model=ModelSpec(name="m", task="detect", family=None, inputs=(), outputs=()),
        source=SourceInfo(file_name="m.onnx", sha256="ab" * 32, opset=17, size_bytes=1),
        artifacts=(artifact,),
        run=RunInfo(created="2024-05-01T12:00:00Z"),
    )


def write_bundle(output: Path, labels: bytes = b"cat\n", **options: Any) -> Bundle:
    with BundleWriter(output, **options) as writer:
        writer.add_bytes("models/m-fp32.tflite", MODEL)
        writer.add_bytes("labels.txt", labels)
        return writer.finish(manifest_of())


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_bundle_reads_back_and_verifies(tmp_path: Path) -> None:
    source = tmp_path / "converted"
    source.write_bytes(MODEL)
    with BundleWriter(tmp_path / "deep" / "out") as writer:
        writer.add_file("models/m-fp32.tflite", source)
        bundle = writer.finish(manifest_of())
    assert bundle.path == tmp_path / "deep" / "out"
    assert read_bundle(bundle.path).manifest == bundle.manifest
    assert bundle.manifest.files.keys() == {"models/m-fp32.tflite"}
    assert verify_bundle(bundle.path) == VerifyReport()
    assert verify_bundle(bundle.path).ok
    assert os.listdir(tmp_path / "deep") == ["out"]


def test_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    write_bundle(tmp_path / "a")
    write_bundle(tmp_path / "b")
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_new_bundle_is_as_readable_as_any_new_folder(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    write_bundle(tmp_path / "out")
    assert (tmp_path / "out").stat().st_mode == (tmp_path / "other").stat().st_mode


def test_existing_bundle_is_replaced_only_with_force(tmp_path: Path) -> None:
    output = tmp_path / "out"
    write_bundle(output, b"old")
    with pytest.raises(UsageError) as caught:
        write_bundle(output, b"new")
    assert "--force" in caught.value.hint
    assert (output / "labels.txt").read_bytes() == b"old"
    write_bundle(output, b"new", force=True)
    assert (output / "labels.txt").read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["out"]


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("name", ["thesis.txt", "manifest.json"])
def test_folder_that_is_no_bundle_is_never_replaced(tmp_path: Path, name: str, force: bool) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / name).write_text('{"name": "a web application"}')
    with pytest.raises(UsageError, match="not a bundle"):
        write_bundle(tmp_path / "out", force=force)
    assert os.listdir(tmp_path / "out") == [name]


def test_empty_folder_is_used(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    write_bundle(tmp_path / "out")
    assert verify_bundle(tmp_path / "out").ok


def test_file_in_the_way_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    with pytest.raises(UsageError, match="not a folder"):
        write_bundle(tmp_path / "out", force=True)
    assert (tmp_path / "out").read_text() == "mine"


def test_output_below_a_file_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"file/out cannot be written: .*\.$"):
        write_bundle(tmp_path / "file" / "out")


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a folder nobody can write to")
def test_output_in_a_read_only_folder_is_one_sentence() -> None:
    with pytest.raises(InputError, match=r"^/proc/mobileq-out cannot be written: [^\n]*\.$"):
        write_bundle(Path("/proc/mobileq-out"))


def test_mount_point_is_refused_before_the_work(tiny_disk: Path) -> None:
    with pytest.raises(UsageError, match="mount point"), BundleWriter(tiny_disk):
        pytest.fail("the work began")


def test_link_to_a_bundle_stays_a_link(tmp_path: Path) -> None:
    write_bundle(tmp_path / "real", b"old")
    (tmp_path / "link").symlink_to("real")
    write_bundle(tmp_path / "link", b"new", force=True)
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real" / "labels.txt").read_bytes() == b"new"


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError("bug"), SystemExit(1)])
def test_interruption_leaves_the_old_bundle_and_no_trace(
    tmp_path: Path, error: BaseException | type[BaseException]
) -> None:
    write_bundle(tmp_path / "out", b"old")
    before = contents(tmp_path)

    def write() -> None:
        with BundleWriter(tmp_path / "out", force=True) as writer:
            writer.add_bytes("labels.txt", b"new")
            raise error

    with pytest.raises(error if isinstance(error, type) else type(error)):
        write()
    assert contents(tmp_path) == before
    assert os.listdir(tmp_path) == ["out"]


@pytest.mark.parametrize("failing", [1, 2])
def test_interruption_while_swapping_restores_the_old_bundle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: int
) -> None:
    write_bundle(tmp_path / "out", b"old")
    rename = Path.rename
    calls = 0

    def interrupted(self: Path, target: Path) -> Path:
        nonlocal calls
        calls += 1
        if calls == failing:
            raise KeyboardInterrupt
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_bundle(tmp_path / "out", b"new", force=True)
    assert calls >= failing
    assert (tmp_path / "out" / "labels.txt").read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["out"]


def test_bundle_that_is_not_finished_leaves_no_trace(tmp_path: Path) -> None:
    with BundleWriter(tmp_path / "out") as writer:
        writer.add_bytes("labels.txt", b"")
    assert os.listdir(tmp_path) == []


def test_bundle_that_appears_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    def write_late() -> None:
        with BundleWriter(tmp_path / "out") as writer:
            write_bundle(tmp_path / "out", b"first")
            writer.add_bytes("models/m-fp32.tflite", MODEL)
            writer.finish(manifest_of())

    with pytest.raises(UsageError, match="exists already"):
        write_late()
    assert (tmp_path / "out" / "labels.txt").read_bytes() == b"first"


def die_while_writing(output: Path) -> None:
    with BundleWriter(output, force=True) as writer:
        writer.add_bytes("labels.txt", b"new")
        os.kill(os.getpid(), signal.SIGKILL)


def die_between_the_renames(output: Path) -> None:
    rename = Path.rename

    def deadly(self: Path, target: Path) -> Path:
        if target == output:
            os.kill(os.getpid(), signal.SIGKILL)
        return rename(self, target)

    Path.rename = deadly  # type: ignore[method-assign, assignment]
    write_bundle(output, b"new", force=True)


@pytest.mark.parametrize("die", [die_while_writing, die_between_the_renames])
def test_next_run_clears_what_a_killed_process_left(tmp_path: Path, die: Any) -> None:
    output = tmp_path / "out"
    write_bundle(output, b"old")
    child = multiprocessing.get_context("spawn").Process(target=die, args=(output,))
    child.start()
    child.join(60)
    assert child.exitcode == -signal.SIGKILL
    assert os.listdir(tmp_path) != ["out"]
    with pytest.raises(UsageError, match="exists already"), BundleWriter(output):
        pytest.fail("the old bundle is lost")
    with BundleWriter(output, force=True):
        pass
    assert (output / "labels.txt").read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["out"]


def test_folder_of_a_running_process_is_left_alone(tmp_path: Path) -> None:
    with BundleWriter(tmp_path / "out") as first:
        first.add_bytes("models/m-fp32.tflite", MODEL)
        with BundleWriter(tmp_path / "out"):
            pass
        first.finish(manifest_of())
    assert verify_bundle(tmp_path / "out").ok


def test_full_disk_names_the_folder_and_the_space(tiny_disk: Path) -> None:
    write_bundle(tiny_disk / "out", b"old")
    with pytest.raises(MobileqError) as caught:
        write_bundle(tiny_disk / "out", b"x" * 100_000, force=True)
    assert str(tiny_disk) in caught.value.message
    assert "the bundle needs 100,007 bytes, " in caught.value.message
    assert " 0 are free" not in caught.value.message
    assert os.listdir(tiny_disk) == ["out"]
    assert (tiny_disk / "out" / "labels.txt").read_bytes() == b"old"


def test_full_disk_while_copying_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    (tmp_path / "big").write_bytes(b"x" * 1234)
    monkeypatch.setattr(shutil, "copyfileobj", full)
    with (
        pytest.raises(MobileqError, match=r"full: the bundle needs 1,234 bytes, [\d,]+ are free"),
        BundleWriter(tmp_path / "out") as writer,
    ):
        writer.add_file("big", tmp_path / "big")
    assert os.listdir(tmp_path) == ["big"]


def test_source_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with (
        pytest.raises(InputError, match=r"gone\.tflite cannot be read"),
        BundleWriter(tmp_path / "out") as writer,
    ):
        writer.add_file("a", tmp_path / "gone.tflite")


@pytest.mark.parametrize("path", ["../x", "/x", "a/../../x", "manifest.json", "", "a\\b"])
def test_file_outside_the_bundle_is_refused(tmp_path: Path, path: str) -> None:
    with pytest.raises(ValueError, match=r"."), BundleWriter(tmp_path / "out") as writer:
        writer.add_bytes(path, b"")
    assert os.listdir(tmp_path) == []


def test_file_added_twice_is_refused(tmp_path: Path) -> None:
    with BundleWriter(tmp_path / "out") as writer:
        writer.add_bytes("a", b"")
        with pytest.raises(ValueError, match="added twice"):
            writer.add_bytes("a", b"")


def test_artifact_with_another_content_is_refused(tmp_path: Path) -> None:
    with BundleWriter(tmp_path / "out") as writer:
        writer.add_bytes("models/m-fp32.tflite", b"other!!")
        with pytest.raises(ValueError, match="size or hash differs"):
            writer.finish(manifest_of())
    assert os.listdir(tmp_path) == []


def test_verify_reports_every_difference(tmp_path: Path) -> None:
    output = write_bundle(tmp_path / "out").path
    (output / "labels.txt").write_bytes(b"dog\n")
    (output / "models" / "m-fp32.tflite").unlink()
    (output / "extra" / "deep").mkdir(parents=True)
    (output / "extra" / "deep" / "file").write_bytes(b"")
    assert verify_bundle(output) == VerifyReport(
        missing=("models/m-fp32.tflite",),
        changed=("labels.txt",),
        unexpected=("extra/deep/file",),
    )
    assert not verify_bundle(output).ok


def test_verify_notices_an_edited_manifest(tmp_path: Path) -> None:
    output = write_bundle(tmp_path / "out").path
    text = (output / "manifest.json").read_text()
    (output / "manifest.json").write_text(text.replace('"opset": 17', '"opset": 18'))
    assert verify_bundle(output) == VerifyReport(changed=("manifest.json",))


def test_verify_does_not_follow_links(tmp_path: Path) -> None:
    output = write_bundle(tmp_path / "out").path
    (output / "models").rename(tmp_path / "elsewhere")
    (output / "models").symlink_to(tmp_path / "elsewhere")
    (output / "labels.txt").unlink()
    (tmp_path / "x").write_bytes(b"cat\n")
    (output / "labels.txt").symlink_to("../x")  # as long as the file was
    assert verify_bundle(output) == VerifyReport(
        missing=("models/m-fp32.tflite",), changed=("labels.txt",), unexpected=("models",)
    )


def test_verify_does_not_wait_for_a_pipe(tmp_path: Path) -> None:
    output = write_bundle(tmp_path / "out").path
    (output / "labels.txt").unlink()
    os.mkfifo(output / "labels.txt")
    assert verify_bundle(output).changed == ("labels.txt",)


def test_verify_refuses_paths_that_leave_the_bundle(tmp_path: Path) -> None:
    output = write_bundle(tmp_path / "out").path
    manifest = to_json(read_manifest(output / "manifest.json"))
    (output / "manifest.json").write_bytes(manifest.replace(b'"labels.txt"', b'"../labels.txt"'))
    with pytest.raises(InputError, match="does not stay inside the bundle"):
        verify_bundle(output)


def test_reading_what_is_no_bundle_says_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not a bundle"):
        read_bundle(tmp_path)
    with pytest.raises(UsageError, match="There is no folder"):
        read_bundle(tmp_path / "none")
