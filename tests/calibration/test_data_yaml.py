"""data.yaml: read as Ultralytics does, without trusting it."""

import os
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mobileq.calibration.data_yaml import read_data_yaml
from mobileq.calibration.samples import open_samples
from mobileq.errors import InputError, MobileqError, UsageError
from mobileq.spec import PreprocessSpec, TensorSpec

PREPROCESS = PreprocessSpec(width=8, height=8)
INPUT = TensorSpec(name="images", shape=(1, 3, 8, 8), dtype="float32", layout="NCHW")


def write(folder: Path, text: str, *pictures: str) -> Path:
    for name in pictures:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(folder / name), np.zeros((4, 4, 3), np.uint8))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "data.yaml").write_text(text)
    return folder / "data.yaml"


def ids(path: Path, split: str = "train") -> tuple[str, ...]:
    return open_samples(path, PREPROCESS, (INPUT,), split=split).ids


def test_splits_are_folders_below_the_path(tmp_path: Path) -> None:
    text = "path: set\ntrain: images/train\nval: images/val\ntest:  # none\nnames: {0: cat}\n"
    path = write(tmp_path, text, "set/images/train/a.png", "set/images/val/b.png")
    assert ids(path) == ("images/train/a.png",)
    assert ids(path, "val") == ("images/val/b.png",)
    with pytest.raises(UsageError) as caught:
        ids(path, "test")
    assert caught.value.hint == "It has: train, val."


def test_split_may_be_several_folders_without_repetitions(tmp_path: Path) -> None:
    path = write(tmp_path, "train: [b, a, b/c]\n", "a/1.png", "b/1.png", "b/c/2.png")
    assert ids(path) == ("a/1.png", "b/1.png", "b/c/2.png")


def test_split_may_be_a_list_file(tmp_path: Path) -> None:
    path = write(tmp_path, "path: set\ntrain: lists/train.txt\n", "set/x/1.png", "set/x/2.png")
    (tmp_path / "set" / "lists").mkdir()
    lines = ["\ufeff./../x/2.png", "", "x/1.png\r", str(tmp_path / "set/x/1.png")]
    (tmp_path / "set" / "lists" / "train.txt").write_text("\n".join(lines))
    assert ids(path) == ("x/1.png", "x/2.png")


def test_list_may_name_files_that_do_not_exist(tmp_path: Path) -> None:
    path = write(tmp_path, "train: t.txt\n", "a.png")
    (tmp_path / "t.txt").write_text("a.png\ngone.png\n")
    samples = open_samples(path, PREPROCESS, (INPUT,))
    assert samples.ids == ("a.png",)
    assert [name for name, _ in samples.skipped] == ["gone.png"]


def test_list_of_something_else_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "train: t.txt\n")
    (tmp_path / "t.txt").write_text("0 0.5 0.5 1 1\n")
    with pytest.raises(InputError, match="not a list of images"):
        ids(path)


def test_path_of_another_machine_falls_back_to_the_files_own_folder(tmp_path: Path) -> None:
    path = write(tmp_path, "path: ../datasets/nowhere\ntrain: images\n", "images/a.png")
    assert ids(path) == ("images/a.png",)


def test_step_up_of_roboflow_exports_is_understood(tmp_path: Path) -> None:
    path = write(tmp_path / "set", "train: ../train/images\n", "train/images/a.png")
    assert ids(path) == ("train/images/a.png",)


def test_pictures_outside_the_root_have_ids_without_their_place(tmp_path: Path) -> None:
    write(tmp_path / "far", "", "photos/a.png")
    path = write(tmp_path / "set", f"train: [{tmp_path}/far/photos, b.png]\n", "b.png")
    assert ids(path) == ("b.png", "photos/a.png")


def test_pictures_outside_the_root_with_equal_ids_are_kept_apart(tmp_path: Path) -> None:
    write(tmp_path / "x", "", "photos/a.png")
    write(tmp_path / "y", "", "photos/a.png")
    path = write(tmp_path / "set", f"train: [{tmp_path}/x/photos, {tmp_path}/y/photos]\n")
    assert ids(path) == ("photos/a.png", "photos/a.png (2)")


