from __future__ import annotations

import numpy as np
import pytest

from mobileq.tasks.detect.detections import Detections
from mobileq.tasks.detect.draw import class_colour, draw_detections


def one(xyxy, class_id=0) -> Detections:
    return Detections(np.array([xyxy]), np.array([0.87]), np.array([class_id]))


def test_drawing_leaves_the_picture_itself_alone():
    image = np.full((100, 200, 3), 90, np.uint8)
    drawn = draw_detections(image, one([50, 40, 150, 90]), ["cat"])
    assert np.all(image == 90)
    assert drawn.shape == image.shape
    assert drawn.dtype == np.uint8
    assert not np.array_equal(drawn, image)


def test_box_and_label_have_the_colour_of_the_class():
    image = np.zeros((480, 640, 3), np.uint8)
    drawn = draw_detections(image, one([100, 200, 400, 400], class_id=3), ())
    assert tuple(drawn[300, 100].tolist()) == class_colour(3)
    assert tuple(drawn[197, 101].tolist()) == class_colour(3)  # the bar above the corner


def test_label_stays_inside_the_picture():
    image = np.zeros((480, 640, 3), np.uint8)
    drawn = draw_detections(image, one([600, 0, 640, 480]), ["person"])
    bar = np.all(drawn[2, :, :] == class_colour(0), axis=1)
    assert bar[640 - 80 : 640 - 40].all()  # moved to the left, and down into the box


def test_nothing_to_draw_gives_an_equal_copy():
    image = np.random.default_rng(0).integers(0, 255, (30, 40, 3)).astype(np.uint8)
    drawn = draw_detections(image, Detections.empty(), ["cat"])
    assert np.array_equal(drawn, image)
    assert drawn is not image


@pytest.mark.parametrize("shape", [(1, 1), (3, 300), (300, 3), (16, 16), (3000, 4000)])
def test_pictures_of_any_shape_can_be_drawn_into(shape):
    image = np.zeros((*shape, 3), np.uint8)
    found = Detections([[0, 0, shape[1], shape[0]], [-90, -90, 9000, 9000]], [0.5, 0.4], [0, 99])
    assert draw_detections(image, found, ["a label longer than the picture"]).shape == image.shape


def test_read_only_and_mirrored_pictures_can_be_drawn_into():
    image = np.zeros((50, 60, 3), np.uint8)
    image.setflags(write=False)
    assert draw_detections(image[:, ::-1], one([5, 5, 30, 30])).any()


def test_neighbouring_classes_look_different():
    colours = np.array([class_colour(index) for index in range(80)])
    assert len(np.unique(colours, axis=0)) == 80
    assert np.abs(np.diff(colours, axis=0)).sum(axis=1).min() > 100
