"""Label assignment and losses of the anchor-free head, in TensorFlow operations.

Task-aligned assignment follows TOOD (arXiv 2108.07755) as YOLOv8 configures it; box
regression uses CIoU (arXiv 1911.08287) and distribution focal loss (Generalized Focal Loss,
arXiv 2006.04388).

Shapes: B images, A anchors, M box slots per image, C classes.  Boxes are xyxy in input pixels.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import tensorflow as tf

from .network import NUM_CLASSES, REG_MAX, anchor_points

_POINTS, _STRIDES = anchor_points()
_EPSILON = 1e-7

# YOLOv8's defaults
_TOP_K = 10
_SCORE_EXPONENT = 0.5
_IOU_EXPONENT = 6.0
_BOX_GAIN = 7.5
_CLASS_GAIN = 0.5
_DFL_GAIN = 1.5


class Losses(NamedTuple):
    """Scalars, each already weighted by its gain."""

    box: tf.Tensor
    cls: tf.Tensor
    dfl: tf.Tensor


class Targets(NamedTuple):
    """What each anchor shall predict.

    boxes: [B, A, 4]; zeros where the anchor has no object.
    scores: [B, A, C]; soft scores that grow with the predicted box's quality.
    """

    boxes: tf.Tensor
    scores: tf.Tensor


def decode_boxes(box_logits: tf.Tensor) -> tf.Tensor:
    """Expected distances from the anchor points: [B, A, 4 * REG_MAX] to xyxy [B, A, 4]."""
    batch = tf.shape(box_logits)[0]
    probabilities = tf.nn.softmax(tf.reshape(box_logits, (batch, -1, 4, REG_MAX)))
    distances = tf.tensordot(probabilities, tf.range(REG_MAX, dtype=tf.float32), axes=1)
    left_top, right_bottom = tf.split(distances, 2, axis=-1)
    boxes = tf.concat([_POINTS - left_top, _POINTS + right_bottom], axis=-1)
    return boxes * _STRIDES


def detection_losses(
    box_logits: tf.Tensor, class_logits: tf.Tensor, boxes: tf.Tensor, class_ids: tf.Tensor
) -> Losses:
    """Losses of one batch.

    boxes: [B, M, 4] and class_ids: [B, M], -1 in empty slots.
    """
    predicted = decode_boxes(box_logits)
    targets = assign_targets(
        tf.stop_gradient(predicted), tf.stop_gradient(tf.sigmoid(class_logits)), boxes, class_ids
    )
    # anchors count by the quality asked of them, and the sum of it normalizes all three losses
    weights = tf.reduce_sum(targets.scores, axis=-1)
    normalizer = tf.maximum(tf.reduce_sum(weights), 1.0)

    cls = tf.nn.sigmoid_cross_entropy_with_logits(labels=targets.scores, logits=class_logits)
    box = (1 - complete_iou(predicted, targets.boxes)) * weights
    dfl = _distribution_focal_loss(box_logits, targets.boxes) * weights
    return Losses(
        box=_BOX_GAIN * tf.reduce_sum(box) / normalizer,
        cls=_CLASS_GAIN * tf.reduce_sum(cls) / normalizer,
        dfl=_DFL_GAIN * tf.reduce_sum(dfl) / normalizer,
    )


def assign_targets(
    predicted: tf.Tensor, scores: tf.Tensor, boxes: tf.Tensor, class_ids: tf.Tensor
) -> Targets:
    """Gives each object the anchors whose predictions fit it best in class and in place.

    predicted: [B, A, 4]; scores: [B, A, C] after the sigmoid; boxes: [B, M, 4];
    class_ids: [B, M].
    """
    # an empty slot has class -1, whose one-hot row is all zeros
    one_hot = tf.one_hot(class_ids, NUM_CLASSES)
    candidates = _anchors_inside(boxes) * tf.reduce_sum(one_hot, axis=-1)[..., None]
    overlaps = _pairwise_iou(boxes, predicted) * candidates
    object_scores = tf.einsum("bmc,bac->bma", one_hot, scores)
    alignment = object_scores**_SCORE_EXPONENT * overlaps**_IOU_EXPONENT

    kth_best = tf.math.top_k(alignment, _TOP_K).values[..., -1:]
    positive = tf.cast(alignment >= kth_best, tf.float32) * tf.cast(alignment > 0, tf.float32)
    # an anchor claimed by several objects goes to the one it overlaps most
    claims = overlaps * positive
    owner = tf.one_hot(tf.argmax(claims, axis=1), tf.shape(boxes)[1], axis=1)
    positive *= owner

    # the best anchor of an object is asked for a score as high as the best overlap
    alignment *= positive
    best_alignment = tf.reduce_max(alignment, axis=-1, keepdims=True)
    best_overlap = tf.reduce_max(overlaps * positive, axis=-1, keepdims=True)
    quality = tf.math.divide_no_nan(alignment, best_alignment) * best_overlap
    return Targets(
        boxes=tf.einsum("bma,bmk->bak", positive, boxes),
        scores=tf.einsum("bma,bmc->bac", quality, one_hot),
    )


def _anchors_inside(boxes: tf.Tensor) -> tf.Tensor:
    """[B, M, 4] to [B, M, A]: 1 where the anchor point lies inside the box."""
    points = _POINTS * _STRIDES
    from_left_top = points - boxes[:, :, None, :2]
    to_right_bottom = boxes[:, :, None, 2:] - points
    nearest_edge = tf.reduce_min(tf.concat([from_left_top, to_right_bottom], -1), axis=-1)
    return tf.cast(nearest_edge > 0, tf.float32)


def _areas(boxes: tf.Tensor) -> tf.Tensor:
    sides = boxes[..., 2:] - boxes[..., :2]
    return sides[..., 0] * sides[..., 1]


def _iou(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    """Intersection over union of broadcastable boxes [..., 4]."""
    sides = tf.minimum(a[..., 2:], b[..., 2:]) - tf.maximum(a[..., :2], b[..., :2])
    sides = tf.maximum(sides, 0.0)
    intersection = sides[..., 0] * sides[..., 1]
    return intersection / (_areas(a) + _areas(b) - intersection + _EPSILON)


def _pairwise_iou(boxes: tf.Tensor, predicted: tf.Tensor) -> tf.Tensor:
    """[B, M, 4] and [B, A, 4] to [B, M, A]."""
    return _iou(boxes[:, :, None], predicted[:, None])


def complete_iou(predicted: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
    """IoU less penalties for the centres' distance and the aspect ratios' difference.

    Both [..., 4]; returns [...].
    """
    iou = _iou(predicted, target)
    hull = tf.maximum(predicted[..., 2:], target[..., 2:]) - tf.minimum(
        predicted[..., :2], target[..., :2]
    )
    diagonal = tf.reduce_sum(hull**2, axis=-1) + _EPSILON
    # twice the offset of the centres, hence the division by four
    offset = predicted[..., :2] + predicted[..., 2:] - target[..., :2] - target[..., 2:]
    distance = tf.reduce_sum(offset**2, axis=-1) / 4
    difference = _aspect_angle(target) - _aspect_angle(predicted)
    aspect = (4 / math.pi**2) * difference**2
    trade_off = tf.stop_gradient(aspect / (1 - iou + aspect + _EPSILON))
    return iou - distance / diagonal - trade_off * aspect


def _aspect_angle(boxes: tf.Tensor) -> tf.Tensor:
    sides = boxes[..., 2:] - boxes[..., :2]
    return tf.atan(sides[..., 0] / (sides[..., 1] + _EPSILON))


def _distribution_focal_loss(box_logits: tf.Tensor, target_boxes: tf.Tensor) -> tf.Tensor:
    """Cross entropy with the two bins either side of each distance: [B, A], mean over sides."""
    batch = tf.shape(box_logits)[0]
    log_probabilities = tf.nn.log_softmax(tf.reshape(box_logits, (batch, -1, 4, REG_MAX)))
    corners = target_boxes / _STRIDES
    distances = tf.concat([_POINTS - corners[..., :2], corners[..., 2:] - _POINTS], axis=-1)
    distances = tf.clip_by_value(distances, 0.0, REG_MAX - 1 - 0.01)
    # linear interpolation: a bin's weight falls from one to zero within one bin's width
    bins = tf.range(REG_MAX, dtype=tf.float32)
    bin_weights = tf.nn.relu(1 - tf.abs(distances[..., None] - bins))
    return -tf.reduce_mean(tf.reduce_sum(bin_weights * log_probabilities, axis=-1), axis=-1)
