from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mobileq.spec import PreprocessSpec
from mobileq.vision.letterbox import LetterboxTransform

MODES = ("letterbox", "letterbox_top_left", "stretch", "center_crop")
ROTATIONS = (0, 90, 180, 270)


def fit(source, model, mode="letterbox", rotation=0, edge=None) -> LetterboxTransform:
    spec = PreprocessSpec(width=model[0], height=model[1], resize_mode=mode, shortest_edge=edge)
    return LetterboxTransform.fit(*source, spec, rotation)


def placement(transform: LetterboxTransform) -> tuple[int, int, int, int]:
    t = transform
    return t.left, t.top, t.resized_width, t.resized_height


@pytest.mark.parametrize(
    ("source", "model", "mode", "expected"),
    [
        ((810, 1080), (640, 640), "letterbox", (80, 0, 480, 640)),
        ((1280, 720), (640, 640), "letterbox", (0, 140, 640, 360)),
        ((640, 425), (640, 640), "letterbox", (0, 107, 640, 425)),  # 215 rows: 107 + 108
        ((640, 427), (320, 320), "letterbox", (0, 53, 320, 214)),  # 213.5 rounds up
        ((640, 427), (320, 320), "letterbox_top_left", (0, 0, 320, 213)),
        ((640, 427), (300, 200), "stretch", (0, 0, 300, 200)),
        ((5000, 1), (32, 32), "letterbox", (0, 15, 32, 1)),  # never less than one row
        ((1, 5000), (32, 32), "letterbox_top_left", (0, 0, 1, 32)),
        ((416, 416), (416, 416), "letterbox", (0, 0, 416, 416)),
    ],
)
def test_picture_is_placed_as_the_mode_says(source, model, mode, expected):
    assert placement(fit(source, model, mode)) == expected


@pytest.mark.parametrize(
    ("source", "model", "edge", "expected"),
    [
        ((640, 480), (224, 224), 256, (-58, -16, 341, 256)),  # 341.3; (341 - 224) / 2 is 58.5
        ((480, 640), (224, 224), 256, (-16, -58, 256, 341)),
        ((500, 375), (224, 224), 256, (-58, -16, 341, 256)),
        ((640, 427), (224, 224), 256, (-80, -16, 383, 256)),  # 79.5 rounds to even
        ((333, 500), (224, 224), 232, (-4, -62, 232, 348)),
        ((300, 300), (224, 224), None, (0, 0, 224, 224)),
        ((640, 480), (224, 224), None, (-37, 0, 298, 224)),
        ((10, 10), (224, 224), 256, (-16, -16, 256, 256)),  # small pictures grow
        ((640, 480), (256, 128), 146, (-18, -46, 292, 219)),  # covers 292 x 146
        ((480, 640), (256, 128), 146, (-18, -130, 292, 389)),
        ((640, 480), (128, 256), 146, (-130, -18, 389, 292)),
        ((5000, 1), (32, 32), None, (-79984, 0, 160000, 32)),
    ],
)
def test_center_crop_cuts_as_torchvision_does(source, model, edge, expected):
    assert placement(fit(source, model, "center_crop", edge=edge)) == expected


def test_center_crop_is_torchvisions_arithmetic():
    for width in range(200, 420):
        for height in (200, 211, 333, 500):
            short, long = sorted((width, height))
            resized = int(256 * long / short)
            left, top, to_width, to_height = placement(
                fit((width, height), (224, 224), "center_crop", edge=256)
            )
            wide = width >= height
            assert (to_width, to_height) == ((resized, 256) if wide else (256, resized))
            assert -left == round((to_width - 224) / 2.0)
            assert -top == round((to_height - 224) / 2.0)


@given(
    st.integers(1, 5000),
    st.integers(1, 5000),
    st.integers(1, 600),
    st.integers(1, 600),
    st.integers(0, 600),
    st.sampled_from(ROTATIONS),
)
def test_center_crop_lies_within_the_resized_picture(
    width, height, to_width, to_height, more, turn
):
    edge = min(to_width, to_height) + more
    t = fit((width, height), (to_width, to_height), "center_crop", turn, edge)
    assert t.left <= 0
    assert t.top <= 0
    assert t.left + t.resized_width >= to_width
    assert t.top + t.resized_height >= to_height
    # In the middle, to half a pixel.
    assert abs(t.left + (t.resized_width - to_width) / 2) <= 0.5
    assert abs(t.top + (t.resized_height - to_height) / 2) <= 0.5
    assert min(t.resized_width, t.resized_height) >= edge
    # No smaller picture of its proportions would do.
    shorter = min(to_width, to_height)
    assert t.resized_width == to_width * edge // shorter or (
        t.resized_height == to_height * edge // shorter
    )


