"""Ground truth from COCO files and YOLO labels, none of which is trusted."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mobileq.errors import InputError, UsageError
from mobileq.tasks.detect.labels.dataset import GroundTruth, image_dimensions, load_ground_truth
from mobileq.tasks.detect.labels.yolo_labels import LabelBox, label_path, read_labels
from mobileq.vision.preprocess import read_image

from .coco_files import coco, load_coco, write_pictures


def write_yolo(tmp_path: Path, labels: dict[str, str], names: str = "[cat, dog]") -> Path:
    """Pictures of 20 x 10 and their labels; returns the data.yaml."""
    for name, text in labels.items():
        write_pictures(tmp_path, f"images/{name}.png")
        (tmp_path / "labels").mkdir(exist_ok=True)
        (tmp_path / "labels" / f"{name}.txt").write_text(text)
    (tmp_path / "data.yaml").write_text(f"train: images\nval: images\nnames: {names}\n")
    return tmp_path / "data.yaml"


def test_yolo_labels_become_boxes_in_pixels(tmp_path: Path) -> None:
    data = write_yolo(tmp_path, {"b": "1 0.5 0.5 0.2 0.4\n\n", "a": "0 0 0 0.5 0 0.5 1"})
    truth = load_ground_truth(data)
    assert truth.images == ((1, tmp_path / "images/a.png"), (2, tmp_path / "images/b.png"))
    assert truth.categories == ((0, "cat"), (1, "dog"))
    outline, box = truth.coco["annotations"]
    assert (outline["image_id"], outline["category_id"], box["category_id"]) == (1, 0, 1)
    np.testing.assert_allclose(outline["bbox"], [0, 0, 10, 10])
    np.testing.assert_allclose(box["bbox"], [8, 3, 4, 4])
    np.testing.assert_allclose(box["area"], 16)


def test_yolo_pictures_may_be_in_a_folder_of_their_own(tmp_path: Path) -> None:
    data = write_yolo(tmp_path, {"a": "0 0.5 0.5 1 1"})
    write_yolo(tmp_path / "other", {"x": "1 0.5 0.5 1 1"})
    truth = load_ground_truth(data, tmp_path / "other" / "images")
    assert truth.images == ((1, tmp_path / "other" / "images" / "x.png"),)
    assert [box["category_id"] for box in truth.coco["annotations"]] == [1]


def test_more_boxes_than_a_picture_can_hold_are_refused(tmp_path: Path) -> None:
    write_pictures(tmp_path / "images", "a.png", "b.png", "c.png")
    entry = coco()["annotations"][0]
    load_coco(tmp_path, coco(annotations=[entry] * 5000))
    with pytest.raises(InputError, match=r"holds 5,001 boxes for image \d+; 5,000 is the most"):
        load_coco(tmp_path, coco(annotations=[entry] * 5001))
    lines = "".join(f"0 0.5 0.5 0.1 {number / 10000}\n" for number in range(5001))
    file = write_yolo(tmp_path, {"a": lines})
    with pytest.raises(InputError, match=r"a\.txt holds 5,001 boxes; 5,000 is the most"):
        load_ground_truth(file)


def test_picture_without_a_label_file_is_empty(tmp_path: Path) -> None:
    data = write_yolo(tmp_path, {"a": "0 0.5 0.5 1 1"})
    write_pictures(tmp_path, "images/b.png")
    truth = load_ground_truth(data)
    assert len(truth.images) == 2
    assert truth.notices == ("1 pictures have no label file and count as empty: b.png.",)


def test_data_set_without_any_labels_is_refused(tmp_path: Path) -> None:
    data = write_yolo(tmp_path, {"a": ""})
    (tmp_path / "labels" / "a.txt").unlink()
    with pytest.raises(InputError, match=r"there is no .*labels/a\.txt"):
        load_ground_truth(data)


def test_data_set_without_names_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no class names"):
        load_ground_truth(write_yolo(tmp_path, {"a": ""}, names=""))


def test_repeated_label_counts_once(tmp_path: Path) -> None:
    data = write_yolo(tmp_path, {"a": "0 0.5 0.5 1 1\n0 0.5 0.5 1 1\n0 0.5 0.5 1 0.5"})
    assert len(load_ground_truth(data).coco["annotations"]) == 2


@pytest.mark.parametrize(
    ("line", "part"),
    [
        ("0 0.5 0.5 1", "4 values are neither"),
        ("0 0.5 0.5 1 1 0.9", "6 values are neither"),
        ("0 0.5 0.5 1 x", "not a number"),
        ("2 0.5 0.5 1 1", "the class 2 is not among the names"),
        ("0.5 0.5 0.5 1 1", "the class 0.5"),
        ("nan 0.5 0.5 1 1", "the class nan"),
        ("-1 0.5 0.5 1 1", "the class -1"),
        ("0 320 240 100 100", "from 0 to 1"),
        ("0 nan 0.5 1 1", "from 0 to 1"),
        ("0 inf 0.5 1 1", "from 0 to 1"),
        ("0 0.5 0.5 -0.005 1", "negative"),
    ],
)
def test_unusable_label_is_refused_with_its_line(tmp_path: Path, line: str, part: str) -> None:
    data = write_yolo(tmp_path, {"a": f"0 0.5 0.5 1 1\n{line}\n"})
    with pytest.raises(InputError) as caught:
        load_ground_truth(data)
    assert part in caught.value.message
    assert "a.txt, line 2: " in caught.value.message


def test_label_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    data = write_yolo(tmp_path, {"a": ""})
    (tmp_path / "labels" / "a.txt").write_bytes(b"\xff")
    with pytest.raises(InputError, match=r"a\.txt is not a text file"):
        load_ground_truth(data)
    (tmp_path / "labels" / "a.txt").unlink()
    (tmp_path / "labels" / "a.txt").mkdir()
    with pytest.raises(InputError, match=r"a\.txt cannot be read"):
        load_ground_truth(data)


@settings(max_examples=150, deadline=None)
@given(
    data=st.binary(max_size=40)
    | st.lists(
        st.sampled_from(["0", "1", "0.5", "-0", "1e9", "nan", "\n", "x", "1_0", "٣"]), max_size=12
    ).map(lambda fields: " ".join(fields).encode())
)
def test_any_labels_are_read_or_refused_but_never_crash(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzzed-labels.txt"
    path.write_bytes(data)
    message = ""
    try:
        boxes = read_labels(path, frozenset({0, 1}))
    except InputError as error:
        message = error.message
    else:
        assert boxes is not None
        assert all(box.class_id in (0, 1) and 0 <= box.width <= 1.02 for box in boxes)
    assert "\n" not in message


SIDES = st.integers(0, 64).map(lambda value: value / 64)


@given(boxes=st.lists(st.builds(LabelBox, st.integers(0, 1), SIDES, SIDES, SIDES, SIDES)))
def test_labels_read_back_as_written(
    tmp_path_factory: pytest.TempPathFactory, boxes: list[LabelBox]
) -> None:
    path = tmp_path_factory.getbasetemp() / "written-labels.txt"
    path.write_text("\n".join(" ".join(map(str, box)) for box in boxes))
    assert read_labels(path, frozenset({0, 1})) == tuple(dict.fromkeys(boxes))


def test_labels_lie_beside_the_last_images_folder() -> None:
    assert label_path(Path("/images/x/images/val/a.b.jpg")) == Path("/images/x/labels/val/a.b.txt")
    assert label_path(Path("photos/a.jpg")) == Path("photos/a.txt")
    assert label_path(Path("images")) == Path("images.txt")


@pytest.mark.parametrize(
    ("suffix", "orientation"),
    [(suffix, None) for suffix in (".png", ".jpg", ".bmp", ".webp", ".tiff")]
    + [(".jpg", 1), (".jpg", 6)],
)
def test_dimensions_are_those_of_the_decoded_picture(
    tmp_path: Path, suffix: str, orientation: int | None
) -> None:
    path = tmp_path / f"a{suffix}"
    write_pictures(tmp_path, path.name, width=31, height=17)
    if orientation:
        exif = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0" + bytes([orientation]) + b"\0" * 6
        segment = b"\xff\xe1" + (len(exif) + 8).to_bytes(2, "big") + b"Exif\0\0" + exif
        path.write_bytes(b"\xff\xd8" + segment + path.read_bytes()[2:])
    assert image_dimensions(path) == read_image(path).shape[1::-1]
    assert image_dimensions(path) == ((17, 31) if orientation == 6 else (31, 17))


def test_missing_paths_are_usage_errors(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no file"):
        load_ground_truth(tmp_path / "none.json", tmp_path)
    (tmp_path / "instances.json").write_text(json.dumps(coco()))
    with pytest.raises(UsageError, match="no folder"):
        load_ground_truth(tmp_path / "instances.json", tmp_path / "none")
    with pytest.raises(UsageError, match="Where the pictures"):
        load_ground_truth(tmp_path / "instances.json")


def test_annotations_that_are_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        load_ground_truth(tmp_path, tmp_path)


@pytest.mark.real_model
def test_coco_and_yolo_labels_of_the_data_folder_agree(data_folder: Path, tmp_path: Path) -> None:
    pictures = data_folder / "coco128"
    truth = load_ground_truth(pictures / "annotations.json", pictures / "images")
    assert (len(truth.images), len(truth.coco["annotations"])) == (128, 929)
    names = [name for _, name in truth.categories]
    yaml = tmp_path / "data.yaml"
    yaml.write_text(json.dumps({"path": str(pictures), "val": "images", "names": names}))
    labels = load_ground_truth(yaml)
    assert [path for _, path in labels.images] == [path for _, path in truth.images]
    index = {key: position for position, (key, _) in enumerate(truth.categories)}

    def boxes(truth: GroundTruth, class_of: dict[int, int]) -> np.ndarray:
        paths = dict(truth.images)
        order = {path: number for number, path in enumerate(sorted(paths.values()))}
        rows = [
            (order[paths[box["image_id"]]], class_of[box["category_id"]], *box["bbox"])
            for box in truth.coco["annotations"]
        ]
        return np.array(sorted(rows, key=lambda row: tuple(round(value) for value in row)))

    same = {number: number for number in range(len(names))}
    np.testing.assert_allclose(boxes(labels, same), boxes(truth, index), atol=0.02)
