"""The trainable form of the network, and the weights it hands to the exporter."""

from __future__ import annotations

from dataclasses import dataclass

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from .network import BOX_CHANNELS, IMAGE_SIZE, NUM_CLASSES, build_body

_BATCH_NORM_EPSILON = 1e-3


@dataclass(frozen=True)
class ConvWeights:
    """A convolution with its batch normalization folded in, laid out as ONNX has it.

    weight: float32 [out_channels, in_channels, kernel, kernel].
    bias: float32 [out_channels].
    """

    weight: NDArray[np.float32]
    bias: NDArray[np.float32]


def _keras_name(name: str) -> str:
    # Keras refuses slashes in layer names
    return name.replace("/", ".")


class KerasBuilder:
    """Interprets the architecture as NHWC Keras layers; remembers its convolutions' names."""

    def __init__(self) -> None:
        self.conv_names: list[str] = []

    def conv(
        self,
        x: keras.KerasTensor,
        name: str,
        channels: int,
        kernel: int = 1,
        stride: int = 1,
        activation: bool = True,
        initial_bias: float = 0.0,
    ) -> keras.KerasTensor:
        self.conv_names.append(name)
        layer_name = _keras_name(name)
        padding = "same"
        if stride > 1:
            # "same" would pad even sizes at the far side only; the exported graph pads both
            x = layers.ZeroPadding2D(kernel // 2, name=f"{layer_name}.pad")(x)
            padding = "valid"
        x = layers.Conv2D(
            channels,
            kernel,
            stride,
            padding,
            use_bias=not activation,
            kernel_initializer="he_normal" if activation else "glorot_uniform",
            bias_initializer=keras.initializers.Constant(initial_bias),
            name=f"{layer_name}.conv",
        )(x)
        if not activation:
            return x
        x = layers.BatchNormalization(
            momentum=0.97, epsilon=_BATCH_NORM_EPSILON, name=f"{layer_name}.bn"
        )(x)
        return layers.Activation("silu", name=f"{layer_name}.act")(x)

    def split(self, x: keras.KerasTensor, name: str) -> tuple[keras.KerasTensor, keras.KerasTensor]:
        first, second = keras.ops.split(x, 2, axis=-1)
        return first, second

    def add(self, a: keras.KerasTensor, b: keras.KerasTensor, name: str) -> keras.KerasTensor:
        return layers.Add(name=_keras_name(name))([a, b])

    def concat(self, xs: list[keras.KerasTensor], name: str) -> keras.KerasTensor:
        return layers.Concatenate(name=_keras_name(name))(xs)

    def max_pool(self, x: keras.KerasTensor, name: str, kernel: int) -> keras.KerasTensor:
        return layers.MaxPooling2D(kernel, 1, "same", name=_keras_name(name))(x)

    def upsample(self, x: keras.KerasTensor, name: str) -> keras.KerasTensor:
        return layers.UpSampling2D(2, name=_keras_name(name))(x)


def build_keras_model() -> tuple[keras.Model, list[str]]:
    """The model and the names of its convolutions.

    Input: float32 [B, 160, 160, 3], RGB in 0..1.  Outputs, with the strides' cells one after
    another: box logits [B, A, 4 * REG_MAX] and class logits [B, A, NUM_CLASSES].
    """
    builder = KerasBuilder()
    images = keras.Input((IMAGE_SIZE, IMAGE_SIZE, 3), name="images")
    outputs = build_body(builder, images)
    boxes = [layers.Reshape((-1, BOX_CHANNELS))(box) for box, _ in outputs]
    classes = [layers.Reshape((-1, NUM_CLASSES))(cls) for _, cls in outputs]
    heads = [layers.Concatenate(axis=1)(boxes), layers.Concatenate(axis=1)(classes)]
    return keras.Model(images, heads, name="demo_detector"), builder.conv_names


def folded_weights(model: keras.Model, conv_names: list[str]) -> dict[str, ConvWeights]:
    """Every convolution's weights by name, the batch normalizations folded in."""
    folded = {}
    for name in conv_names:
        layer_name = _keras_name(name)
        conv = model.get_layer(f"{layer_name}.conv")
        # HWIO to OIHW
        weight = np.transpose(conv.kernel.numpy(), (3, 2, 0, 1))
        if conv.use_bias:
            bias = conv.bias.numpy()
        else:
            norm = model.get_layer(f"{layer_name}.bn")
            deviation = np.sqrt(norm.moving_variance.numpy() + _BATCH_NORM_EPSILON)
            scale = norm.gamma.numpy() / deviation
            weight = weight * scale[:, None, None, None]
            bias = norm.beta.numpy() - norm.moving_mean.numpy() * scale
        folded[name] = ConvWeights(np.ascontiguousarray(weight, np.float32), bias)
    return folded
