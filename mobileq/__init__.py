"""Take a trained vision model from ONNX to a phone: convert, quantize, verify.

The commands are functions of the same names: `mobileq.convert(...)` returns the bundle's manifest.
They are imported on first use, so that `import mobileq` costs nothing; see docs/python.md.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

__version__ = "0.1.0"

__all__ = [
    "AndroidOptions",
    "ArtifactScores",
    "Bench",
    "BenchRow",
    "BenchedDevice",
    "BudgetMissedError",
    "Bundle",
    "BundleInspection",
    "BundleManifest",
    "Comparison",
    "ConvertOptions",
    "DetectedObject",
    "DetectionRun",
    "Device",
    "DeviceError",
    "DeviceFacts",
    "Devices",
    "Diagnosis",
    "Failure",
    "InputError",
    "Inspection",
    "Installed",
    "MadeRunner",
    "MissingDependencyError",
    "MobileqError",
    "Overrides",
    "PictureClasses",
    "PictureDetections",
    "PicturePrediction",
    "PictureTensors",
    "PredictedClass",
    "PredictedTensor",
    "PredictionRun",
    "Progress",
    "ProjectFile",
    "Pushed",
    "QuantOptions",
    "Recommendation",
    "RenderedProject",
    "ReportPage",
    "Sensitivity",
    "ShipStage",
    "Shipped",
    "Silent",
    "ToolError",
    "UnsupportedOperatorError",
    "UsageError",
    "Validation",
    "VerificationError",
    "VerifyReport",
    "__version__",
    "bench",
    "build_runner",
    "compare",
    "convert",
    "demo",
    "detect",
    "devices",
    "doctor",
    "init",
    "inspect",
    "install",
    "predict",
    "push",
    "read_bundle",
    "recommend",
    "render_project",
    "report",
    "sensitivity",
    "ship",
    "validate",
    "verify_bundle",
]

if TYPE_CHECKING:
    from mobileq.android.options import AndroidOptions
    from mobileq.android.project import RenderedProject, render_project
    from mobileq.bundle import Bundle, VerifyReport, read_bundle, verify_bundle
    from mobileq.device.facts import Device, DeviceFacts, Devices
    from mobileq.device_bench import Bench, BenchedDevice, BenchRow
    from mobileq.errors import (
        BudgetMissedError,
        DeviceError,
        InputError,
        MissingDependencyError,
        MobileqError,
        ToolError,
        UnsupportedOperatorError,
        UsageError,
        VerificationError,
    )
    from mobileq.evaluate.compare import Comparison
    from mobileq.evaluate.recommend import Recommendation
    from mobileq.evaluate.report import ArtifactScores, Validation
    from mobileq.manifest import BundleManifest, Failure
    from mobileq.progress import Progress, Silent
    from mobileq.quantize.options import QuantOptions
    from mobileq.quantize.sensitivities import Sensitivity
    from mobileq.tasks.classify.predict import PictureClasses, PredictedClass
    from mobileq.tasks.detect.predict import DetectedObject, DetectionRun, PictureDetections
    from mobileq.tasks.prediction import PicturePrediction, PredictionRun
    from mobileq.tasks.tensors.predict import PictureTensors, PredictedTensor
    from mobileq.workflows.bench import bench
    from mobileq.workflows.compare import compare
    from mobileq.workflows.convert import convert
    from mobileq.workflows.demo import demo
    from mobileq.workflows.detect import detect
    from mobileq.workflows.devices import devices
    from mobileq.workflows.doctor import Diagnosis, doctor
    from mobileq.workflows.init import ProjectFile, init
    from mobileq.workflows.inspect import inspect
    from mobileq.workflows.inspection import BundleInspection, Inspection
    from mobileq.workflows.install import Installed, install
    from mobileq.workflows.opening import Overrides
    from mobileq.workflows.predict import predict
    from mobileq.workflows.push import Pushed, push
    from mobileq.workflows.recommend import recommend
    from mobileq.workflows.report import ReportPage, report
    from mobileq.workflows.request import ConvertOptions
    from mobileq.workflows.runner import MadeRunner, build_runner
    from mobileq.workflows.sensitivity import sensitivity
    from mobileq.workflows.ship import ship
    from mobileq.workflows.shipped import Shipped, ShipStage
    from mobileq.workflows.validate import validate
else:
    # What stands above is for type checkers and editors; a test holds the two together.
    _PLACES = {
        "mobileq.android.options": ("AndroidOptions",),
        "mobileq.android.project": ("RenderedProject", "render_project"),
        "mobileq.bundle": ("Bundle", "VerifyReport", "read_bundle", "verify_bundle"),
        "mobileq.device.facts": ("Device", "DeviceFacts", "Devices"),
        "mobileq.device_bench": ("Bench", "BenchRow", "BenchedDevice"),
        "mobileq.errors": (
            "BudgetMissedError",
            "DeviceError",
            "InputError",
            "MissingDependencyError",
            "MobileqError",
            "ToolError",
            "UnsupportedOperatorError",
            "UsageError",
            "VerificationError",
        ),
        "mobileq.evaluate.compare": ("Comparison",),
        "mobileq.evaluate.recommend": ("Recommendation",),
        "mobileq.evaluate.report": ("ArtifactScores", "Validation"),
        "mobileq.manifest": ("BundleManifest", "Failure"),
        "mobileq.progress": ("Progress", "Silent"),
        "mobileq.workflows.bench": ("bench",),
        "mobileq.workflows.compare": ("compare",),
        "mobileq.workflows.convert": ("convert",),
        "mobileq.workflows.demo": ("demo",),
        "mobileq.workflows.detect": ("detect",),
        "mobileq.workflows.devices": ("devices",),
        "mobileq.workflows.doctor": ("Diagnosis", "doctor"),
        "mobileq.tasks.classify.predict": ("PictureClasses", "PredictedClass"),
        "mobileq.tasks.detect.predict": ("DetectedObject", "DetectionRun", "PictureDetections"),
        "mobileq.tasks.prediction": ("PicturePrediction", "PredictionRun"),
        "mobileq.tasks.tensors.predict": ("PictureTensors", "PredictedTensor"),
        "mobileq.workflows.init": ("ProjectFile", "init"),
        "mobileq.workflows.inspect": ("inspect",),
        "mobileq.workflows.inspection": ("BundleInspection", "Inspection"),
        "mobileq.workflows.install": ("Installed", "install"),
        "mobileq.workflows.opening": ("Overrides",),
        "mobileq.workflows.predict": ("predict",),
        "mobileq.quantize.options": ("QuantOptions",),
        "mobileq.workflows.push": ("Pushed", "push"),
        "mobileq.workflows.recommend": ("recommend",),
        "mobileq.workflows.report": ("ReportPage", "report"),
        "mobileq.workflows.request": ("ConvertOptions",),
        "mobileq.quantize.sensitivities": ("Sensitivity",),
        "mobileq.workflows.runner": ("MadeRunner", "build_runner"),
        "mobileq.workflows.sensitivity": ("sensitivity",),
        "mobileq.workflows.ship": ("ship",),
        "mobileq.workflows.shipped": ("ShipStage", "Shipped"),
        "mobileq.workflows.validate": ("validate",),
    }
    _MODULES = {name: module for module, names in _PLACES.items() for name in names}

    def __getattr__(name):
        if name not in _MODULES:
            raise AttributeError(f"module 'mobileq' has no attribute {name!r}")
        found = getattr(importlib.import_module(_MODULES[name]), name)
        globals()[name] = found
        return found

    def __dir__():
        return __all__
