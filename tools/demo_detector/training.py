"""The training loop: AdamW with a cosine schedule and an exponential average of the weights."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from .dataset import TrainingPool
from .evaluation import SCORE_THRESHOLD, open_session
from .losses import Losses, decode_boxes, detection_losses
from .network import IMAGE_SIZE

_LOGGER = logging.getLogger(__name__)

_LEARNING_RATE = 2e-3
_WARMUP_SHARE = 0.05
_WEIGHT_DECAY = 1e-3
_CLIP_NORM = 10.0
# the average reaches back some 500 steps
_EMA_MOMENTUM = 0.998
_LOG_EVERY = 100

Batch = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int32]]


def make_deterministic(seed: int) -> None:
    """Same seed, same machine, same weights."""
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()


def train(model: keras.Model, pool: TrainingPool, seed: int, steps: int, batch_size: int) -> None:
    """Trains `model` in place and leaves the averaged weights in it."""
    optimizer = _make_optimizer(steps)

    # a fixed signature keeps the graph from being traced anew
    signature = [
        tf.TensorSpec((batch_size, IMAGE_SIZE, IMAGE_SIZE, 3), tf.float32),
        tf.TensorSpec((batch_size, pool.boxes.shape[1], 4), tf.float32),
        tf.TensorSpec((batch_size, pool.class_ids.shape[1]), tf.int32),
    ]

    @tf.function(input_signature=signature)
    def step(images: tf.Tensor, boxes: tf.Tensor, class_ids: tf.Tensor) -> Losses:
        with tf.GradientTape() as tape:
            box_logits, class_logits = model(images, training=True)
            losses = detection_losses(box_logits, class_logits, boxes, class_ids)
            total = tf.add_n(list(losses))
        gradients = tape.gradient(total, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        return losses

    started = time.monotonic()
    recent: list[list[float]] = []
    for number, batch in zip(range(1, steps + 1), _batches(pool, seed, batch_size), strict=False):
        recent.append([float(loss) for loss in step(*batch)])
        if number % _LOG_EVERY == 0 or number == steps:
            box, cls, dfl = np.mean(recent, axis=0)
            elapsed = time.monotonic() - started
            _LOGGER.info(
                "step %d/%d  box %.3f  cls %.3f  dfl %.3f  %.0f s",
                *(number, steps, box, cls, dfl, elapsed),
            )
            recent.clear()
    optimizer.finalize_variable_values(model.trainable_variables)


def largest_difference(model: keras.Model, onnx_path: Path, images: NDArray[np.uint8]) -> float:
    """How far the exported graph strays from the trained one, in pixels or score.

    images: uint8 [n, 160, 160, 3], RGB.  Boxes count where the anchor scores at all: elsewhere
    the distances' logits are unconstrained, and float32 rounding alone moves a box by 1e-3.
    """
    session = open_session(onnx_path)
    largest = 0.0
    for image in images:
        # the exported graph takes one image at a time
        batch = image[None].astype(np.float32) / 255
        box_logits, class_logits = model(batch, training=False)
        left_top, right_bottom = tf.split(decode_boxes(box_logits), 2, axis=-1)
        scores = tf.sigmoid(class_logits)
        parts = [(left_top + right_bottom) / 2, right_bottom - left_top, scores]
        expected = tf.concat(parts, axis=-1).numpy().transpose(0, 2, 1)
        (output,) = session.run(None, {"images": batch.transpose(0, 3, 1, 2)})
        difference = np.abs(output - expected)
        scored = expected[:, 4:].max(axis=1, keepdims=True) > SCORE_THRESHOLD
        difference[:, :4] *= scored
        largest = max(largest, float(difference.max()))
    return largest


def _make_optimizer(steps: int) -> keras.optimizers.Optimizer:
    warmup = max(1, round(_WARMUP_SHARE * steps))
    schedule = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0,
        decay_steps=max(1, steps - warmup),
        alpha=0.01,
        warmup_target=_LEARNING_RATE,
        warmup_steps=warmup,
    )
    optimizer = keras.optimizers.AdamW(
        schedule,
        weight_decay=_WEIGHT_DECAY,
        global_clipnorm=_CLIP_NORM,
        use_ema=True,
        ema_momentum=_EMA_MOMENTUM,
    )
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer


def _batches(pool: TrainingPool, seed: int, batch_size: int) -> Iterator[Batch]:
    """Augmented batches without end; every image is seen once before any is seen again.

    Yields images float32 [B, 160, 160, 3] in 0..1, boxes [B, M, 4] and class ids [B, M].
    """
    rng = np.random.default_rng([seed, 0xBA7C])
    count = len(pool.images)
    while True:
        order = rng.permutation(count)
        for start in range(0, count - batch_size + 1, batch_size):
            rows = order[start : start + batch_size]
            images = np.empty((batch_size, IMAGE_SIZE, IMAGE_SIZE, 3), np.float32)
            boxes = np.empty((batch_size, *pool.boxes.shape[1:]), np.float32)
            for slot, row in enumerate(rows):
                images[slot], boxes[slot] = _augment(rng, pool.images[row], pool.boxes[row])
            yield images, boxes, pool.class_ids[rows]


def _augment(
    rng: np.random.Generator, image: NDArray[np.uint8], boxes: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """One of the square's eight symmetries, permuted channels and a change of exposure.

    The shapes have no preferred direction or colour, so none of this changes a label.  Boxes
    in empty slots come out meaningless, as their class says.
    """
    x1, y1, x2, y2 = boxes.T
    if rng.random() < 0.5:
        image = image.transpose(1, 0, 2)
        x1, y1, x2, y2 = y1, x1, y2, x2
    if rng.random() < 0.5:
        image = image[:, ::-1]
        x1, x2 = IMAGE_SIZE - x2, IMAGE_SIZE - x1
    if rng.random() < 0.5:
        image = image[::-1]
        y1, y2 = IMAGE_SIZE - y2, IMAGE_SIZE - y1
    gain = np.float32(rng.uniform(0.75, 1.2) / 255)
    exposed = np.minimum(image[..., rng.permutation(3)] * gain, 1.0)
    return exposed, np.stack([x1, y1, x2, y2], axis=1)
