"""How those who train classifiers prepare a picture, by the names that `--family` takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from msgspec.structs import replace

from mobileq.spec import Interpolation, PreprocessSpec
from mobileq.tasks.recognition import Picture

_DATA_SETS = frozenset({28, 32, 64})
"""Edges of the pictures of MNIST, CIFAR and Tiny ImageNet, which models take as they are: nobody
cuts them, and a picture from elsewhere is as much of a thing as they are."""

_Channels = tuple[float, float, float]


@dataclass(frozen=True, kw_only=True)
class Family:
    """Evaluation as its authors do it, resized by Pillow.

    Attributes:
        told: What becomes of pixels, before "assumed".
        mean, std: Of pixels times `rescale_factor`, in the order of the model's channels.
        crop: How much of the shorter side a square input gets.
    """

    told: str
    rescale_factor: float = 1.0 / 255.0
    mean: _Channels = (0.0, 0.0, 0.0)
    std: _Channels = (1.0, 1.0, 1.0)
    bgr: bool = False
    crop: float = 0.875
    interpolation: Interpolation = "bilinear"

    def preprocess(self, picture: Picture) -> PreprocessSpec:
        """Of the picture's size. What is not square was trained on stretched pictures, what is as
        small as a data set's on whole ones."""
        scaled = picture.preprocess(
            "stretch",
            bgr=self.bgr,
            rescale_factor=self.rescale_factor,
            mean=self.mean,
            std=self.std,
        )
        scaled = replace(scaled, antialias=True, interpolation=self.interpolation)
        is_whole = self.crop < 1 and scaled.width in _DATA_SETS
        if is_whole or scaled.height != scaled.width:
            return scaled
        edge = int(scaled.width / self.crop)
        return replace(scaled, resize_mode="center_crop", shortest_edge=edge)


IN_GRAPH = Family(told="scaled by the graph itself, is", rescale_factor=1.0)
"""Nobody has to name it: it shows."""
PLAIN = Family(told="divided by 255, is")
"""As Keras's examples prepare the pictures of small data sets."""
FAMILIES: Mapping[str, Family] = {
    # torchvision, most of timm, PaddleClas
    "imagenet": Family(
        told="ImageNet's mean and deviation are",
        mean=(0.485, 0.456, 0.406),
        std=(0.229, 0.224, 0.225),
    ),
    # Ultralytics' classifiers cut what is longer, and nothing else
    "yolo_cls": Family(told="divided by 255, is", crop=1.0),
    # mode "tf" of keras.applications: MobileNet, Inception, Xception, NASNet
    "keras": Family(
        told="scaled to -1 .. 1 as TensorFlow's models are, is",
        mean=(0.5, 0.5, 0.5),
        std=(0.5, 0.5, 0.5),
    ),
    # mode "caffe" there: ResNet and VGG, and what came from Caffe
    "caffe": Family(
        told="less ImageNet's mean pixel, is",
        bgr=True,
        rescale_factor=1.0,
        mean=(103.939, 116.779, 123.68),
    ),
    "efficientnet_lite": Family(
        told="less 127 and divided by 128, is",
        rescale_factor=1.0,
        mean=(127.0, 127.0, 127.0),
        std=(128.0, 128.0, 128.0),
        interpolation="bicubic",
    ),
    # What those who train on these with PyTorch write into Normalize
    "cifar": Family(
        told="CIFAR-10's mean and deviation are",
        mean=(0.4914, 0.4822, 0.4465),
        std=(0.2470, 0.2435, 0.2616),
    ),
    "mnist": Family(told="MNIST's mean and deviation are", mean=(0.1307,) * 3, std=(0.3081,) * 3),
}
