"""The door that recognition goes through: what a task is asked about a model, and its answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol, cast

import msgspec

from mobileq.graph.outline import guess_layout
from mobileq.spec import (
    Layout,
    ModelSpec,
    PreprocessSpec,
    ReadingSpec,
    ResizeMode,
    Task,
    TensorSpec,
)
from mobileq.tasks.base import parts

if TYPE_CHECKING:
    from onnx import ModelProto

    from mobileq.graph.index import GraphIndex


@dataclass(frozen=True, kw_only=True)
class Picture:
    """The input that takes the picture."""

    width: int
    height: int
    layout: Layout
    dtype: str
    name: str = ""
    channels: int = 3
    batch: int = 1

    def preprocess(
        self,
        resize_mode: ResizeMode = "letterbox",
        *,
        bgr: bool = False,
        rescale_factor: float = 1.0 / 255.0,
        mean: tuple[float, float, float] = (0.0, 0.0, 0.0),
        std: tuple[float, float, float] = (1.0, 1.0, 1.0),
    ) -> PreprocessSpec:
        """Of the picture's size and layout; a gray one takes the mean over the colours.

        A model that takes bytes takes the pixels as they are, whatever it does to them.
        """
        if self.dtype == "uint8":
            rescale_factor, mean, std = 1.0, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
        gray = self.channels == 1
        return PreprocessSpec(
            width=self.width,
            height=self.height,
            resize_mode=resize_mode,
            channel_order="GRAY" if gray else "BGR" if bgr else "RGB",
            rescale_factor=rescale_factor,
            image_mean=(sum(mean) / 3,) if gray else mean,
            image_std=(sum(std) / 3,) if gray else std,
            layout=self.layout,
        )


@dataclass(frozen=True, kw_only=True)
class ModelFacts:
    """What is known of a model before anybody knows what it is for.

    Attributes:
        picture: The input that takes the picture, or why there is none.
        outputs: As the model gives them.
        rows: As it gives them for one picture of a batch, or why it does not.
        metadata: Of the file.
        names: Class names that somebody has given, by option or in the file.
        names_in_file: They are the file's own; those given by option may differ from what the model
            has, which is an error later on.
        index: Of the graph; None where there is none to read (a .tflite).
    """

    picture: Picture | str
    outputs: tuple[TensorSpec, ...]
    rows: tuple[TensorSpec, ...] | str
    metadata: Mapping[str, str]
    names: tuple[str, ...] | None
    names_in_file: bool
    index: GraphIndex | None

    @property
    def named_task(self) -> str | None:
        """What the file says that it is for, as Ultralytics' do: "detect", "classify", "pose"."""
        task = self.metadata.get("task")
        return None if task is None else task.strip().lower()[:30]


Questions = Mapping[Literal["preprocess", "reading", "class_count", "labels"], str]
"""By the part of a spec file that answers one: a sentence. `--labels` answers as well."""


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A task's answer that a model is its own: how to feed it and how to read it.

    Attributes:
        family: Of models of this task, where it tells some apart.
        preprocess: None where it takes no picture.
        reading: None where shapes say all.
        class_count: How many labels it has.
        has_background: Class 0 stands for none of them, and names may start at class 1.
        notices: Assumptions a person should know of, and
        questions: those that a person can answer: what with -> what to tell until then.
    """

    task: Task
    family: str | None = None
    preprocess: PreprocessSpec | None = None
    reading: ReadingSpec | None = None
    class_count: int
    has_background: bool = False
    notices: tuple[str, ...] = ()
    questions: Questions = field(default_factory=dict)


Reasons = Mapping[str, str]
"""Why a model is not a task's own: family -> why it does not fit."""


