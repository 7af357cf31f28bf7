"""What a .mnn file says of itself: JSON in its field `bizCode`, which MNN carries and never reads.

The field is the first of the flatbuffer's root table (MNN's schema, `Net`), so reading it takes no
schema and no MNN.
"""

from __future__ import annotations

import json
import re
import struct
from pathlib import Path
from typing import Any

import msgspec

from mobileq.regular_file import MAX_MODEL_BYTES, read_regular
from mobileq.spec import ModelSpec, QuantRecipe
from mobileq.targets.embedded import KEY, described_model, own_description
from mobileq.targets.mnn.flatbuffer import field, follow

_LIMIT = 4 * 1024 * 1024
_UUID = re.compile(rb"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_NO_UUID = b"00000000-0000-0000-0000-000000000000"


def metadata_text(spec: ModelSpec, recipe: QuantRecipe) -> str:
    """What goes into `bizCode`."""
    found = {KEY: own_description(spec, recipe)}
    return json.dumps(found, sort_keys=True, separators=(",", ":"))


def embedded_spec(path: Path) -> ModelSpec | None:
    """The ModelSpec that mobileq wrote into the file, or None.

    Raises:
        InputError: There is one, and it is wrong.
    """
    content = read_regular(path, MAX_MODEL_BYTES, "an MNN file")
    try:
        found: Any = msgspec.json.decode(_biz_code(content))
    except (RecursionError, msgspec.MsgspecError, UnicodeDecodeError):
        return None
    return described_model(found, path)


def _biz_code(content: bytes) -> bytes:
    """Bytes of the root table's first field; empty where there is none, or the file is none."""
    try:
        at = field(content, follow(content, 0), 0)
        if at is None:
            return b""
        at = follow(content, at)
        (length,) = struct.unpack_from("<I", content, at)
    except struct.error:
        return b""
    return content[at + 4 : at + 4 + length] if length <= _LIMIT else b""


def forget_uuid(path: Path) -> None:
    """Overwrite the random id that MNN 3.6.1 gives each file: same input, same bytes."""
    content = path.read_bytes()
    found = _UUID.search(content, 0, 1024)
    if found:
        path.write_bytes(content[: found.start()] + _NO_UUID + content[found.end() :])
