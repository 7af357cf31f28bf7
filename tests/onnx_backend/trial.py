"""One test through `mobileq convert`, and what came of it."""

from __future__ import annotations

import signal
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from mobileq.errors import MobileqError, ToolError
from tests.onnx_backend.cases import Case, Loaded

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from onnx import ValueInfoProto

    from mobileq.manifest import BundleManifest

Kind = Literal["right", "refused", "caught", "wrong", "raw", "excluded"]
KINDS: dict[Kind, str] = {
    "right": "converted, and gives the test's own numbers",
    "refused": "not converted, for a reason that is told",
    "caught": "not converted: the verification saw that the file is wrong",
    "wrong": "converted without a word, with other numbers",
    "raw": "not converted: a tool's or our own exception, a crash, or no end",
    "excluded": "ONNX Runtime itself can't run it, or gives other numbers than the test",
}
_DISAGREES = "does not agree with the ONNX model"
_ROUNDING = 1e-5
"""Of the largest value of an output: sums in another order."""
_HALF = 4e-3
"""Of the value: what is left of 8 or 11 bits of a test that was computed in half precision."""


class Outcome(msgspec.Struct, frozen=True):
    """What became of a test."""

    kind: Kind
    reason: str = ""


def try_case(case: Case, target: str) -> Outcome:
    """Convert the test's model in fp32, and run it on the test's own inputs."""
    loaded = case.load()
    excluded = _runtime_problem(case, loaded)
    if excluded:
        return Outcome("excluded", excluded)
    with tempfile.TemporaryDirectory(prefix="onnx-backend-") as scratch:
        model = Path(scratch) / "model.onnx"
        model.write_bytes(loaded.model.SerializeToString())
        try:
            found = _converted(model, target, loaded)
        except ToolError as error:
            return Outcome("raw", _told(error, scratch))
        except MobileqError as error:
            kind: Kind = "caught" if _DISAGREES in error.message else "refused"
            return Outcome(kind, _told(error, scratch))
        except Exception as error:
            return Outcome("raw", f"{type(error).__name__}: {error}"[:300])
    problem = _difference(case, loaded.wanted, found)
    return Outcome("wrong", problem) if problem else Outcome("right")


def _told(error: MobileqError, scratch: str) -> str:
    """The message without the name of a folder that is another one each time."""
    return error.message.replace(f"{scratch}/", "")


def _runtime_problem(case: Case, loaded: Loaded) -> str:
    """Why ONNX Runtime, which everything is held against, is no reference for the test."""
    import onnxruntime

    from mobileq.onnx_runtime.session import LocalSession, SessionError, SessionOptions

    options = SessionOptions(threads=1, fatal_only=True)
    try:
        # Here, not in the child that mobileq keeps: to that no text and no sequence can be sent.
        session = LocalSession(loaded.model.SerializeToString(), options)
        results = session.run(None, loaded.feeds)
    except SessionError as error:
        return f"onnxruntime {onnxruntime.__version__}: {error.reason[:200]}"
    named = dict(zip(session.output_names, results, strict=True))
    problem = _difference(case, loaded.wanted, named)
    return f"ONNX Runtime gives other numbers than the test: {problem}" if problem else ""


def _converted(model: Path, target_name: str, loaded: Loaded) -> dict[str, NDArray[Any]]:
    """The outputs of the file that mobileq makes, on the test's inputs."""
    from mobileq.targets.registry import load_target
    from mobileq.workflows.convert import convert
    from mobileq.workflows.opening import Overrides
    from mobileq.workflows.request import ConvertOptions

    shapes = tuple(
        f"{value.name}:{','.join(map(str, loaded.feeds[value.name].shape))}"
        for value in loaded.model.graph.input
        if _is_open(value) and hasattr(loaded.feeds[value.name], "shape")
    )
    options = ConvertOptions(
        targets=(target_name,), precisions=("fp32",), overrides=Overrides(input_shapes=shapes)
    )
    bundle = model.with_name("bundle")
    manifest: BundleManifest = convert(model, bundle, options, cache=False)
    artifact = manifest.artifacts[0]
    dtypes = {spec.name: spec.dtype for spec in manifest.model.inputs}
    runner = load_target(target_name).open(
        bundle / artifact.path, artifact.inputs, artifact.outputs
    )
    try:
        return runner.run({name: loaded.feeds[name].astype(dtypes[name]) for name in dtypes})
    finally:
        runner.close()


def _is_open(value: ValueInfoProto) -> bool:
    """Whether a shape must be given, as a person would with --input-shape."""
    shape = value.type.tensor_type.shape
    return value.type.HasField("tensor_type") and not all(d.dim_value > 0 for d in shape.dim)


def _difference(case: Case, wanted: dict[str, Any], found: dict[str, Any]) -> str:
    """What the results have other than the test wants, or nothing."""
    import numpy as np

    for name, value in wanted.items():
        if isinstance(value, list) or value is None:
            if not _equal_lists(value, found[name]):
                return f"{name} differs"
            continue
        reference, candidate = np.asarray(value), np.asarray(found[name])
        if reference.shape != candidate.shape:
            return f"{name} is {list(candidate.shape)} instead of {list(reference.shape)}"
        if reference.dtype.kind not in "fciub" and "float" not in str(reference.dtype):
            if not np.array_equal(reference, candidate):
                return f"{name} differs"
            continue
        problem = _numeric_difference(case, reference, candidate)
        if problem:
            return f"{name} {problem}"
    return ""


def _equal_lists(one: Any, other: Any) -> bool:
    import numpy as np

    if one is None or other is None:
        return one is other
    pairs = zip(one, other, strict=False)
    return len(one) == len(other) and all(np.allclose(a, b, 1e-3, 1e-5) for a, b in pairs)


def _numeric_difference(case: Case, reference: NDArray[Any], candidate: NDArray[Any]) -> str:
    import numpy as np

    is_exact = reference.dtype.kind in "iub"
    is_half = not is_exact and reference.dtype.itemsize < 4
    wide = np.complex128 if reference.dtype.kind == "c" else np.float64
    wanted, got = reference.astype(wide), candidate.astype(wide)
    finite = np.abs(wanted[np.isfinite(wanted)])
    largest = float(finite.max()) if finite.size else 0.0
    rtol, atol = max(case.rtol, _HALF if is_half else 0.0), case.atol
    atol = max(atol, (_HALF if is_half else _ROUNDING) * largest)
    if is_exact:
        rtol = atol = 0.0
    if np.allclose(got, wanted, rtol, atol, equal_nan=True):
        return ""
    with np.errstate(all="ignore"):
        worst = float(np.nanmax(np.abs(got - wanted))) if wanted.size else 0.0
    return f"differs by {worst:.3g} of {largest:.3g}"


def crash(code: int) -> Outcome:
    """Of a process that ended without an answer."""
    how = f"crashed ({signal.Signals(-code).name})" if code < 0 else f"ended with exit code {code}"
    return Outcome("raw", f"the process {how}")
