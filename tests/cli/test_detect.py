"""`mobileq detect`."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import threading
import tracemalloc
from pathlib import Path

import cv2
import pytest

from mobileq.workflows.detect import detect

from . import models
from .commands import Cli, names_in


@pytest.fixture
def picture(demo: Path) -> Path:
    return demo / "validation" / "images" / "000.jpg"


def test_detections_are_listed_drawn_and_written(
    cli: Cli, made_bundle: Path, demo: Path, picture: Path, tmp_path: Path
) -> None:
    coco, drawn = tmp_path / "new" / "results.json", tmp_path / "drawn"
    annotations = demo / "validation.json"
    result = cli(
        *("detect", made_bundle, picture, "--artifact", "fp16", "--coco", coco),
        *("--annotations", annotations, "-o", drawn),
    )
    assert (result.code, result.err) == (0, "")
    assert "000.jpg" in result.out
    assert f"COCO results: {coco}" in result.out
    assert names_in(drawn) == ["000.jpg"]
    assert names_in(coco.parent) == ["results.json"]
    known = json.loads(annotations.read_text())
    image_id = next(i["id"] for i in known["images"] if i["file_name"].endswith("000.jpg"))
    written = json.loads(coco.read_text())
    assert {entry["image_id"] for entry in written} == {image_id}
    assert {e["category_id"] for e in written} <= {c["id"] for c in known["categories"]}


def test_a_video_is_listed_by_frame_and_drawn_as_a_video(
    cli: Cli, made_bundle: Path, picture: Path, tmp_path: Path
) -> None:
    frame = cv2.imread(str(picture))
    height, width = frame.shape[:2]
    writer = cv2.VideoWriter(
        str(tmp_path / "street.avi"), cv2.VideoWriter.fourcc(*"mp4v"), 10.0, (width, height)
    )
    for _ in range(3):
        writer.write(frame)
    writer.release()
    drawn = tmp_path / "drawn"
    result = cli("detect", made_bundle, tmp_path / "street.avi", picture, "-o", drawn)
    assert (result.code, result.err) == (0, "")
    assert all(f"street.avi #{number} " in result.out for number in range(3))
    assert result.out.count("Drawn: ") == 2
    assert names_in(drawn) == ["000.jpg", "street.mp4"]
    video = cv2.VideoCapture(str(drawn / "street.mp4"))
    assert (video.get(cv2.CAP_PROP_FRAME_COUNT), video.get(cv2.CAP_PROP_FPS)) == (3, 10)
    assert video.read()[1].shape == (height // 2 * 2, width, 3), "the format has even sides"
    annotations = ("--annotations", made_bundle / "none.json")
    said = cli.fails(2, "detect", made_bundle, tmp_path / "street.avi", *annotations)
    assert "Annotations are of picture files" in said


def test_of_many_objects_the_first_are_listed_and_all_are_counted(
    cli: Cli, made_bundle: Path, demo: Path
) -> None:
    folder = demo / "validation" / "images"
    result = cli("detect", made_bundle, folder)
    found = [
        each["objects"]
        for each in cli("detect", made_bundle, folder, "--json").document["pictures"]
    ]
    count = sum(map(len, found))
    assert count > 100
    assert f"{count - 100} more objects; --json has all." in result.out
    assert "In 32 pictures: " in result.out
    summary = result.out.split("In 32 pictures: ")[1].splitlines()[0]
    assert sum(int(each.split()[0]) for each in summary.split(", ")) == count


def test_json_is_one_document_and_names_what_was_skipped(
    cli: Cli, made_bundle: Path, picture: Path, tmp_path: Path
) -> None:
    damaged = tmp_path / "damaged.jpg"
    damaged.write_text("no picture")
    result = cli("detect", made_bundle, picture, damaged, "--json")
    assert result.code == 0
    assert [Path(each["image"]).name for each in result.document["pictures"]] == ["000.jpg"]
    assert result.document["pictures"][0]["objects"]
    assert result.document["skipped"][0][0] == str(damaged)
    assert result.document["notices"] == [
        f"Skipped: {damaged} is not a picture that can be decoded."
    ]


@pytest.mark.real_model
def test_a_file_whose_outputs_change_is_refused(
    cli: Cli, data_folder: Path, picture: Path, tmp_path: Path
) -> None:
    model = data_folder / "peers" / "anu_yolo11n_int8.tflite"
    said = cli.fails(1, "detect", model, picture, "--labels", "coco80", "-o", tmp_path / "drawn")
    assert "anu_yolo11n_int8.tflite gives other outputs for the same picture" in said
    assert not (tmp_path / "drawn").exists()


def test_unreadable_pictures_are_skipped_with_a_note(
    cli: Cli, made_bundle: Path, picture: Path, tmp_path: Path
) -> None:
    for name, content in (("zero.jpg", b""), ("text.png", b"no picture")):
        (tmp_path / name).write_bytes(content)
    result = cli("detect", made_bundle, tmp_path, picture)
    assert result.code == 0
    assert "Note: Skipped: " in result.err
    assert "zero.jpg is empty" in result.err
    assert "text.png is not a picture" in result.err


def test_none_readable_is_an_error_and_nothing_is_written(
    cli: Cli, made_bundle: Path, tmp_path: Path
) -> None:
    (tmp_path / "zero.jpg").touch()
    coco = tmp_path / "results.json"
    said = cli.fails(1, "detect", made_bundle, tmp_path / "zero.jpg", "--coco", coco)
    assert "None of the pictures can be read." in said
    assert not coco.exists()


def test_a_picture_without_a_suffix_is_drawn_as_png(
    cli: Cli, made_bundle: Path, picture: Path, tmp_path: Path
) -> None:
    shutil.copy(picture, tmp_path / "frame")
    result = cli("detect", made_bundle, tmp_path / "frame", "-o", tmp_path / "drawn")
    assert (result.code, result.err) == (0, "")
    assert names_in(tmp_path / "drawn") == ["frame.png"]


def test_a_name_that_is_no_text_is_shown_escaped(
    cli: Cli, made_bundle: Path, picture: Path, tmp_path: Path
) -> None:
    path = os.path.join(os.fsencode(tmp_path), b"caf\xe9.jpg")
    shutil.copy(picture, path)
    for json_flag in ((), ("--json",)):
        result = cli("detect", made_bundle, os.fsdecode(path), *json_flag)
        assert (result.code, result.err) == (0, "")
        assert "caf\\" in result.out


def test_no_pictures(cli: Cli, made_bundle: Path, tmp_path: Path) -> None:
    assert "holds no images." in cli.fails(1, "detect", made_bundle, tmp_path)
    missing = tmp_path / "missing.jpg"
    assert f"There is no picture {missing}." in cli.fails(2, "detect", made_bundle, missing)


def test_a_model_of_no_known_family(cli: Cli, picture: Path, tmp_path: Path) -> None:
    said = cli.fails(2, "detect", models.plain(tmp_path / "plain.onnx"), picture)
    assert "can't be decoded: its family is not known." in said
    assert "--family" in said


def test_an_unknown_artifact(cli: Cli, made_bundle: Path, demo: Path, picture: Path) -> None:
    said = cli.fails(2, "detect", made_bundle, picture, "--artifact", "int8")
    assert "has no artifact 'int8'. Try: Choose of: tflite-fp32, tflite-fp16, tflite-dyn" in said
    said = cli.fails(2, "detect", demo / "demo.onnx", picture, "--artifact", "fp32")
    assert "is a lone file. Try: Leave out --artifact." in said


@pytest.mark.parametrize(
    "option", [("--family", "yolov8"), ("--labels", "coco80"), ("--input-shape", "images:1")]
)
def test_a_bundle_is_not_overridden_in_silence(
    cli: Cli, made_bundle: Path, picture: Path, option: tuple[str, str]
) -> None:
    assert "is a bundle, which says itself" in cli.fails(2, "detect", made_bundle, picture, *option)


def test_a_missing_artifact(cli: Cli, bundle: Path, picture: Path) -> None:
    (bundle / "models" / "demo-fp16.tflite").unlink()
    said = cli.fails(1, "detect", bundle, picture, "--artifact", "fp16")
    assert "demo-fp16.tflite is missing. Try: Make the bundle again" in said


@pytest.mark.parametrize(
    ("option", "place", "code", "words"),
    [
        ("--coco", ".", 2, "is a folder. Try: Give --coco the name of a file."),
        ("--coco", "file/results.json", 1, "cannot be written: Not a directory. Try: Choose anoth"),
        ("--coco", "/proc/results.json", 1, "/proc/results.json cannot be written"),
        ("-o", "file", 2, "is not a folder. Try: Give --output the name of a folder."),
        ("-o", "/proc/drawn", 1, "/proc/drawn cannot be written"),
    ],
)
def test_a_place_that_cannot_be_written_is_found_before_the_work(
    cli: Cli, made_bundle: Path, picture: Path, tmp_path: Path,
    option: str, place: str, code: int, words: str,
) -> None:  # fmt: skip
    if place.startswith("/proc") and not Path("/proc/self").exists():
        pytest.skip("this system has no /proc")
    (tmp_path / "file").write_text("mine")
    # Not even the model is opened: a damaged one would be the first to be named.
    (tmp_path / "model.onnx").write_text("damaged")
    before = names_in(tmp_path)
    for model in (made_bundle, tmp_path / "model.onnx"):
        assert words in cli.fails(code, "detect", model, picture, option, tmp_path / place)
    assert names_in(tmp_path) == before
    assert (tmp_path / "file").read_text() == "mine"


def test_results_go_into_a_pipe_and_do_not_replace_it(
    cli: Cli, made_bundle: Path, picture: Path, tmp_path: Path
) -> None:
    pipe, received = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: received.append(pipe.read_text()), daemon=True)
    reader.start()
    assert cli("detect", made_bundle, picture, "--coco", pipe).code == 0
    reader.join(10)
    assert isinstance(json.loads(received[0]), list)
    assert pipe.is_fifo()


def test_results_of_an_earlier_run_stay_where_the_new_run_fails(
    cli: Cli, made_bundle: Path, tmp_path: Path
) -> None:
    coco = tmp_path / "results.json"
    coco.write_text("[]")
    (tmp_path / "zero.jpg").touch()
    cli.fails(1, "detect", made_bundle, tmp_path / "zero.jpg", "--coco", coco)
    assert coco.read_text() == "[]"


def test_annotations_of_other_pictures(
    cli: Cli, made_bundle: Path, demo: Path, picture: Path, tmp_path: Path
) -> None:
    annotations = demo / "validation.json"
    stranger = tmp_path / "stranger.jpg"
    shutil.copy(picture, stranger)
    said = cli.fails(1, "detect", made_bundle, stranger, "--annotations", annotations)
    assert "is in" in said
    missing = tmp_path / "missing.json"
    said = cli.fails(2, "detect", made_bundle, picture, "--annotations", missing)
    assert f"There is no file {missing}." in said
    broken = tmp_path / "broken.json"
    broken.write_text('{"images": 3')
    said = cli.fails(1, "detect", made_bundle, picture, "--annotations", broken)
    assert f"{broken} cannot be used: field `images`" in said


def test_what_is_no_mnn_file_is_said(cli: Cli, picture: Path, tmp_path: Path) -> None:
    (tmp_path / "model.mnn").write_text("anything")
    said = cli.fails(1, "detect", tmp_path / "model.mnn", picture)
    assert "model.mnn" in said


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("ai_edge_litert", "ai_edge_litert"),
        pytest.param("tensorflow", "tf.lite.Interpreter", marks=pytest.mark.tensorflow),
    ],
)
def test_either_interpreter_serves_and_is_named(
    cli: Cli, made_bundle: Path, picture: Path, name: str, said: str
) -> None:
    result = cli("detect", made_bundle, picture, "--interpreter", name, "--json")
    assert json.loads(result.out)["interpreter"].startswith(said)


def test_an_interpreter_that_there_is_not(cli: Cli, made_bundle: Path, picture: Path) -> None:
    said = cli.fails(2, "detect", made_bundle, picture, "--interpreter", "tvm")
    assert "'tvm'" in said
    assert "ai_edge_litert, tensorflow" in said


def test_memory_does_not_grow_with_the_pictures(demo: Path, tmp_path: Path) -> None:
    """Only what is found stays, some kilobytes of a picture."""
    pictures = sorted((demo / "validation" / "images").iterdir())
    kept, peaks = [], []
    # The first run imports; how many are on their way at once depends on the machine's load, and
    # has taken 4 MB more of one run than of another: decoded, a picture has 270 kB.
    for count in (8, 160, 800):
        paths = list(itertools.islice(itertools.cycle(pictures), count))
        tracemalloc.start()
        run = detect(demo / "demo.onnx", paths, coco=tmp_path / "results.json")
        for found, memory in zip((kept, peaks), tracemalloc.get_traced_memory(), strict=True):
            found.append(memory)
        tracemalloc.stop()
        assert len(run.pictures) == count
    assert (kept[2] - kept[1]) / 640 < 8000
    assert (peaks[2] - peaks[1]) / 640 < 8000
    results = json.loads((tmp_path / "results.json").read_text())
    assert {entry["image_id"] for entry in results} == set(range(800))
