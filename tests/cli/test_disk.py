"""Full disks and folders that cannot be written: explained, and nothing is left half-written."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .commands import Cli, Result, assert_explained, fingerprint, names_in, process

pytestmark = pytest.mark.usefixtures("children")

Mount = Callable[[str], Path]


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Mount]:
    """Mounts a tmpfs with the given options."""
    made: list[Path] = []

    def mount(options: str) -> Path:
        place = tmp_path / f"disk{len(made)}"
        place.mkdir()
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "tmpfs", place], capture_output=True, text=True
        )
        if done.returncode != 0:
            pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
        made.append(place)
        return place

    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    yield mount
    for place in made:
        subprocess.run(["umount", place], check=True)


def _convert(demo: Path, output: Path, *options: object) -> tuple[object, ...]:
    precision = ("--precision", "fp32,fp16")
    return ("convert", demo / "demo.onnx", "-o", output, *precision, *options)


def test_an_output_on_a_full_disk(cli: Cli, demo: Path, mounted: Mount) -> None:
    disk = mounted("size=1m")
    said = cli.fails(1, *_convert(demo, disk / "out"))
    assert f"The disk of {disk} is full: the bundle needs " in said
    assert "Try: Free some space, or choose an --output on another disk." in said
    assert names_in(disk) == []


def test_a_bundle_on_a_full_disk_stays_as_it_is(
    cli: Cli, demo: Path, made_bundle: Path, mounted: Mount
) -> None:
    disk = mounted("size=12m")
    output = disk / "bundle"
    subprocess.run(["cp", "-r", made_bundle, output], check=True)
    free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
    (disk / "filler").write_bytes(bytes(free - 500_000))
    before = fingerprint(output)
    assert "is full" in cli.fails(1, *_convert(demo, output, "--force"))
    images = demo / "validation" / "images"
    assert "is full" in cli.fails(1, "validate", output, "--images", images)
    assert fingerprint(output) == before
    assert names_in(disk) == ["bundle", "filler"]
    assert cli("verify", output).code == 0


def test_a_cache_on_a_full_disk_is_only_noted(
    cli: Cli, demo: Path, tmp_path: Path, mounted: Mount, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = mounted("size=64k")
    monkeypatch.setenv("MOBILEQ_CACHE_DIR", str(disk / "cache"))
    result = cli(*_convert(demo, tmp_path / "out"))
    assert result.code == 0
    assert f"Note: Nothing more is cached in {disk / 'cache'}: No space left on device." in (
        result.err
    )
    assert cli("verify", tmp_path / "out").code == 0


def test_a_cache_that_cannot_be_written_is_only_noted(
    cli: Cli, demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("MOBILEQ_CACHE_DIR", str(tmp_path / "file" / "cache"))
    result = cli(*_convert(demo, tmp_path / "out"))
    assert result.code == 0
    assert "Note: Nothing more is cached in" in result.err


@pytest.mark.parametrize("size", ["64k", "3m"])
def test_temporary_files_on_a_full_disk(
    demo: Path, tmp_path: Path, mounted: Mount, size: str
) -> None:
    disk = mounted(f"size={size}")
    environment = {**os.environ, "TMPDIR": str(disk)}
    done = process(*_convert(demo, tmp_path / "out", "--no-cache"), env=environment)
    assert_explained(Result(done.returncode, done.stdout, done.stderr), 1)
    assert names_in(disk) == []
    assert not (tmp_path / "out").exists()


def test_a_full_disk_is_no_reason_to_try_the_other_engine(
    demo: Path, tmp_path: Path, mounted: Mount
) -> None:
    disk = mounted("size=3m")
    environment = {**os.environ, "TMPDIR": str(disk)}
    done = process(*_convert(demo, tmp_path / "out", "--no-cache"), env=environment)
    assert "trying the engine `tensorflow`" not in done.stderr


def test_results_on_a_full_disk(cli: Cli, made_bundle: Path, demo: Path, mounted: Mount) -> None:
    disk = mounted("size=16k")
    (disk / "results.json").write_text("[]")
    (disk / "filler").write_bytes(bytes(12288))
    picture = demo / "validation" / "images" / "000.jpg"
    said = cli.fails(1, "detect", made_bundle, picture, "--coco", disk / "results.json")
    assert f"The disk of {disk} is full. Try: Free some space, or choose another --coco." in said
    assert (disk / "results.json").read_text() == "[]"
    assert names_in(disk) == ["filler", "results.json"]
    said = cli.fails(1, "detect", made_bundle, picture, "-o", disk / "drawn")
    assert "is full. Try: Free some space, or choose another --output." in said


def test_a_folder_that_cannot_be_written(
    cli: Cli, demo: Path, made_bundle: Path, mounted: Mount
) -> None:
    disk = mounted("size=12m")
    subprocess.run(["cp", "-r", made_bundle, disk / "bundle"], check=True)
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    said = cli.fails(1, *_convert(demo, disk / "out"))
    assert f"{disk / 'out'} cannot be written: Read-only file system." in said
    said = cli.fails(1, *_convert(demo, disk / "bundle", "--force"))
    assert "cannot be written: Read-only file system." in said
    images = demo / "validation" / "images"
    said = cli.fails(1, "validate", disk / "bundle", "--images", images)
    assert "cannot be written: Read-only file system." in said
    said = cli.fails(1, "detect", made_bundle, images, "-o", disk / "drawn")
    assert f"{disk / 'drawn'} cannot be written: Read-only file system." in said
    said = cli.fails(1, "detect", made_bundle, images, "--coco", disk / "results.json")
    assert "cannot be written: Read-only file system." in said
    assert cli("verify", disk / "bundle").code == 0
