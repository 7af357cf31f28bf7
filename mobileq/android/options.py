"""What can be chosen of a rendered project, and which values make a project that builds."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass, field, fields

from mobileq.android.runtimes import RUNTIMES, RuntimeOptions, chosen_runtimes, release_of
from mobileq.errors import UsageError

ABIS = ("arm64-v8a", "armeabi-v7a", "x86_64")
DELEGATES = ("cpu", "gpu", "nnapi")
COMPILE_SDK = 37
PLAY_SDK = 36
"""What Google Play asks of new apps, since August 2026."""
LOWEST_SDK = 24

_APPLICATION_ID = re.compile(r"[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z][A-Za-z0-9_]*)+")
_VERSION = re.compile(r"\d{1,4}(\.\d{1,4}){2}(-(alpha|beta|rc)\d{1,2})?")
_MAX_ID = 150
_MAX_NAME = 100
_JAVA_KEYWORDS = frozenset(
    re.findall(
        r"\w+",
        """
        abstract assert boolean break byte case catch char class const continue default do
        double else enum extends false final finally float for goto if implements import
        instanceof int interface long native new null package private protected public return
        short static strictfp super switch synchronized this throw throws transient true try
        void volatile while
        """,
    )
)


@dataclass(frozen=True, kw_only=True)
class AndroidOptions(RuntimeOptions):
    """A project's options.

    Raises:
        UsageError: One of them makes no project that builds.
    """

    application_id: str = field(metadata={"help": "unlike any other app's: com.example.birds"})
    name: str = field(metadata={"help": f"below the icon, at most {_MAX_NAME} characters"})
    min_sdk: int = field(
        default=LOWEST_SDK, metadata={"help": f"oldest Android, API {LOWEST_SDK} or later"}
    )
    target_sdk: int = field(
        default=COMPILE_SDK,
        metadata={"help": f"at most {COMPILE_SDK}; Google Play asks for {PLAY_SDK} or later"},
    )
    delegate: str = field(
        default="gpu", metadata={"help": f"what a model starts on: {', '.join(DELEGATES)}, npu"}
    )
    abis: tuple[str, ...] = field(default=ABIS, metadata={"help": f"of {', '.join(ABIS)}"})
    runtimes: tuple[str, ...] = field(
        metadata={"help": f"of {', '.join(RUNTIMES)}; left out, what the bundle has files for"}
    )
    camerax_version: str = field(default="1.6.2", metadata={"help": "a release of CameraX"})

    def __post_init__(self) -> None:
        _check_application_id(self.application_id)
        _check_name(self.name)
        if not LOWEST_SDK <= self.min_sdk <= self.target_sdk <= COMPILE_SDK:
            raise UsageError(
                f"minSdk {self.min_sdk} and targetSdk {self.target_sdk} are not in order "
                f"between {LOWEST_SDK} and {COMPILE_SDK}.",
                f"Give {LOWEST_SDK} <= --min-sdk <= --target-sdk <= {COMPILE_SDK}.",
            )
        _check_choice("--abi", self.abis, ABIS)
        _check_choice("--runtime", self.runtimes, RUNTIMES)
        _check_choice("--litert", (self.litert,), ("1", "2"))
        chosen = chosen_runtimes(self.runtimes, self.litert)
        known = dict.fromkeys(name for each in chosen for name in each.accelerators)
        _check_choice("--delegate", (self.delegate,), known)
        for name in ("camerax_version", "litert_version"):
            version = getattr(self, name)
            if version and not _VERSION.fullmatch(version):
                raise UsageError(
                    f"{_option(name)} {version!r} is no version.", "Give one like 1.6.2."
                )
        for runtime in chosen:
            if runtime.release is not None:
                release_of(runtime, self)


def listed_options() -> list[tuple[str, str, str]]:
    """(option, default, meaning) of each, for `--list-options`."""
    rows = []
    brought = {each.name for each in fields(RuntimeOptions)}
    for item in sorted(fields(AndroidOptions), key=lambda each: each.name in brought):
        default = item.default if isinstance(item.default, str | int | tuple) else ""
        shown = ",".join(default) if isinstance(default, tuple) else str(default)
        rows.append((_option(item.name), shown, item.metadata["help"]))
    return rows


def _option(name: str) -> str:
    return "--" + {"abis": "abi", "runtimes": "runtime"}.get(name, name).replace("_", "-")


def _check_choice(option: str, chosen: tuple[str, ...], allowed: Collection[str]) -> None:
    unknown = [value for value in chosen if value not in allowed]
    if unknown or not chosen:
        given = repr(unknown[0]) if unknown else "nothing"
        raise UsageError(f"{option} is given {given}.", f"Choose of: {', '.join(allowed)}.")


def _check_application_id(text: str) -> None:
    problem = None
    if not _APPLICATION_ID.fullmatch(text):
        problem = "is not of the form com.example.birds (ASCII letters, digits, _, two parts)"
    elif len(text) > _MAX_ID:
        problem = f"has more than {_MAX_ID} characters"
    else:
        # Allowed in an id, but not where tools make a package of it.
        keyword = next((part for part in text.split(".") if part in _JAVA_KEYWORDS), None)
        if keyword:
            problem = f"holds the Java keyword {keyword!r}"
    if problem:
        raise UsageError(
            f"The application id {_short(text)} {problem}.",
            "Give --application-id com.example.birds, with a domain of yours.",
        )


def _check_name(text: str) -> None:
    problem = None
    if not text.strip():
        problem = "is empty"
    elif len(text) > _MAX_NAME:
        problem = f"has more than {_MAX_NAME} characters"
    elif any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in text):
        problem = "holds a line break or a control character"
    elif any(ord(character) & 0xFFFE == 0xFFFE for character in text):  # which XML can't hold
        problem = "holds what is no character (U+FFFE or U+FFFF)"
    if problem:
        raise UsageError(f"The name {_short(text)} {problem}.", "Give --name Birds.")


def _short(text: str) -> str:
    shown = ascii(text) if not text.isprintable() else repr(text)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."