def test_split_may_be_one_picture(tmp_path: Path) -> None:
    assert ids(write(tmp_path, "train: x/a.png\n", "x/a.png")) == ("x/a.png",)


def test_ids_do_not_depend_on_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "set", "train: ../images\n")
    write(tmp_path, "", "images/a.png")
    expected = ids(path)
    monkeypatch.chdir(tmp_path / "set")
    assert ids(Path("data.yaml")) == expected


def test_folder_that_does_not_exist_is_named(tmp_path: Path) -> None:
    path = write(tmp_path, "train: imagse\n")
    with pytest.raises(InputError, match="`train` is 'imagse'"):
        ids(path)


def test_split_without_images_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "train: images\n")
    (tmp_path / "images").mkdir()
    with pytest.raises(InputError, match="holds no images"):
        ids(path)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("names: [cat, no, 1e3, 007]\n", {0: "cat", 1: "no", 2: "1e3", 3: "007"}),
        ("names:\n  1: b\n  0: a\n", {0: "a", 1: "b"}),
        ("names:\n", {}),
        ("train: x\n", {}),
    ],
)
def test_class_names_are_kept_as_written(tmp_path: Path, text: str, names: dict[int, str]) -> None:
    read = read_data_yaml(write(tmp_path, text)).names
    assert list(read.items()) == list(names.items())


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("names: cat\n", "`names` is not a list"),
        ("names: [[a]]\n", "`names` is not a list"),
        ("names: {a: b}\n", "`names` is not a list"),
        ("names: {0: a, 00: b}\n", "`names` is not a list"),
        ("train: {a: b}\n", "`train` is not a path"),
        ("train: [a, [b]]\n", "`train` is not a path"),
        ("train: [&a [*a]]\n", "recursive"),
        ("- a\n", "not a data.yaml"),
        ("", "not a data.yaml"),
        ("train: [a\n", "not valid YAML in line"),
        ("\t", "not valid YAML"),
        ("a: " + "[" * 5000, "not valid YAML"),
        ("? [a]\n: b\n", "not valid YAML in line 1"),
    ],
)
def test_unusable_file_is_refused_in_one_sentence(tmp_path: Path, text: str, part: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(InputError) as caught:
        read_data_yaml(path)
    assert part in caught.value.message
    assert "\n" not in caught.value.message


def test_nothing_in_the_file_is_run(tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    text = f"download: touch {marker}\nx: !!python/object/apply:os.mkdir ['{marker}']\ntrain: a\n"
    path = write(tmp_path, text, "a/1.png")
    with suppress(InputError):
        ids(path)
    assert not marker.exists()


def test_missing_file_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.yaml cannot be read"):
        read_data_yaml(tmp_path / "none.yaml")


YAML_PIECES = st.sampled_from(
    ["train", "val", "path", "names", ":", ": ", "\n", "\n  ", "- ", "[", "]", "{", "}", ",", "&a ",
     "*a", "!!int ", "<<", "0", "a", "'", '"\\0"', '"\\uD800"', "|", "#", "\t", "~", "/", "..", "?"]
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(
    data=st.lists(YAML_PIECES, max_size=24).map(lambda pieces: "".join(pieces).encode())
    | st.text(max_size=12).map(lambda text: f"train: {text}\nnames: {text}".encode())
    | st.binary(max_size=40)
)
def test_any_bytes_are_read_or_refused_but_never_crash(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzz-yaml" / "data.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)
    message = ""
    try:
        places = read_data_yaml(path).places("train")
    except MobileqError as error:
        message = error.message
    else:
        assert all(os.path.exists(place) for place in places)
    assert "\n" not in message


@settings(max_examples=100, deadline=None)
@given(data=st.binary(max_size=40) | st.text(max_size=30).map(str.encode))
def test_any_list_file_is_read_or_refused_but_never_crashes(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    folder = tmp_path_factory.getbasetemp() / "fuzz-list"
    path = write(folder, "train: t.txt\n", "a.png")
    (folder / "t.txt").write_bytes(data + b"\na.png\n./a.png")
    found: tuple[str, ...] = ()
    message = ""
    try:
        found = ids(path)
    except InputError as error:
        message = error.message
    assert ("a.png" in found) != bool(message)
    assert "\n" not in message
