"""What a project needs for each of the runtimes that run a target's files. A new one is entered
here; its Java lies in a folder of its own in the template."""

from __future__ import annotations

from dataclasses import dataclass, field

from mobileq.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class RuntimeOptions:
    """Options that runtimes bring; the others are `mobileq.android.options.AndroidOptions`."""

    litert: str = field(
        default="1",
        metadata={
            "help": "1 has an interpreter with GPU and NNAPI, on all processors; 2 compiles models "
            "for GPU and NPU",
            "short": "Which LiteRT runs .tflite files: 1 or 2.",
        },
    )
    litert_version: str = field(
        default="",
        metadata={
            "help": "a release of it; left out, 1.4.2 or 2.3.2",
            "short": "Release of LiteRT.",
        },
    )


@dataclass(frozen=True, kw_only=True)
class Release:
    """Of a runtime that Gradle fetches.

    Attributes:
        option: The field of `RuntimeOptions` that says which, and
        default: what it means where it is left empty.
        alias: In the version catalog.
        lowest: The first that will do, of those with the same first number, and
        otherwise: what is wrong with another, after its title and number.
    """

    option: str
    default: str
    alias: str
    lowest: tuple[int, int]
    otherwise: str

    def serves(self, version: str) -> bool:
        """Whether the runtime's Java is written for it."""
        major, minor = map(int, version.split(".")[:2])
        return major == self.lowest[0] and minor >= self.lowest[1]


@dataclass(frozen=True, kw_only=True)
class NativeLibraries:
    """What a person puts into a project where no package has it.

    Attributes:
        needed: Files in each ABI's folder.
        missing_abis: ABIs that its makers publish none for.
    """

    needed: tuple[str, ...]
    missing_abis: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Runtime:
    """Runs the files of one target.

    Attributes:
        target: Its name.
        line: Of several for one target, what `option` says where it is this one.
        title: In sentences.
        java_class: Of a `mobileq.core.run.ModelRuntime`, made of a `ModelSource`; where it
        takes_context: of an Android `Context` and the app's `BundleAssets`.
        accelerators: What it may run on, as `--delegate` says it.
        folders: Of the template, that a project without it could not compile.
        release: None where Gradle fetches nothing.
        libraries: (alias in the version catalog, module) of what Gradle fetches.
        dependencies: (what, why), for the project's README.
        native: What a person puts into the project.
        readme: A part of the project's README, as a template.
    """

    target: str
    title: str
    java_class: str
    folders: tuple[str, ...]
    accelerators: tuple[str, ...]
    line: str | None = None
    takes_context: bool = False
    release: Release | None = None
    libraries: tuple[tuple[str, str], ...] = ()
    dependencies: tuple[tuple[str, str], ...] = ()
    native: NativeLibraries | None = None
    readme: str | None = None


_LITERT = "com.google.ai.edge.litert"
_RUNTIMES = (
    Runtime(
        target="tflite",
        line="1",
        title="LiteRT",
        java_class="mobileq.app.tflite.TfliteRuntime",
        folders=("app/src/main/java/mobileq/app/tflite/",),
        accelerators=("cpu", "gpu", "nnapi"),
        release=Release(
            option="litert_version",
            default="1.4.2",
            alias="litert",
            lowest=(1, 0),
            otherwise="has no interpreter with delegates in Java",
        ),
        libraries=(
            ("litert", f"{_LITERT}:litert"),
            ("litert-gpu", f"{_LITERT}:litert-gpu"),
            ("litert-gpu-api", f"{_LITERT}:litert-gpu-api"),
        ),
        dependencies=(
            ("LiteRT litert", "runs .tflite files on the CPU and through NNAPI"),
            (
                "LiteRT litert-gpu, litert-gpu-api",
                "the GPU delegate; its classes are spread over both",
            ),
        ),
    ),
    Runtime(
        target="tflite",
        line="2",
        title="LiteRT 2",
        java_class="mobileq.app.litert.LitertRuntime",
        folders=("app/src/main/java/mobileq/app/litert/",),
        accelerators=("cpu", "gpu", "npu"),
        takes_context=True,
        release=Release(
            option="litert_version",
            default="2.3.2",
            alias="litert",
            lowest=(2, 3),
            otherwise="has no GPU accelerator of its own, or no compiled models",
        ),
        libraries=(
            ("litert", f"{_LITERT}:litert"),
            ("litert-gpu", f"{_LITERT}:litert-gpu"),
        ),
        dependencies=(
            ("LiteRT litert", "compiles .tflite files for the CPU, the GPU or an NPU"),
            ("LiteRT litert-gpu", "the GPU accelerator, apart since 2.3"),
        ),
        readme="parts/litert-npu.md.jinja",
    ),
    Runtime(
        target="mnn",
        title="MNN",
        java_class="mobileq.app.mnn.MnnRuntime",
        folders=("app/src/main/java/mobileq/app/mnn/", "app/src/main/java/com/taobao/"),
        accelerators=("cpu", "gpu"),
        native=NativeLibraries(
            needed=("libMNN.so", "libmnncore.so", "libc++_shared.so"), missing_abis=("x86_64",)
        ),
        readme="parts/mnn-libraries.md.jinja",
    ),
)
RUNTIMES: dict[str, Runtime] = {
    each.target: each for each in _RUNTIMES if each.line in (None, RuntimeOptions.litert)
}
"""By target; of several lines the default one."""


def chosen_runtimes(
    targets: tuple[str, ...], litert: str = RuntimeOptions.litert
) -> tuple[Runtime, ...]:
    """Those of the targets, in one order.

    Args:
        litert: See `RuntimeOptions`.
    """
    return tuple(
        each for each in _RUNTIMES if each.target in targets and each.line in (None, litert)
    )


def other_folders(chosen: tuple[Runtime, ...]) -> tuple[str, ...]:
    """Of the template, what only other runtimes have a use for."""
    return tuple(folder for each in _RUNTIMES if each not in chosen for folder in each.folders)


def release_of(runtime: Runtime, options: RuntimeOptions) -> str:
    """The release that Gradle is to fetch.

    Raises:
        UsageError: A project can't be made with it.
    """
    assert runtime.release is not None
    release = runtime.release
    version: str = getattr(options, release.option) or release.default
    if not release.serves(version):
        raise UsageError(
            f"{runtime.title} {version} {release.otherwise}.",
            f"Give --{release.option.replace('_', '-')} {release.default}.",
        )
    return version
