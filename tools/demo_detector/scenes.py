"""Draws the scenes the demonstration detector is trained on: shapes on cluttered backgrounds.

Every scene is a pure function of its random generator, so that a seed names a data set.
Colours and images are BGR uint8, as OpenCV has them; boxes are xyxy in pixels, where the
right and bottom edges lie one past the last covered pixel.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

CLASS_NAMES = ("circle", "square", "triangle", "star")
# (width, height): letterboxing has to pad either axis, or none
IMAGE_SIZES = ((320, 240), (240, 320), (300, 300), (400, 225))
MAX_OBJECTS = 7

# Radii of the circumscribed circle, as a share of the longer image side.  The smallest objects
# are about 13 pixels wide after letterboxing to 160 pixels: one and a half cells at stride 8.
_MIN_RADIUS, _MAX_RADIUS = 0.045, 0.26
_MIN_COLOUR_DISTANCE = 90.0
_MAX_SHARED_AREA = 0.35
_SUBPIXEL_BITS = 4

Image = NDArray[np.uint8]
Colour = NDArray[np.float32]


@dataclass(frozen=True)
class Scene:
    """A drawn image and what is in it.

    image: uint8 [height, width, 3], BGR.
    boxes: float32 [n, 4], xyxy in pixels.
    class_ids: int64 [n], indices into `CLASS_NAMES`.
    """

    image: Image
    boxes: NDArray[np.float32]
    class_ids: NDArray[np.int64]


def draw_scene(rng: np.random.Generator) -> Scene:
    """Draws one scene with at least one object."""
    width, height = IMAGE_SIZES[rng.integers(len(IMAGE_SIZES))]
    image = _background(rng, width, height)
    for _ in range(rng.integers(0, 7)):
        _draw_distractor(rng, image)

    boxes: list[NDArray[np.float32]] = []
    class_ids: list[int] = []
    wanted = int(rng.integers(1, MAX_OBJECTS + 1))
    for attempt in range(4 * wanted):
        # the first object goes into an empty scene, so it is never refused
        class_id = int(rng.integers(len(CLASS_NAMES)))
        vertices, radius = _place_shape(rng, CLASS_NAMES[class_id], width, height)
        coverage, thickness = _coverage(rng, vertices, radius, width, height)
        box = _covered_box(coverage)
        if attempt and _shared_area(box, boxes) > _MAX_SHARED_AREA:
            continue
        _paint(rng, image, coverage, box, filled=thickness is None)
        if thickness is None and rng.random() < 0.3:
            _draw_border(rng, image, vertices, radius)
        boxes.append(box)
        class_ids.append(class_id)
        if len(boxes) == wanted:
            break

    for _ in range(rng.integers(0, 2)):
        _draw_distractor(rng, image)
    return Scene(
        image=_degrade(rng, image),
        boxes=np.stack(boxes),
        class_ids=np.asarray(class_ids, dtype=np.int64),
    )


def _random_colour(rng: np.random.Generator) -> Colour:
    return 255 * rng.random(3, dtype=np.float32)


def _contrasting_colour(rng: np.random.Generator, against: Colour) -> Colour:
    """A colour at a visible Euclidean distance from `against`."""
    colour = _random_colour(rng)
    while np.linalg.norm(colour - against) < _MIN_COLOUR_DISTANCE:
        colour = _random_colour(rng)
    return colour


def _background(rng: np.random.Generator, width: int, height: int) -> Image:
    """uint8 [height, width, 3]: flat, a gradient, blotches, stripes or a checkerboard."""
    first = _random_colour(rng)
    # close enough to `first` that a shape in front can be told from both
    second = np.clip(first + 140 * rng.random(3, dtype=np.float32) - 70, 0, 255)
    kind = rng.choice(["flat", "gradient", "blotches", "stripes", "checkerboard"])
    if kind == "flat":
        mix = np.zeros((height, width), np.float32)
    elif kind == "gradient":
        mix = _ramp(rng, width, height)
    elif kind == "blotches":
        rows, columns = rng.integers(3, 9, size=2)
        coarse = rng.random((rows, columns), dtype=np.float32)
        mix = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC).clip(0, 1)
    else:
        periods = rng.uniform(2, 9)
        mix = (np.floor(_ramp(rng, width, height) * 2 * periods) % 2).astype(np.float32)
        if kind == "checkerboard":
            other = np.floor(_ramp(rng, width, height) * 2 * periods) % 2
            mix = np.abs(mix - other).astype(np.float32)
    return _mix_colours(first, second, mix)


def _ramp(rng: np.random.Generator, width: int, height: int) -> NDArray[np.float32]:
    """float32 [height, width] rising linearly from 0 to 1 in a random direction."""
    angle = rng.uniform(0, 2 * np.pi)
    x = np.arange(width, dtype=np.float32) * np.float32(np.cos(angle))
    y = np.arange(height, dtype=np.float32) * np.float32(np.sin(angle))
    ramp = y[:, None] + x[None, :]
    low, high = float(ramp.min()), float(ramp.max())
    return (ramp - low) / max(high - low, 1e-6)


def _mix_colours(first: Colour, second: Colour, mix: NDArray[np.float32]) -> Image:
    """uint8 [h, w, 3]: `first` where `mix` ([h, w]) is 0, `second` where it is 1."""
    colours = first + mix[..., None] * (second - first)
    return colours.clip(0, 255).astype(np.uint8)


def _draw_distractor(rng: np.random.Generator, image: Image) -> None:
    """Draws a line, an open bend or an arc: edges that belong to no object."""
    height, width = image.shape[:2]
    colour = _random_colour(rng).tolist()
    thickness = int(rng.integers(1, 4))
    kind = rng.choice(["line", "bend", "arc"])
    start = rng.uniform((0, 0), (width, height))
    if kind == "arc":
        axes = rng.uniform(0.04, 0.25, size=2) * max(width, height)
        first_angle = int(rng.integers(0, 360))
        # at most a third of a turn, lest it pass for an outlined circle
        last_angle = first_angle + int(rng.integers(50, 121))
        tilt = float(rng.uniform(0, 360))
        centre = (int(start[0]), int(start[1]))
        semi_axes = (int(axes[0]), int(axes[1]))
        cv2.ellipse(
            image, centre, semi_axes, tilt, first_angle, last_angle, colour, thickness, cv2.LINE_AA
        )
        return
    reach = 0.6 if kind == "line" else 0.25
    steps = rng.uniform(-reach, reach, size=(1 if kind == "line" else 2, 2)) * max(width, height)
    points = np.cumsum(np.vstack([start, steps]), axis=0)
    cv2.polylines(image, [points.astype(np.int32)], False, colour, thickness, cv2.LINE_AA)


def _place_shape(
    rng: np.random.Generator, name: str, width: int, height: int
) -> tuple[NDArray[np.float64], float]:
    """Vertices float64 [k, 2] (xy pixels) of a randomly turned and placed shape, its radius."""
    longer = max(width, height)
    radius = longer * float(np.exp(rng.uniform(np.log(_MIN_RADIUS), np.log(_MAX_RADIUS))))
    if name == "circle":
        unit = _regular_polygon(64)
    elif name == "square":
        unit = _regular_polygon(4)
    elif name == "triangle":
        unit = _regular_polygon(3)
    else:
        unit = _regular_polygon(10)
        unit[1::2] *= rng.uniform(0.38, 0.5)
    # squeezed along a random axis of the shape's, then turned: ellipses, oblongs, rhombs
    turned = unit @ _rotation(rng)
    turned[:, 0] *= rng.uniform(0.82, 1.0)
    turned = turned @ _rotation(rng)
    # up to a fifth of the radius may lie outside the image
    margin = 0.8 * radius
    centre = rng.uniform((margin, margin), (width - margin, height - margin))
    return turned * radius + centre, radius


def _regular_polygon(corners: int) -> NDArray[np.float64]:
    """float64 [corners, 2] on the unit circle."""
    angles = np.arange(corners) * (2 * np.pi / corners)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def _rotation(rng: np.random.Generator) -> NDArray[np.float64]:
    angle = rng.uniform(0, 2 * np.pi)
    cosine, sine = np.cos(angle), np.sin(angle)
    return np.array([[cosine, sine], [-sine, cosine]])


def _fixed_point(vertices: NDArray[np.float64]) -> list[NDArray[np.int32]]:
    return [np.round(vertices * (1 << _SUBPIXEL_BITS)).astype(np.int32)]


def _coverage(
    rng: np.random.Generator,
    vertices: NDArray[np.float64],
    radius: float,
    width: int,
    height: int,
) -> tuple[Image, int | None]:
    """Antialiased uint8 [height, width] mask, and the line thickness if only outlined."""
    coverage = np.zeros((height, width), np.uint8)
    if rng.random() < 0.65:
        cv2.fillPoly(coverage, _fixed_point(vertices), 255, cv2.LINE_AA, _SUBPIXEL_BITS)
        return coverage, None
    thickness = max(2, round(radius * float(rng.uniform(0.12, 0.25))))
    cv2.polylines(
        coverage, _fixed_point(vertices), True, 255, thickness, cv2.LINE_AA, _SUBPIXEL_BITS
    )
    return coverage, thickness


def _covered_box(coverage: Image) -> NDArray[np.float32]:
    """float32 [4] xyxy around the pixels that are at least half covered."""
    x, y, width, height = cv2.boundingRect((coverage >= 128).astype(np.uint8))
    return np.array([x, y, x + width, y + height], dtype=np.float32)


def _shared_area(box: NDArray[np.float32], others: list[NDArray[np.float32]]) -> float:
    """The largest intersection with any of `others`, as a share of the smaller box of the two."""
    stacked = np.stack(others)
    sides = np.minimum(box[2:], stacked[:, 2:]) - np.maximum(box[:2], stacked[:, :2])
    intersections = sides.clip(0).prod(axis=1)
    areas = (stacked[:, 2:] - stacked[:, :2]).prod(axis=1)
    smaller = np.minimum(areas, (box[2:] - box[:2]).prod())
    return float((intersections / smaller).max())


def _paint(
    rng: np.random.Generator,
    image: Image,
    coverage: Image,
    box: NDArray[np.float32],
    filled: bool,
) -> None:
    """Blends a flat, graded or striped colour into `image` where `coverage` is set."""
    # one pixel more on each side takes in the antialiased rim
    left, top = (max(int(edge) - 1, 0) for edge in box[:2])
    right, bottom = (int(edge) + 1 for edge in box[2:])
    region = image[top:bottom, left:right]
    height, width = region.shape[:2]
    behind = region.reshape(-1, 3).mean(axis=0, dtype=np.float32)
    colour = _contrasting_colour(rng, behind)
    second = _contrasting_colour(rng, behind)
    mix = np.zeros((height, width), np.float32)
    kind = rng.choice(["flat", "gradient", "stripes"], p=[0.6, 0.2, 0.2])
    if filled and kind != "flat":
        mix = _ramp(rng, width, height)
        if kind == "stripes":
            mix = (np.floor(mix * rng.integers(4, 9)) % 2).astype(np.float32)
    opacity = np.float32(rng.uniform(0.65, 1.0) / 255)
    alpha = coverage[top:bottom, left:right, None] * opacity
    region[:] = region * (1 - alpha) + _mix_colours(colour, second, mix) * alpha


def _draw_border(
    rng: np.random.Generator, image: Image, vertices: NDArray[np.float64], radius: float
) -> None:
    """Draws a line just inside the contour, so that the box of the filled shape stays true."""
    centre = vertices.mean(axis=0)
    thickness = max(1, round(0.08 * radius))
    shrunk = centre + (vertices - centre) * (1 - 1.5 * thickness / radius)
    colour = _random_colour(rng).tolist()
    cv2.polylines(image, _fixed_point(shrunk), True, colour, thickness, cv2.LINE_AA, _SUBPIXEL_BITS)


def _degrade(rng: np.random.Generator, image: Image) -> Image:
    """Slight blur and luminance noise, as a camera adds them."""
    if rng.random() < 0.3:
        image = cv2.GaussianBlur(image, (3, 3), 0)
    sigma = np.float32(rng.uniform(0, 9))
    noise = sigma * rng.standard_normal(image.shape[:2], dtype=np.float32)
    return (image + noise[..., None]).clip(0, 255).astype(np.uint8)
