"""What a .onnx file of ours says of itself: entries of its metadata_props.

`names`, `task`, `imgsz` and `stride` are written as Ultralytics does, as Python literals. Who wrote
a file stands in its producer_name: by that a file of the target is told from a model to convert.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

from mobileq.spec import ModelSpec, QuantRecipe
from mobileq.targets.embedded import KEY, common_entries, described_model, own_description
from mobileq.targets.onnxruntime.info import PRODUCER

if TYPE_CHECKING:
    from pathlib import Path

    from onnx import ModelProto


def with_metadata(model: ModelProto, spec: ModelSpec, recipe: QuantRecipe) -> bytes:
    """The model as a file, in which it says what it is. Same input, same bytes.

    Nothing is kept of what the model said before: an entry might contradict ours.
    """
    from onnx import helper

    model.producer_name = PRODUCER
    model.ClearField("producer_version")
    model.ClearField("doc_string")
    entries = {name: str(value) for name, value in common_entries(spec).items()}
    own = own_description(spec, recipe)
    entries[KEY] = json.dumps(own, sort_keys=True, separators=(",", ":"))
    del model.metadata_props[:]
    helper.set_model_props(model, dict(sorted(entries.items())))
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def metadata_of(model: ModelProto) -> dict[str, str]:
    """The model's metadata_props."""
    return {each.key: each.value for each in model.metadata_props}


def embedded_spec(metadata: Mapping[str, str], path: Path) -> ModelSpec | None:
    """The ModelSpec that mobileq wrote into the file, or None.

    Raises:
        InputError: There is one, and it is wrong.
    """
    try:
        own = msgspec.json.decode(metadata.get(KEY, ""))
    except (RecursionError, msgspec.MsgspecError, UnicodeDecodeError):
        return None
    return described_model({KEY: own}, path)
