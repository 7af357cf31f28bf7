"""Read a .mnn file without running it."""

from __future__ import annotations

from pathlib import Path

from mobileq.targets.mnn.metadata import embedded_spec
from mobileq.targets.mnn.outline import read_outline
from mobileq.targets.model_file import ModelFile, quantized_tensor


def read_file(path: Path) -> ModelFile:
    """See `mobileq.targets.base.Target.read`. MNN has no place for metadata of others."""
    outline = read_outline(path)
    return ModelFile(
        inputs=outline.inputs,
        outputs=outline.outputs,
        ops=outline.ops,
        tensor_types=outline.weight_types,
        quantized=tuple(
            quantized_tensor(name, "int8", *found) for name, found in outline.quantized.items()
        ),
        spec=embedded_spec(path),
    )
