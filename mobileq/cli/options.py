"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Model = Annotated[
    Path, typer.Argument(help="A bundle, or a .onnx, .tflite or .mnn file.", metavar="MODEL")
]
BundleFolder = Annotated[Path, typer.Argument(help="A bundle's folder.", metavar="BUNDLE")]
Pictures = Annotated[
    list[Path],
    typer.Argument(help="Pictures, folders, patterns or videos.", metavar="IMAGES..."),
]
ArtifactName = Annotated[
    str | None, typer.Option("--artifact", help="Which file of the bundle: tflite-int8, or int8.")
]
ArtifactNames = Annotated[
    list[str] | None,
    typer.Option(
        "--artifact",
        help="Which of its files: tflite-int8, or int8; separated by commas. Default: all.",
        metavar="NAMES",
    ),
]
DrawTo = Annotated[Path | None, typer.Option("--output", "-o", help="Folder for what is drawn.")]
Score = Annotated[
    float | None, typer.Option("--score", help="Lowest score to show.", min=0.0, max=1.0)
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]
NoCache = Annotated[bool, typer.Option("--no-cache", help="Do not reuse earlier results.")]
InputShape = Annotated[
    list[str] | None,
    typer.Option(
        "--input-shape",
        help="Fix a dynamic input: images:1,3,640,640. Repeat for more inputs.",
        metavar="NAME:SHAPE",
    ),
]
SetInput = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        help="Make an input a constant: orig_target_sizes=[[640,640]], or a .npy file. Repeat "
        "for more.",
        metavar="NAME=VALUE",
    ),
]
Family = Annotated[
    str | None,
    typer.Option(
        help="Family, if it is not recognised: "
        "yolov5, yolov8, yolov10, yolo26, rtdetr, rfdetr, yolox, nanodet, picodet, yolonas, "
        "damoyolo, ppyoloe, yolov4, ssd; "
        "of classifiers, how pictures are prepared: imagenet, yolo_cls, keras, caffe, "
        "efficientnet_lite, cifar, mnist.",
        metavar="NAME",
    ),
]
SpecFile = Annotated[
    Path | None,
    typer.Option(
        "--spec",
        help="TOML that sets preprocessing and decoding: a file, or text such as "
        "'preprocess.resize_mode = \"stretch\"'.",
        metavar="FILE|TEXT",
    ),
]
Labels = Annotated[
    str | None,
    typer.Option(
        help="Class names: a text file (one a line), a data.yaml, coco80, coco91 or imagenet1k.",
        metavar="FILE|SET",
    ),
]


Interpreter = Annotated[
    str,
    typer.Option(help="Runs .tflite files: ai_edge_litert, tensorflow, or auto (what is there)."),
]

Delegates = Annotated[
    list[str] | None,
    typer.Option(
        "--delegate",
        help="What the phone runs files on: cpu, gpu, nnapi; separated by commas. Default: cpu.",
        metavar="NAMES",
    ),
]
MnnLibraries = Annotated[
    Path | None,
    typer.Option(help="The folder of MNN's .so files for the phone.", metavar="FOLDER"),
]
Threads = Annotated[
    list[str] | None,
    typer.Option(
        help="On the phone's CPU, separated by commas; 0, the default: one for each processor.",
        metavar="NUMBERS",
    ),
]
RunnerFolder = Annotated[
    Path | None,
    typer.Option("--runner", help="The folder of `mobileq runner build`, if not the user's data."),
]
Serial = Annotated[
    str | None,
    typer.Option(
        help="The phone, as `mobileq devices` names it; else ANDROID_SERIAL, or the only one.",
        metavar="SERIAL",
    ),
]
AdbPath = Annotated[
    Path | None,
    typer.Option(
        "--adb",
        help="adb itself, if not on PATH or in ANDROID_HOME/platform-tools.",
        metavar="PATH",
    ),
]


def threads_of(given: list[str] | None) -> tuple[int, ...]:
    """The numbers of `Threads`.

    Raises:
        UsageError: One is none.
    """
    from mobileq.errors import UsageError
    from mobileq.workflows.choices import split_list

    counts = split_list(given or ("0",))
    if not all(each.isascii() and each.isdigit() for each in counts):
        numbers = ",".join(counts)
        raise UsageError(f"--threads {numbers} is no list of numbers.", "Give it like: 1,4.")
    return tuple(map(int, counts))
