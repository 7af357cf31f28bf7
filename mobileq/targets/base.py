"""What every target offers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from mobileq.graph.given_quantization import GivenQuantization
from mobileq.progress import Progress
from mobileq.spec import ModelSpec, QuantRecipe, TensorRanges, TensorSpec, readings
from mobileq.targets.info import TargetInfo
from mobileq.targets.model_file import ModelFile

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from onnx import ModelProto

Tensors = Mapping[str, "NDArray[Any]"]
Reuse = Callable[[str, Path, Callable[[Path], None]], None]


class Runner(Protocol):
    """A loaded model file that can be run.

    `run` speaks the ONNX model's language whatever the file holds: the model's tensor names, its
    axis order, real values in float32 (integer inputs without scale, such as uint8 pixels, stay
    integers). Quantizing, dequantizing and transposing happen at the edge, in here.
    """

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    interpreter: str
    """The runtime and its version, for reports: `ai_edge_litert 2.1.2`."""

    def run(self, feeds: Tensors) -> dict[str, NDArray[Any]]: ...

    def latency(self, feeds: Tensors, runs: int, warmup: int) -> list[float]:
        """Seconds of `runs` plain inferences, without what happens at the edge."""
        ...

    def close(self) -> None: ...


def _made(name: str, folder: Path, make: Callable[[Path], None]) -> None:
    make(folder)


@dataclass(frozen=True)
class ConversionJob:
    """What a target is to convert.

    Attributes:
        model: The prepared ONNX file: float32, static shapes, simplified.
        recipe: What to make of it.
        ranges: Of the model's activations, and
        keep_float: the tensors whose ops stay float, for the integer precisions: all that these
            ops give.
        samples: What the inputs take, by their names, as often as asked, one sample in memory at a
            time, for tools that insist on calibrating themselves. `sample_count` is their number.
        given: The scales that the model came with, if it did. Its weights keep theirs, and float
            stays only what had none.
        output: The file to write.
        scratch: A folder that outlives the job: conversions of the same model share what they
            have in common there.
        reuse: (name, an empty folder, what fills it) -> the folder filled, perhaps from a cache,
            with what depends on nothing but the model, the spec and the engine.
    """

    model: Path
    spec: ModelSpec
    recipe: QuantRecipe
    ranges: TensorRanges
    keep_float: tuple[str, ...]
    samples: Callable[[], Iterable[Tensors]] | None
    sample_count: int
    output: Path
    scratch: Path
    progress: Progress
    given: GivenQuantization | None = None
    reuse: Reuse = _made


@dataclass(frozen=True)
class Converted:
    """What a conversion wrote: the file's tensors under the model's names, and its ops.

    `companions` are files that belong into the bundle with it, by their paths in the bundle and,
    the same, in the folder of `ConversionJob.output`.
    """

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    ops: dict[str, int]
    notes: tuple[str, ...] = ()
    companions: tuple[str, ...] = ()


class Target(Protocol):
    """A runtime: converts to its files, reads them, and opens them for running."""

    info: TargetInfo
    name: str
    suffix: str
    """Both as in `info`, the latter of most of its files."""

    def tool_versions(self, recipe: QuantRecipe) -> dict[str, str]:
        """Name and version of the packages that `convert` uses for the recipe."""
        ...

    def start(self) -> None:
        """Have the process that converts start, and import what it takes, before it is asked."""
        ...

    def expect(self, files: int) -> None:
        """Integer files come next: have processes start in which these can be run, as many at a
        time, and one again."""
        ...

    def close(self) -> None:
        """End child processes that are kept from one conversion to the next."""
        ...

    def convert(self, job: ConversionJob) -> Converted:
        """Write `job.output`. Whoever calls compares it with the reference.

        Raises:
            ToolError: A tool failed or crashed.
            VerificationError: What it wrote cannot be this model.
            MissingDependencyError: A package the recipe's engine needs is not installed.
        """
        ...

    def read(self, path: Path) -> ModelFile:
        """What a file of the target's takes, gives, is made of and says of itself.

        Raises:
            InputError: It is none, or what it says of itself is wrong.
            ToolError: The reader crashed on it.
        """
        ...

    def matched(
        self, model: tuple[TensorSpec, ...], file: tuple[TensorSpec, ...]
    ) -> tuple[TensorSpec, ...]:
        """A file's inputs or outputs under the model's names, as `open` takes them.

        Raises:
            VerificationError: Their number or shapes can't correspond.
        """
        ...

    def open(
        self,
        path: Path,
        inputs: tuple[TensorSpec, ...],
        outputs: tuple[TensorSpec, ...],
        interpreter: str = "auto",
        *,
        disturbed: bool = False,
        threads: int = 0,
    ) -> Runner:
        """A runner; close it.

        Args:
            interpreter: Which one, where there are several for the target's files; "auto" takes
                what is installed.
            disturbed: Run it with another environment and heap, which no right file notices: see
                `mobileq.external.child.Child`.
            threads: 0 for one for each processor.
        """
        ...


@runtime_checkable
class LayerTarget(Protocol):
    """A target whose files can be looked into."""

    def open_layers(
        self,
        path: Path,
        inputs: tuple[TensorSpec, ...],
        wanted: Iterable[TensorSpec],
        model: ModelProto,
    ) -> Runner:
        """A runner whose outputs are those of the ONNX model's tensors `wanted` that the file has.

        A tensor's `quant` is set where the file keeps it in integers.

        Args:
            model: That the file was made of.
        """
        ...


def instead_of_all_integer(spec: ModelSpec) -> str:
    """What to do where ops of a model have no integers, as a sentence."""
    unfit = any(reading.unfit_for_8_bits for reading in readings(spec).values())
    raw = ", or --head raw" if unfit else ""
    return f"Use int8, which keeps such ops in float{raw}."
