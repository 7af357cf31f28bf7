"""Ground truth from COCO files, which are not trusted."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mobileq.errors import InputError, MobileqError
from mobileq.tasks.detect.labels.dataset import load_ground_truth

from .coco_files import coco, load_coco, write_pictures


def test_coco_file_is_read_with_its_pictures(tmp_path: Path) -> None:
    folder = write_pictures(tmp_path / "images", "a.png", "b.png", "c.png")
    truth = load_coco(tmp_path, coco())
    assert truth.images == ((3, folder / "a.png"), (7, folder / "b.png"), (9, folder / "c.png"))
    assert truth.categories == ((2, "cat"), (5, "dog"))
    assert truth.coco["annotations"] == [
        {
            "id": 1,
            "image_id": 7,
            "category_id": 5,
            "bbox": [1.0, 2.0, 3.5, 4.0],
            "area": 9.5,
            "iscrowd": 1,
        },
        {
            "id": 2,
            "image_id": 3,
            "category_id": 2,
            "bbox": [0.0, 0.0, 2.0, 3.0],
            "area": 6.0,
            "iscrowd": 0,
        },
    ]
    assert truth.coco["images"][2] == {"id": 9, "file_name": "c.png", "width": 20, "height": 10}
    assert (truth.missing, truth.skipped, truth.notices) == ((), (), ())


def test_boxes_of_missing_pictures_are_left_out(tmp_path: Path) -> None:
    folder = write_pictures(tmp_path / "images", "a.png", "extra.png")
    truth = load_coco(tmp_path, coco())
    assert truth.images == ((3, folder / "a.png"),)
    assert [box["image_id"] for box in truth.coco["annotations"]] == [3]
    assert [image["id"] for image in truth.coco["images"]] == [3]
    assert truth.missing == ("b.png", "c.png")
    assert truth.notices == (
        f"2 annotated pictures are not in {folder}: b.png, c.png.",
        f"1 pictures of {folder} have no annotations and are left out.",
    )


def test_folder_without_any_picture_of_the_annotations_is_refused(tmp_path: Path) -> None:
    write_pictures(tmp_path / "images", "x.png")
    with pytest.raises(InputError, match="None of the 3 pictures"):
        load_coco(tmp_path, coco())


def test_pictures_are_found_below_the_folder_by_path_or_by_name(tmp_path: Path) -> None:
    folder = write_pictures(tmp_path / "images", "train/a.png", "val/a.png", "deep/b.png")
    images = [{"id": 1, "file_name": "val\\a.png"}, {"id": 2, "file_name": "../../etc/b.png"}]
    boxes = [{"image_id": 1, "category_id": 2, "bbox": [0, 0, 1, 1]}]
    truth = load_coco(tmp_path, coco(images=images, annotations=boxes))
    assert truth.images == ((1, folder / "val" / "a.png"), (2, folder / "deep" / "b.png"))
    images = [{"id": 1, "file_name": "a.png"}]
    with pytest.raises(InputError, match="None of the 1 pictures"):  # which of the two?
        load_coco(tmp_path, coco(images=images, annotations=boxes))


def test_two_entries_for_one_picture_are_refused(tmp_path: Path) -> None:
    write_pictures(tmp_path / "images", "a.png")
    images = [{"id": 3, "file_name": "x/a.png"}, {"id": 7, "file_name": "y/a.png"}]
    with pytest.raises(InputError, match=r"several entries for a\.png"):
        load_coco(tmp_path, coco(images=images))


def test_pictures_of_another_size_are_refused(tmp_path: Path) -> None:
    write_pictures(tmp_path / "images", "a.png", width=10, height=5)
    with pytest.raises(InputError, match=r"a\.png is 10 x 5 pixels, but .* says 20 x 10"):
        load_coco(tmp_path, coco())


def test_damaged_picture_is_skipped_with_its_boxes(tmp_path: Path) -> None:
    folder = write_pictures(tmp_path / "images", "a.png")
    (folder / "b.png").write_bytes(b"")
    truth = load_coco(tmp_path, coco())
    assert truth.skipped == (("b.png", "b.png is empty."),)
    assert [box["image_id"] for box in truth.coco["annotations"]] == [3]
    (folder / "a.png").write_bytes(b"")
    with pytest.raises(InputError, match="None of 2 pictures"):
        load_coco(tmp_path, coco())


def test_pictures_without_objects_are_noticed(tmp_path: Path) -> None:
    write_pictures(tmp_path / "images", "c.png")
    assert "no accuracy to measure" in load_coco(tmp_path, coco()).notices[-1]


BOX = {"image_id": 7, "category_id": 5, "bbox": [1, 2, 3, 4]}


IMAGE = {"id": 7, "file_name": "b.png"}


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (coco(annotations=[BOX | {"image_id": 8}]), "`annotations[0]` is for image 8"),
        (coco(annotations=[BOX, BOX | {"category_id": 1}]), "`annotations[1]` is of category 1"),
        (coco(annotations=[BOX | {"bbox": [1, 2, 3]}]), "`annotations[0].bbox`"),
        (coco(annotations=[BOX | {"bbox": [1, 2, -3, 4]}]), "`annotations[0].bbox[2]`"),
        (coco(annotations=[BOX | {"bbox": [1, 2, "3", 4]}]), "`annotations[0].bbox[2]`"),
        (coco(annotations=[BOX | {"bbox": [1e300, 2, 3, 4]}]), "`annotations[0].bbox[0]`"),
        (coco(annotations=[BOX | {"image_id": "7"}]), "`annotations[0].image_id`"),
        (coco(annotations=[BOX | {"image_id": True}]), "`annotations[0].image_id`"),
        (coco(annotations=[BOX | {"iscrowd": 2}]), "`annotations[0].iscrowd`"),
        (coco(annotations=[BOX | {"area": -1}]), "`annotations[0].area`"),
        (coco(annotations=[]), "`annotations` is empty"),
        (coco(images=[IMAGE, IMAGE]), "`images` holds the id 7 twice"),
        (coco(images=[IMAGE | {"id": 10**30}]), "`images[0].id`"),
        (coco(images=[IMAGE | {"width": 0}]), "`images[0].width`"),
        (coco(images={}), "`images`: expected `array`"),
        (coco(categories=[{"id": 5, "name": "a"}] * 2), "`categories` holds the id 5 twice"),
        (coco(categories=[{"id": 5}]), "missing required field `name`"),
        ({}, "missing required field `images`"),
    ],
)
def test_unusable_annotations_are_refused_in_one_sentence(
    tmp_path: Path, content: dict[str, Any], part: str
) -> None:
    write_pictures(tmp_path / "images", "b.png")
    with pytest.raises(InputError) as caught:
        load_coco(tmp_path, content)
    assert part in caught.value.message
    assert "instances.json" in caught.value.message
    assert "\n" not in caught.value.message


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=6,
)


@st.composite
def damaged_annotations(draw: st.DrawFn) -> bytes:
    content = coco()
    node: Any = content
    while True:
        key = draw(st.sampled_from(list(node) if isinstance(node, dict) else range(len(node))))
        if isinstance(node[key], dict | list) and node[key] and draw(st.booleans()):
            node = node[key]
            continue
        node[key] = draw(JSON_VALUES)
        return json.dumps(content).encode()


@settings(max_examples=150, deadline=None)
@given(
    data=damaged_annotations()
    | st.binary(max_size=60)
    | JSON_VALUES.map(lambda value: json.dumps(value).encode())
)
def test_any_annotations_are_read_or_refused_but_never_crash(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    folder = tmp_path_factory.getbasetemp() / "fuzz-coco"
    write_pictures(folder / "images", "a.png", "b.png")
    (folder / "instances.json").write_bytes(data)
    message = ""
    try:
        truth = load_ground_truth(folder / "instances.json", folder / "images")
    except MobileqError as error:
        message = error.message
    else:
        ids = {image_id for image_id, _ in truth.images}
        assert {box["image_id"] for box in truth.coco["annotations"]} <= ids
        json.dumps(truth.coco, allow_nan=False)
    assert "\n" not in message
