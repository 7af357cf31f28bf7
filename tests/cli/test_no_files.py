"""Pipes, devices, sockets and folders wherever a command takes a path: said at once, in a sentence,
without waiting and without filling the memory."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import msgspec
import onnx
import pytest

from mobileq.manifest import read_manifest, write_manifest

from .commands import Cli, Result, assert_explained, names_in

pytestmark = pytest.mark.usefixtures("children")

_LIMIT_S = 120
_MEMORY = 3 << 30
"""Bytes that a command may take: a failure is not to fill the machine."""


@pytest.fixture(autouse=True)
def bounded() -> Iterator[None]:
    """A command that waits or reads without end is a failure."""

    def late(number: int, frame: FrameType | None) -> None:
        raise TimeoutError("still waiting")

    before = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    signal.signal(signal.SIGALRM, late)
    signal.alarm(_LIMIT_S)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + _MEMORY, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)
    signal.alarm(0)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)


def _put(kind: str, path: Path) -> Path:
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "endless":
        path.symlink_to("/dev/zero")
    elif kind == "socket":
        here = os.getcwd()
        os.chdir(path.parent)  # a socket's path has 107 bytes at most
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(path.name)
        os.chdir(here)
    elif kind == "folder":
        path.mkdir()
        (path / "file").touch()
    elif kind == "loop":
        path.symlink_to(path.name)
    return path


KINDS = ("pipe", "endless", "socket", "folder", "loop")

# MODEL, PICTURES, BUNDLE, OUT stand for what is right; IT for what is attacked, with its suffix.
CONVERT = ("convert", "MODEL", "-o", "OUT")
PLACES = {
    "convert": ("convert", "IT.onnx", "-o", "OUT"),
    "convert --calib picture": (*CONVERT, "--calib", "IT.jpg"),
    "convert --calib array": (*CONVERT, "--calib", "IT.npy"),
    "convert --calib arrays": (*CONVERT, "--calib", "IT.npz"),
    "convert --calib video": (*CONVERT, "--calib", "IT.mp4"),
    "convert --calib data.yaml": (*CONVERT, "--calib", "IT.yaml"),
    "convert --labels": (*CONVERT, "--labels", "IT.txt"),
    "convert --labels yaml": (*CONVERT, "--labels", "IT.yaml"),
    "convert --spec": (*CONVERT, "--spec", "IT.toml"),
    "convert --recipe": (*CONVERT, "--recipe", "IT.json"),
    "convert --set": (*CONVERT, "--set", "images=IT.npy"),
    "convert --annotations": (
        *CONVERT,
        *("--precision", "int8", "--calib", "PICTURES", "--budget", "0.1"),
        *("--annotations", "IT.json", "--eval-images", "PICTURES"),
    ),
    "inspect onnx": ("inspect", "IT.onnx"),
    "inspect tflite": ("inspect", "IT.tflite"),
    "inspect mnn": ("inspect", "IT.mnn"),
    "detect onnx": ("detect", "IT.onnx", "PICTURES"),
    "detect tflite": ("detect", "IT.tflite", "PICTURES"),
    "detect mnn": ("detect", "IT.mnn", "PICTURES"),
    "detect picture": ("detect", "BUNDLE", "IT.jpg"),
    "detect video": ("detect", "BUNDLE", "IT.mp4"),
    "detect --annotations": ("detect", "BUNDLE", "PICTURES", "--annotations", "IT.json"),
    "detect --labels": ("detect", "MODEL", "PICTURES", "--labels", "IT.txt"),
    "sensitivity": ("sensitivity", "IT.onnx", "--calib", "PICTURES"),
    "sensitivity --calib": ("sensitivity", "MODEL", "--calib", "IT.npy"),
    "validate --annotations": (
        *("validate", "BUNDLE", "--images", "PICTURES"),
        *("--annotations", "IT.yaml"),
    ),
}
TAKES_BUNDLES = ("detect onnx", "detect tflite", "detect mnn")
"""To which a folder is a bundle."""


@pytest.mark.parametrize(
    ("place", "kind"),
    [
        (place, kind)
        for place in PLACES
        for kind in KINDS
        if not (kind == "folder" and place in TAKES_BUNDLES)
    ],
)
def test_what_is_no_file_is_refused_at_once(
    cli: Cli, demo: Path, made_bundle: Path, tmp_path: Path, place: str, kind: str
) -> None:
    where = tmp_path / "given"
    where.mkdir()
    known = {
        "MODEL": str(demo / "demo.onnx"),
        "PICTURES": str(demo / "validation" / "images"),
        "BUNDLE": str(made_bundle),
        "OUT": str(tmp_path / "out"),
    }
    given = [known.get(word, word.replace("IT.", f"{where}/it.")) for word in PLACES[place]]
    suffix = next(word for word in PLACES[place] if "IT." in word).rpartition("IT.")[2]
    path = _put(kind, where / f"it.{suffix}")
    result = cli(*given)
    assert result.code in (1, 2), result
    assert_explained(result, result.code)
    assert path.name in result.err
    assert not (tmp_path / "out").exists()
    assert names_in(where) == [path.name]


@pytest.mark.parametrize("kind", ["pipe", "endless"])
@pytest.mark.parametrize("name", ["manifest.json", "models/demo-fp32.tflite", "report.json"])
@pytest.mark.parametrize("command", ["detect", "verify", "validate", "android", "convert"])
def test_a_bundle_with_something_else_among_its_files(
    cli: Cli, demo: Path, bundle: Path, tmp_path: Path, command: str, name: str, kind: str
) -> None:
    (bundle / name).unlink()
    _put(kind, bundle / name)
    pictures = demo / "validation" / "images"
    arguments: dict[str, tuple[object, ...]] = {
        "detect": (bundle, pictures / "000.jpg"),
        "verify": (bundle,),
        "validate": (bundle, "--images", pictures),
        "android": (bundle, "-o", tmp_path / "app", "--application-id", "a.b", "--name", "A"),
        "convert": (demo / "demo.onnx", "-o", bundle),
    }
    result = cli(command, *arguments[command])
    if (command, name) == ("detect", "report.json"):  # which it does not need
        assert result.code == 0
    elif command == "verify" and name != "manifest.json":
        assert result.code == 1
        assert name in result.out
    else:
        assert result.code in (1, 2), result
        assert_explained(result, result.code)


@pytest.mark.parametrize("kind", ["pipe", "endless", "loop"])
def test_weights_that_are_no_file(cli: Cli, demo: Path, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "m.onnx"
    onnx.save_model(
        onnx.load(demo / "demo.onnx"), str(path), save_as_external_data=True, location="w.bin"
    )
    (tmp_path / "w.bin").unlink()
    _put(kind, tmp_path / "w.bin")
    assert "w.bin" in cli.fails(1, "inspect", path)


def test_weights_behind_a_link_out_of_the_folder_are_told_of(
    cli: Cli, demo: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    path, weights = folder / "m.onnx", tmp_path / "elsewhere.bin"
    onnx.save_model(
        onnx.load(demo / "demo.onnx"), str(path), save_as_external_data=True, location="w.bin",
        size_threshold=16,
    )  # fmt: skip
    assert "link" not in cli("inspect", path).err
    (folder / "w.bin").rename(weights)
    (folder / "w.bin").symlink_to(weights)
    said = f"The weights in 'w.bin' are a link out of the model's folder, to {weights}."
    assert said in json.loads(cli("inspect", path, "--json").out)["notices"]
    # A cache of downloads keeps both under other names in one folder.
    path.rename(tmp_path / "blob")
    path.symlink_to(tmp_path / "blob")
    assert said not in json.loads(cli("inspect", path, "--json").out)["notices"]


@pytest.mark.parametrize("kind", ["pipe", "endless", "socket", "loop"])
def test_a_folder_of_pictures_with_something_else_in_it(
    cli: Cli, demo: Path, made_bundle: Path, tmp_path: Path, kind: str
) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    shutil.copy(demo / "validation" / "images" / "000.jpg", folder / "a.jpg")
    _put(kind, folder / "b.jpg")
    result: Result = cli("detect", made_bundle, folder)
    assert result.code == 0
    assert "b.jpg" in result.err
    names = (made_bundle / "labels.txt").read_text().split()
    (tmp_path / "labels.json").write_text(
        json.dumps(
            {
                "images": [{"id": 1, "file_name": "a.jpg"}, {"id": 2, "file_name": "b.jpg"}],
                "annotations": [
                    {"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 1, 9, 9], "iscrowd": 0}
                ],
                "categories": [{"id": at, "name": name} for at, name in enumerate(names, 1)],
            }
        )
    )
    result = cli("validate", made_bundle, "--images", folder, "--annotations",
                 tmp_path / "labels.json", "-o", tmp_path / "report.json")  # fmt: skip
    assert result.code == 0, result.err


@pytest.mark.parametrize("kind", ["pipe", "endless"])
def test_labels_beside_pictures_that_are_no_file(
    cli: Cli, demo: Path, made_bundle: Path, tmp_path: Path, kind: str
) -> None:
    data = tmp_path / "data"
    (data / "images").mkdir(parents=True)
    (data / "labels").mkdir()
    shutil.copy(demo / "validation" / "images" / "000.jpg", data / "images" / "a.jpg")
    _put(kind, data / "labels" / "a.txt")
    (data / "data.yaml").write_text("val: images\nnames: [square, circle, cross, star]\n")
    said = cli.fails(
        1, "validate", made_bundle, "--images", data / "images", "--annotations", data / "data.yaml"
    )
    assert "a.txt cannot be read: it is a " in said
    _put(kind, data / "list.txt")
    (data / "data.yaml").write_text("train: list.txt\nnames: [square, circle, cross, star]\n")
    said = cli.fails(
        1, "convert", demo / "demo.onnx", "-o", tmp_path / "out", "--calib", data / "data.yaml"
    )
    assert "list.txt cannot be read: it is a " in said


@pytest.mark.parametrize("command", ["detect", "validate", "android"])
def test_a_bundle_without_model_files_is_said_to_be_one(
    cli: Cli, demo: Path, bundle: Path, tmp_path: Path, command: str
) -> None:
    path = bundle / "manifest.json"
    manifest = read_manifest(path)
    write_manifest(msgspec.structs.replace(manifest, artifacts=(), measurements={}), path)
    pictures = demo / "validation" / "images"
    arguments: dict[str, tuple[object, ...]] = {
        "detect": (bundle, pictures),
        "validate": (bundle, "--images", pictures),
        "android": (bundle, "-o", tmp_path / "app", "--application-id", "a.b", "--name", "A"),
    }
    said = cli.fails(1, command, *arguments[command])
    assert f"The bundle {bundle} has no model files. Try: Make it again with " in said
