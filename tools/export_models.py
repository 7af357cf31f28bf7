"""Exports models of many kinds with random weights, to try mobileq on what nobody here wrote.

    python -m venv /tmp/exporters
    /tmp/exporters/bin/pip install -r tools/export_models.txt
    /tmp/exporters/bin/python tools/export_models.py FOLDER [NAME ...]

Each becomes NAME.onnx by torch's older exporter (opset 17) and NAME-dynamo.onnx by the newer one;
Ultralytics' models become one file each, by their own. Tests don't run it: it needs 2 GB of
packages. `tests/workflows/test_other_models.py` has small stand-ins of the same kinds.
"""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

_TIMM = {
    "fastvit_t8": 256,
    "vit_tiny_patch16_224": 224,
    "mobilevit_xxs": 256,
    "convnext_atto": 224,
}
_CLASSIFIERS = ("mobilenet_v3_small", "shufflenet_v2_x0_5")
_SEGMENTERS = {
    "deeplabv3_mobilenet": "deeplabv3_mobilenet_v3_large",
    "lraspp": "lraspp_mobilenet_v3_large",
}
_ULTRALYTICS = {
    "yolov9t": 320,
    "yolov10n": 320,
    "yolo11n": 320,
    "yolo12n": 320,
    "yolo26n": 320,
    "yolo11n-pose": 320,
    "yolo11n-seg": 320,
    "yolo11n-obb": 320,
    "yolo11n-cls": 224,
}
_ENDS = {"yolov10n": {"-end2end": False}, "yolo11n": {"-nms": True}, "yolo26n": {"-end2end": False}}
"""{model: {what its other file's name ends in: the option `nms`}}. Left out, boxes overlap; False
keeps the branch that gives every object one box, where there is one; True suppresses in the graph.
"""


class _Mask(nn.Module):
    """torchvision's segmenters give dictionaries."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x)["out"]


def _block(taken: int, given: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for channels in (taken, given):
        layers += [nn.Conv2d(channels, given, 3, padding=1), nn.BatchNorm2d(given), nn.ReLU()]
    return nn.Sequential(*layers)


class _UNet(nn.Module):
    """Two levels, and what was seen on the way down beside what comes up."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.ModuleList([_block(3, 16), _block(16, 32), _block(32, 64)])
        self.up = nn.ModuleList(
            [nn.ConvTranspose2d(64, 32, 2, 2), nn.ConvTranspose2d(32, 16, 2, 2)]
        )
        self.join = nn.ModuleList([_block(64, 32), _block(32, 16)])
        self.pool, self.head = nn.MaxPool2d(2), nn.Conv2d(16, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        a = self.down[0](x)
        b = self.down[1](self.pool(a))
        c = self.down[2](self.pool(b))
        d = self.join[0](torch.cat([self.up[0](c), b], 1))
        return self.head(self.join[1](torch.cat([self.up[1](d), a], 1)))


class _AgeAndGender(nn.Module):
    """Two heads on one body: a softmax over ages and one over genders."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *(_block(3, 16), nn.MaxPool2d(2), _block(16, 32), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        )
        self.age, self.gender = nn.Linear(32, 8), nn.Linear(32, 2)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        seen = self.body(x)
        return self.age(seen).softmax(1), self.gender(seen).softmax(1)


class _Siamese(nn.Module):
    """How alike two pictures are: the cosine of what one network makes of each."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Sequential(
            *(nn.Conv2d(3, 16, 3, 2, 1), nn.ReLU(), nn.Conv2d(16, 32, 3, 2, 1), nn.ReLU()),
            *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 16)),
        )

    def forward(self, left: Tensor, right: Tensor) -> Tensor:
        a, b = self.embed(left), self.embed(right)
        length = a.norm(dim=1, keepdim=True) * b.norm(dim=1, keepdim=True)
        return (a * b).sum(1, keepdim=True) / (length + 1e-6)


def _timm(name: str) -> nn.Module:
    import timm

    return timm.create_model(name, pretrained=False)


def _classifier(name: str) -> nn.Module:
    from torchvision import models

    return getattr(models, name)(weights=None)


def _segmenter(name: str) -> nn.Module:
    from torchvision.models import segmentation

    return _Mask(getattr(segmentation, name)(weights=None, weights_backbone=None))


_Made = tuple[Callable[[], nn.Module], list[tuple[int, ...]], dict[str, Any]]


def _models() -> dict[str, _Made]:
    """{name: (what makes it, the shapes of its inputs, options of the export)}"""
    found: dict[str, _Made] = {}
    for name, side in _TIMM.items():
        found[name] = (lambda name=name: _timm(name)), [(1, 3, side, side)], {}
    for name in _CLASSIFIERS:
        found[name] = (lambda name=name: _classifier(name)), [(1, 3, 224, 224)], {}
    names = {"output_names": ["age", "gender"]}
    found["age_and_gender"] = _AgeAndGender, [(1, 3, 96, 96)], names
    for name, builder in _SEGMENTERS.items():
        found[name] = (lambda builder=builder: _segmenter(builder)), [(1, 3, 256, 256)], {}
    found["unet"] = _UNet, [(1, 3, 128, 128)], {}
    pair = [(1, 3, 64, 64), (1, 3, 64, 64)]
    found["siamese"] = _Siamese, pair, {"input_names": ["left", "right"]}
    return found


def _export(name: str, made: _Made, folder: Path) -> None:
    build, shapes, options = made
    for suffix, how in (
        ("", {"dynamo": False, "opset_version": 17}),
        ("-dynamo", {"dynamo": True, "external_data": False}),
    ):
        torch.manual_seed(0)
        model = build().eval()
        inputs = tuple(torch.rand(*shape) for shape in shapes)
        with torch.no_grad():
            torch.onnx.export(model, inputs, str(folder / f"{name}{suffix}.onnx"), **how, **options)


def _export_ultralytics(name: str, folder: Path) -> None:
    from ultralytics import YOLO

    for suffix, nms in {"": None, **_ENDS.get(name, {})}.items():
        torch.manual_seed(0)
        model = YOLO(f"{name}.yaml")
        side = _ULTRALYTICS[name]
        written = model.export(format="onnx", imgsz=side, simplify=False, nms=nms)
        os.replace(written, folder / f"{name}{suffix}.onnx")


def main() -> int:
    """Exit code 1 where one model could not be exported; the others are there."""
    models = _models()
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*", help=", ".join([*models, *_ULTRALYTICS]))
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    warnings.filterwarnings("ignore")
    failed = 0
    for name in arguments.names or [*models, *_ULTRALYTICS]:
        try:
            if name in _ULTRALYTICS:
                _export_ultralytics(name, arguments.folder)
            else:
                _export(name, models[name], arguments.folder)
            print(name)
        except Exception as error:  # another exporter, another kind of error
            failed = 1
            print(f"{name}: {type(error).__name__}: {str(error)[:200]}", file=sys.stderr)
    return failed


if __name__ == "__main__":
    sys.exit(main())