class Recogniser(Protocol):
    """The part `recognition` of a task's room.

    Attributes:
        FAMILIES: What `--family` may name.
        READING: What a spec file may say of the outputs, under `ReadingSpec.section`.
        LABELS: Lists of class names that are built in.
    """

    FAMILIES: tuple[str, ...]
    READING: type[ReadingSpec] | None
    LABELS: Mapping[str, tuple[str, ...]]

    def claim(self, facts: ModelFacts, family: str | None) -> Claim | Reasons:
        """Whether a model is the task's own. `family`: one of its own that it has to be of."""
        ...

    def misfit(self, spec: ModelSpec) -> str | None:
        """Why outputs of such shapes can't be read as `READING` says there."""
        ...


RawHead = Callable[["ModelProto", ModelSpec], tuple["ModelProto", ModelSpec]]
"""`raw_head` of the part of that name, in rooms whose models have an end that integers had better
not compute: the rest of the model, and the spec that reads its outputs. Raises UsageError where
this model has no such end."""


def recognisers() -> Iterator[tuple[str, Recogniser]]:
    """(task, what recognises its models), in the order in which they are asked."""
    for room, module in parts("recognition"):
        yield room, cast(Recogniser, module)


def find_picture(inputs: tuple[TensorSpec, ...]) -> Picture | str:
    """The picture input, or the reason why there is none."""
    if len(inputs) != 1:
        return f"it has {len(inputs)} inputs; one picture is expected{_remedy(inputs)}"
    (tensor,) = inputs
    layout = tensor.layout or guess_layout(tensor.shape)
    if len(tensor.shape) != 4 or layout is None:
        return f"its input {list(tensor.shape)} is no picture with the channels first or last"
    channels_first = layout == "NCHW"
    channels = tensor.shape[1] if channels_first else tensor.shape[3]
    height, width = tensor.shape[2:] if channels_first else tensor.shape[1:3]
    if channels not in (1, 3):
        return f"its input has {channels} channels; 1 or 3 are expected"
    if min(tensor.shape) < 1:
        return f"its input {list(tensor.shape)} has no fixed height and width"
    return Picture(
        width=width,
        height=height,
        layout=layout,
        dtype=tensor.dtype,
        name=tensor.name,
        channels=channels,
        batch=tensor.shape[0],
    )


def _remedy(inputs: tuple[TensorSpec, ...]) -> str:
    """` (--set NAME=VALUE ...)` where one of two inputs is a picture, and the other as good as a
    constant: RT-DETR and D-FINE take the size that boxes are wanted in, PaddleDetection's models
    what boxes are divided by."""
    pictures = [each for each in inputs if not isinstance(find_picture((each,)), str)]
    others = [each for each in inputs if each not in pictures]
    if len(pictures) != 1 or len(others) != 1:
        return ""
    picture, value = find_picture((pictures[0],)), "VALUE"
    if not isinstance(picture, str) and others[0].shape[-1:] == (2,):
        divides = others[0].name.startswith("scale_factor")
        value = "[1,1]" if divides else f"[{picture.width},{picture.height}]"
    return f" (--set {others[0].name}={value} makes the other a constant)"


def per_picture(outputs: tuple[TensorSpec, ...], batch: int) -> tuple[TensorSpec, ...] | str:
    """The outputs as those of a batch of 1, or the reason why they have no row for each picture."""
    if batch == 1:
        return outputs
    for output in outputs:
        if output.shape[:1] != (batch,):
            return f"its output {shape_text(output)} has no row for each of {batch} pictures"
    return tuple(
        msgspec.structs.replace(output, shape=(1, *output.shape[1:])) for output in outputs
    )


def assumed_classes(count: int) -> Questions:
    """What to tell where a final output does not show how many classes there are."""
    return {
        "class_count": f"The file does not say how many classes there are; {count} are assumed, as "
        "in COCO. Give their names with --labels."
    }


def shape_text(output: TensorSpec) -> str:
    """`[1, 84, ?]`."""
    return "[" + ", ".join("?" if dim < 0 else str(dim) for dim in output.shape) + "]"
