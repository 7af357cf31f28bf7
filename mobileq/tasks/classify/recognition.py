"""Tells whether a model is a classifier of whole pictures, by what says that it gives classes.

One row of numbers may as well be an embedding, or values that a regression gives: the file must
call it a classifier, name as many classes, end in a softmax, or have as many as ImageNet.
"""

from __future__ import annotations

from collections.abc import Mapping

from mobileq.graph.outputs import end_of
from mobileq.graph.pixel_scaling import scales_pixels
from mobileq.spec import ModelSpec, PreprocessSpec, ReadingSpec
from mobileq.spec.classes import ClassesSpec, ClassHead, ClassValues
from mobileq.tasks.classify import families
from mobileq.tasks.classify.imagenet_classes import IMAGENET1K
from mobileq.tasks.recognition import Claim, ModelFacts, Picture, Questions, Reasons

FAMILIES = tuple(families.FAMILIES)
READING: type[ReadingSpec] | None = ClassesSpec
LABELS: Mapping[str, tuple[str, ...]] = {"imagenet1k": IMAGENET1K}

_IMAGENET_COUNTS = frozenset({1000, 1001, 21841, 21843})
"""Classes of ImageNet-1k, also with TensorFlow's background, and of ImageNet-21k (timm's Google
models number two more)."""
_BACKGROUNDS = frozenset({1001})
"""TensorFlow's models of ImageNet-1k count a background as class 0."""
_DATA_SETS = frozenset({28, 32})
"""Edges of the pictures of MNIST and CIFAR."""
_LOGITS = frozenset(
    {"Gemm", "MatMul", "Add", "Conv", "GlobalAveragePool", "AveragePool", "ReduceMean"}
)
"""What gives logits: a last linear layer, its bias, or a mean over the picture."""
_SOFTMAXES = frozenset({"Softmax", "LogSoftmax"})
_VALUES: Mapping[str, ClassValues] = {
    **dict.fromkeys(_LOGITS | {"LogSoftmax"}, "logits"),
    **dict.fromkeys(("Softmax", "Sigmoid"), "probabilities"),
}
"""What the op at the end gives."""


def claim(facts: ModelFacts, family: str | None) -> Claim | Reasons:
    """See `mobileq.tasks.recognition.Recogniser`."""
    counts = _class_counts(facts)
    if family is not None and not counts:
        return {family: "it does not give one row of values for a picture"}
    if family is None and not (counts and _holds_classes(facts, counts)):
        return {}
    reading, questions = _reading(facts, counts)
    preprocess = None
    if isinstance(facts.picture, str):
        if family is not None:
            return {family: facts.picture}
    else:
        own = _family(facts, facts.picture) if family is None else families.FAMILIES[family]
        preprocess = own.preprocess(facts.picture)
        if family is None:
            questions = {"preprocess": _assumed(own, preprocess), **questions}
    return Claim(
        task="classify",
        family=family,
        preprocess=preprocess,
        reading=reading,
        class_count=sum(counts),
        has_background=counts[0] in _BACKGROUNDS,
        questions=questions,
    )


def misfit(spec: ModelSpec) -> str | None:
    """None: the spec itself is held against the outputs."""
    return None


def _class_counts(facts: ModelFacts) -> tuple[int, ...]:
    """K of each output, all of which are [1, K], or [1, K, 1, 1] in either layout; else none."""
    if isinstance(facts.rows, str):
        return ()
    counts = []
    for shape in (output.shape for output in facts.rows):
        lengths = [length for length in shape[1:] if length != 1]
        is_row = len(shape) in (2, 4) and shape[0] == 1 and min(shape) > 0
        if not is_row or len(lengths) != 1:
            return ()
        counts += lengths
    return tuple(counts)


def _holds_classes(facts: ModelFacts, counts: tuple[int, ...]) -> bool:
    """Several outputs may be anything, unless each ends in a softmax."""
    ends = _ends(facts)
    if len(counts) > 1:
        return facts.named_task in (None, "classify") and set(ends) <= _SOFTMAXES
    if facts.named_task is not None:
        return facts.named_task == "classify"
    ((count,), (end,)) = counts, ends
    if facts.names is not None and len(facts.names) == count:
        return True
    if facts.index is None:
        return count in _IMAGENET_COUNTS
    return (count in _IMAGENET_COUNTS and end in _LOGITS) or end in _SOFTMAXES


def _ends(facts: ModelFacts) -> list[str]:
    """The op type that gives each output's values; "" where that is not known."""
    if facts.index is None:
        return [""] * len(facts.outputs)
    nodes = [end_of(facts.index, output.name) for output in facts.outputs]
    return ["" if node is None else node.op_type for node in nodes]


def _reading(facts: ModelFacts, counts: tuple[int, ...]) -> tuple[ClassesSpec | None, Questions]:
    """By the op at the end; without a graph nobody can tell logits from probabilities."""
    if facts.index is None:
        return None, {
            "reading": "Whether its values are logits or probabilities is not known, so files are "
            "compared by their numbers."
        }
    values = [_VALUES.get(end) for end in _ends(facts)]
    if len(counts) > 1:
        heads = tuple(
            ClassHead(
                name=output.name, output=output.name, class_count=count, values=kind or "logits"
            )
            for output, count, kind in zip(facts.outputs, counts, values, strict=True)
        )
        return ClassesSpec(class_count=sum(counts), heads=heads), {}
    ((count,), (kind,)) = counts, values
    if kind is not None:
        return ClassesSpec(class_count=count, values=kind), {}
    return ClassesSpec(class_count=count), {
        "reading": "What its values are does not show at the graph's end; logits are assumed, for "
        'probabilities a --spec file has [classes] values = "probabilities".'
    }


def _family(facts: ModelFacts, picture: Picture) -> families.Family:
    """What the graph shows, and else what those who export such models train with."""
    if facts.index is not None and scales_pixels(facts.index, picture.name):
        return families.IN_GRAPH
    if facts.named_task is not None:
        return families.FAMILIES["yolo_cls"]
    if picture.width == picture.height and picture.width in _DATA_SETS:
        if picture.layout == "NHWC":
            return families.PLAIN
        return families.FAMILIES["mnist" if picture.channels == 1 else "cifar"]
    return families.FAMILIES["keras" if picture.layout == "NHWC" else "imagenet"]


def _assumed(family: families.Family, preprocess: PreprocessSpec) -> str:
    return (
        f"A classifier's preprocessing is not in the file; {preprocess.channel_order}, "
        f"{preprocess.resizing}, {family.told} assumed. --family ({', '.join(FAMILIES)}) or a "
        "--spec file can say otherwise."
    )
