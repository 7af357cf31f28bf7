"""What a project needs for each of the runtimes that run a target's files. A new one is entered
here; its Java lies in a folder of its own in the template."""

from __future__ import annotations

from dataclasses import dataclass, field

from mobileq.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class RuntimeOptions:
    """Options that runtimes bring; the others are `mobileq.android.options.AndroidOptions`."""

    litert_version: str = field(
        default="1.4.2",
        metadata={
            "help": "a 1.x release: 2.x has no interpreter with delegates in Java",
            "short": "Release of LiteRT 1.x.",
        },
    )


@dataclass(frozen=True, kw_only=True)
class Release:
    """Of a runtime that Gradle fetches.

    Attributes:
        option: The field of `RuntimeOptions` that says which.
        alias: In the version catalog.
        series: What it begins with, and
        otherwise: what is wrong with another, after its title and number.
    """

    option: str
    alias: str
    series: str
    otherwise: str


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
        title: In sentences.
        java_class: Of a `mobileq.core.run.ModelRuntime`, made of a `ModelSource`.
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
    release: Release | None = None
    libraries: tuple[tuple[str, str], ...] = ()
    dependencies: tuple[tuple[str, str], ...] = ()
    native: NativeLibraries | None = None
    readme: str | None = None


_LITERT = "com.google.ai.edge.litert"
_RUNTIMES = (
    Runtime(
        target="tflite",
        title="LiteRT",
        java_class="mobileq.app.tflite.TfliteRuntime",
        folders=("app/src/main/java/mobileq/app/tflite/",),
        release=Release(
            option="litert_version",
            alias="litert",
            series="1.",
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
        target="mnn",
        title="MNN",
        java_class="mobileq.app.mnn.MnnRuntime",
        folders=("app/src/main/java/mobileq/app/mnn/", "app/src/main/java/com/taobao/"),
        native=NativeLibraries(
            needed=("libMNN.so", "libmnncore.so", "libc++_shared.so"), missing_abis=("x86_64",)
        ),
        readme="parts/mnn-libraries.md.jinja",
    ),
)
RUNTIMES: dict[str, Runtime] = {each.target: each for each in _RUNTIMES}
"""By target."""


def chosen_runtimes(targets: tuple[str, ...]) -> tuple[Runtime, ...]:
    """Those of the targets, in the order of `RUNTIMES`."""
    return tuple(each for each in _RUNTIMES if each.target in targets)


def check_releases(options: RuntimeOptions) -> None:
    """Raise UsageError for a release that a project can't be made with."""
    for runtime in _RUNTIMES:
        if (release := runtime.release) is None:
            continue
        version = getattr(options, release.option)
        if not version.startswith(release.series):
            default = getattr(RuntimeOptions, release.option)
            raise UsageError(
                f"{runtime.title} {version} {release.otherwise}.",
                f"Give --{release.option.replace('_', '-')} {default}.",
            )
