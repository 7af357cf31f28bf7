"""From an ONNX file to a model that converters take, and the spec that says how to use it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from mobileq.graph.dynamic_scales import dynamic_notices
from mobileq.graph.foreign_ops import require_standard_ops
from mobileq.graph.given_quantization import GivenQuantization, remaining
from mobileq.graph.index import GraphIndex
from mobileq.graph.integer_ends import end_ranges, write_integers
from mobileq.graph.load import load_with_notices
from mobileq.graph.operator_format import as_pairs
from mobileq.graph.outline import op_counts, opset, tensor_specs
from mobileq.graph.precision import to_float32
from mobileq.graph.quantized import has_quantizers, strip_quantizers
from mobileq.graph.set_inputs import parse_set_inputs, set_inputs
from mobileq.graph.shapes import Shape, dynamic_outputs, fix_shapes, parse_input_shapes
from mobileq.graph.simplify import simplify
from mobileq.hashing import file_digest
from mobileq.preparation.describe import describe
from mobileq.preparation.labels import LabelSource, read_labels
from mobileq.preparation.recognise import metadata_of
from mobileq.preparation.spec_file import SpecOverrides, read_spec_file
from mobileq.spec import ModelSpec

if TYPE_CHECKING:
    from onnx import ModelProto


@dataclass(frozen=True, kw_only=True, eq=False)
class PreparedModel:
    """A model ready to convert.

    `model` is float32, with static inputs, simplified and verified. `source_sha256` is of the file
    as it was given (without external data).

    Of a file that came quantized, `model` is the float model inside it, `given` its scales, and
    `quantized` the model as it came, with static inputs, for runs to compare with.

    `set_inputs` are those that became constants, with their values as `--set` takes them.
    """

    model: ModelProto
    spec: ModelSpec
    opset: int
    source_sha256: str
    op_counts: Mapping[str, int]
    notices: tuple[str, ...] = ()
    given: GivenQuantization | None = None
    quantized: ModelProto | None = None
    set_inputs: Mapping[str, str] = field(default_factory=dict)


def prepare(
    path: str | Path,
    input_shapes: Iterable[str] | Mapping[str, Shape] = (),
    family: str | None = None,
    spec_file: str | Path | None = None,
    labels: LabelSource | None = None,
    constants: Iterable[str] = (),
) -> PreparedModel:
    """Load, widen to float32, fix shapes, simplify and recognise. Same input, same bytes.

    Args:
        path: The .onnx file; its stem becomes the model's name.
        input_shapes: `["images:1,3,640,640"]`, or name -> shape.
        family: Insist on a family; goes before the spec file's.
        spec_file: TOML that corrects what is recognised (see `spec_file`).
        labels: Names of the classes; go before the spec file's.
        constants: Inputs that become constants: `["orig_target_sizes=[[640,640]]"]`.

    Raises:
        UsageError: An argument cannot be carried out.
        InputError: The model, the labels or the spec file cannot be used.
    """
    model, notices = load_with_notices(path)
    return prepare_loaded(
        model, path, input_shapes, family, spec_file, labels, constants, notices=notices
    )


def prepare_loaded(
    model: ModelProto,
    path: str | Path,
    input_shapes: Iterable[str] | Mapping[str, Shape] = (),
    family: str | None = None,
    spec_file: str | Path | None = None,
    labels: LabelSource | None = None,
    constants: Iterable[str] = (),
    *,
    notices: tuple[str, ...] = (),
) -> PreparedModel:
    """As `prepare`, of what `load_with_notices` has read from the path."""
    path = Path(path)
    overrides = read_spec_file(spec_file) if spec_file is not None else SpecOverrides(path=path)
    source = labels if labels is not None else overrides.labels
    names = read_labels(source) if source is not None else None
    shapes = input_shapes if isinstance(input_shapes, Mapping) else parse_input_shapes(input_shapes)
    values = parse_set_inputs(constants)
    model = as_pairs(_inline_functions(model))
    foreign = require_standard_ops(model)
    model, widened = to_float32(model)
    model, told = set_inputs(model, values, shapes)
    model, fixed = fix_shapes(model, {name: shapes[name] for name in shapes if name not in told})
    quantized, given, stripped = None, None, tuple[str, ...]()
    dynamic = dynamic_notices(model)
    ends = end_ranges(model)
    model = write_integers(model)
    if has_quantizers(model):
        # Before simplifying: onnxslim knows no pairs, and would fold some constants into them.
        quantized = model
        model, given, stripped = strip_quantizers(model)
        given = msgspec.structs.replace(given, ranges={**ends, **given.ranges})
    # The scales of a file are of the tensors that it has.
    model, simplified = simplify(model, rewrite=given is None)
    inputs, outputs = tensor_specs(model)
    described = describe(
        path, inputs, outputs, metadata_of(model), overrides,
        index=GraphIndex(model), family=family, names=names,
    )  # fmt: skip
    spec = described.spec
    notices = (
        *notices, *_renamed(path, spec.name),
        *foreign, *widened, *fixed, *dynamic, *stripped, *simplified, *dynamic_outputs(model),
        *described.notices,
    )  # fmt: skip
    return PreparedModel(
        model=model,
        spec=spec,
        opset=opset(model),
        source_sha256=file_digest(path),
        op_counts=op_counts(model),
        notices=notices,
        given=remaining(given, model) if given is not None else None,
        quantized=quantized,
        set_inputs=told,
    )


def _renamed(path: Path, name: str) -> Iterator[str]:
    if name != path.stem:
        yield f"The model is called '{name}': not every system takes the name of its file."


def _inline_functions(model: ModelProto) -> ModelProto:
    """The model with its own functions written out, since converters know only operators."""
    if not model.functions:
        return model
    from onnx import inliner

    return inliner.inline_local_functions(model)
