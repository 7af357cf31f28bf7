"""Recognises what a model is for, how it wants its picture and how its outputs are read.

Every task is asked in turn whether the model is its own, by shapes, metadata and, where there is a
graph, what that shows of its outputs (see `mobileq.tasks.recognition`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from mobileq.errors import UsageError
from mobileq.graph.index import GraphIndex
from mobileq.graph.outline import tensor_specs
from mobileq.preparation.labels import LabelSource, parse_names, read_labels, settle_labels
from mobileq.spec import ModelSpec, PreprocessSpec, TensorSpec
from mobileq.tasks.recognition import (
    Claim,
    ModelFacts,
    Picture,
    Questions,
    find_picture,
    per_picture,
    recognisers,
)

if TYPE_CHECKING:
    from onnx import ModelProto


@dataclass(frozen=True, kw_only=True)
class Recognition:
    """What was found out about a model.

    `reasons`: family -> why it does not fit, where none does. `stated`: assumptions a person should
    know of; `questions`: those that a person can answer.
    """

    spec: ModelSpec
    reasons: Mapping[str, str] = field(default_factory=dict)
    stated: tuple[str, ...] = ()
    questions: Questions = field(default_factory=dict)

    @property
    def notices(self) -> tuple[str, ...]:
        """All that a person is told."""
        return (*self.stated, *self.questions.values())


def families() -> tuple[str, ...]:
    """The names that `family` takes."""
    return tuple(sorted(name for _, room in recognisers() for name in room.FAMILIES))


def recognise(
    model: ModelProto, family: str | None = None, labels: LabelSource | None = None
) -> Recognition:
    """Recognise an ONNX model with static input shapes (see `prepare`).

    Args:
        model: The model.
        family: One of `families()` to insist on.
        labels: Class names, or where to read them (see `labels.read_labels`).

    Raises:
        UsageError: `family` is unknown or does not fit; the message says why.
        InputError: `labels` are not as many as the model's classes.
    """
    inputs, outputs = tensor_specs(model)
    return recognise_shapes(inputs, outputs, metadata_of(model), GraphIndex(model), family, labels)


def metadata_of(model: ModelProto) -> dict[str, str]:
    """The model's metadata_props."""
    return {item.key: item.value for item in model.metadata_props}


def recognise_shapes(
    inputs: tuple[TensorSpec, ...],
    outputs: tuple[TensorSpec, ...],
    metadata: Mapping[str, str],
    index: GraphIndex | None = None,
    family: str | None = None,
    labels: LabelSource | None = None,
) -> Recognition:
    """Recognise a model of any format by its inputs and outputs, and its graph where there is one.

    Raises:
        UsageError, InputError: As `recognise`.
    """
    if family is not None and family not in families():
        raise UsageError(
            f"There is no family '{family}'.", f"The families are {', '.join(families())}."
        )
    given = read_labels(labels) if labels is not None else None
    names = given if given is not None else parse_names(metadata.get("names", ""))
    picture = find_picture(inputs)
    facts = ModelFacts(
        picture=picture,
        outputs=outputs,
        rows=per_picture(outputs, 1 if isinstance(picture, str) else picture.batch),
        metadata=metadata,
        names=names,
        names_in_file=given is None,
        index=index,
    )
    # The name is the file's, which nobody has told here.
    spec = ModelSpec(name="model", task="unknown", family=None, inputs=inputs, outputs=outputs)
    reasons: dict[str, str] = {}
    for _, room in recognisers():
        if family is None or family in room.FAMILIES:
            answer = room.claim(facts, family)
            if isinstance(answer, Claim):
                return _claimed(spec, answer, names, is_given=given is not None)
            reasons.update(answer)
    if family is not None:
        raise UsageError(
            f"The model is not of the family {family}: {reasons[family]}.",
            "Leave --family out to see what was recognised, or describe the model with --spec.",
        )
    return _unknown(spec, facts, reasons)


def _claimed(
    spec: ModelSpec, claim: Claim, named: tuple[str, ...] | None, is_given: bool
) -> Recognition:
    if named is not None and claim.has_background and len(named) == claim.class_count - 1:
        named = ("background", *named)
    labels, unnamed = settle_labels(named, claim.class_count, claim.task, strict=is_given)
    spec = msgspec.structs.replace(
        spec,
        task=claim.task,
        family=claim.family,
        preprocess=claim.preprocess,
        labels=labels,
        **({claim.reading.section: claim.reading} if claim.reading is not None else {}),
    )
    questions = {**claim.questions, **unnamed}
    return Recognition(spec=spec, stated=claim.notices, questions=questions)


def _unknown(spec: ModelSpec, facts: ModelFacts, reasons: Mapping[str, str]) -> Recognition:
    guess = _guessed_preprocess(facts.picture)
    spec = msgspec.structs.replace(spec, labels=facts.names or (), preprocess=guess)
    questions = {"reading": _unread(facts, reasons), **_as_most(guess)}
    return Recognition(spec=spec, reasons=reasons, questions=questions)


def _unread(facts: ModelFacts, reasons: Mapping[str, str]) -> str:
    if facts.named_task and facts.named_task not in dict(recognisers()):
        return (
            f"The file gives its task as '{facts.named_task}', which mobileq does not read: files "
            "are compared by the numbers of their outputs."
        )
    mended = next((reason for reason in reasons.values() if "--set " in reason), None)
    if mended is not None:
        return (
            f"What its outputs mean is not known, so files are compared by their numbers: {mended}."
        )
    return (
        "What its outputs mean is not known, so files are compared by their numbers; --spec FILE "
        "can say how they are read, --family NAME why it is not of that family."
    )


def _guessed_preprocess(picture: Picture | str) -> PreprocessSpec | None:
    """What most exports expect, in color or gray, in float32 or uint8."""
    if isinstance(picture, str) or picture.dtype not in ("float32", "uint8"):
        return None
    return picture.preprocess()


def _as_most(guess: PreprocessSpec | None) -> Questions:
    if guess is None:
        return {}
    scaled = "divided by 255, " if guess.rescale_factor != 1.0 else ""
    return {
        "preprocess": f"Pictures are fed as {guess.channel_order}, {scaled}letterboxed, since "
        "nothing says how the model wants them; say otherwise with --spec."
    }