@given(st.integers(1, 400), st.integers(1, 400), st.integers(1, 30))
def test_exact_fits_lose_no_pixel_to_rounding(width, height, factor):
    for mode in MODES:
        transform = fit((width * factor, height * factor), (width, height), mode)
        assert placement(transform) == (0, 0, width, height)


def test_quarter_turns_swap_the_sides_before_resizing():
    upright = fit((1080, 1920), (640, 640))
    for rotation in (90, 270):
        turned = fit((1920, 1080), (640, 640), rotation=rotation)
        assert placement(turned) == placement(upright)
        assert (turned.rotated_width, turned.rotated_height) == (1080, 1920)


@pytest.mark.parametrize(
    ("rotation", "expected"),
    [
        (0, [0, 0, 10, 20]),
        (90, [180, 0, 200, 10]),
        (180, [390, 180, 400, 200]),
        (270, [0, 390, 20, 400]),
    ],
)
def test_corner_box_turns_clockwise(rotation, expected):
    model = (400, 200) if rotation in (0, 180) else (200, 400)
    transform = fit((400, 200), model, rotation=rotation)
    corner = np.array([[0, 0, 10, 20]], np.float32)
    assert transform.to_model(corner).tolist() == [expected]
    assert transform.to_source(np.array([expected], np.float32)).tolist() == corner.tolist()


@given(
    st.integers(8, 4000),
    st.integers(8, 4000),
    st.integers(32, 1280),
    st.integers(32, 1280),
    st.sampled_from(MODES),
    st.sampled_from(ROTATIONS),
    st.lists(st.tuples(*[st.floats(0, 1, width=32)] * 4), min_size=1, max_size=5),
)
def test_to_source_undoes_to_model(width, height, model_w, model_h, mode, rotation, corners):
    transform = fit((width, height), (model_w, model_h), mode, rotation)
    ends = np.array(corners, np.float32) * [width, height, width, height]
    boxes = np.concatenate(
        [np.minimum(ends[:, :2], ends[:, 2:]), np.maximum(ends[:, :2], ends[:, 2:])], axis=1
    ).astype(np.float32)
    inside = transform.to_model(boxes)
    low = np.array([transform.left, transform.top] * 2) - 1e-3
    size = np.array([transform.resized_width, transform.resized_height] * 2)
    assert np.all(inside >= low)
    assert np.all(inside <= low + size + 2e-3)
    # Both are rounded to float32, the first before a picture squeezed to few pixels is stretched.
    stretched = max(
        transform.rotated_width / transform.resized_width,
        transform.rotated_height / transform.resized_height,
    )
    steps = np.spacing(np.float32([max(model_w, model_h), max(width, height)]))
    atol = steps @ [stretched, 1]
    np.testing.assert_allclose(transform.to_source(inside), boxes, rtol=0, atol=atol)


@given(st.sampled_from(MODES), st.sampled_from(ROTATIONS))
def test_whole_picture_covers_exactly_the_resized_area(mode, rotation):
    transform = fit((1234, 567), (416, 320), mode, rotation)
    left, top, width, height = placement(transform)
    whole = np.array([[0, 0, 1234, 567]], np.float32)
    assert transform.to_model(whole).tolist() == [[left, top, left + width, top + height]]


def test_clip_limits_boxes_to_the_unrotated_source():
    transform = fit((300, 200), (640, 640), rotation=90)
    clipped = transform.clip(np.array([[-5, -1, 900, np.inf], [10, 20, 30, 40]], np.float32))
    assert clipped.tolist() == [[0, 0, 300, 200], [10, 20, 30, 40]]
    assert clipped.dtype == np.float32


def test_no_boxes_stay_no_boxes():
    transform = fit((300, 200), (640, 640), rotation=270)
    none = np.zeros((0, 4), np.float32)
    assert transform.clip(transform.to_source(transform.to_model(none))).shape == (0, 4)


@pytest.mark.parametrize(("source", "rotation"), [((0, 10), 0), ((10, -1), 0), ((10, 10), 45)])
def test_impossible_pictures_and_turns_are_refused(source, rotation):
    with pytest.raises(ValueError, match=r"cannot be placed|rotation is 45"):
        fit(source, (32, 32), rotation=rotation)
