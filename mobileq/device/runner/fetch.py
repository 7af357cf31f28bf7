"""Downloads, only when a person asks for them: each with the hash that it must have."""

from __future__ import annotations

import hashlib
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from mobileq.errors import MobileqError

CENTRAL = "https://repo.maven.apache.org/maven2"
"""Maven Central."""
_LIMIT_S = 60
_PIECE = 1 << 20


@dataclass(frozen=True)
class Published:
    """A file on Maven Central."""

    group: str
    artifact: str
    version: str
    kind: str
    sha256: str

    @property
    def name(self) -> str:
        """Of the file."""
        return f"{self.artifact}-{self.version}.{self.kind}"

    @property
    def path(self) -> str:
        """Below a repository's address."""
        return f"{self.group.replace('.', '/')}/{self.artifact}/{self.version}/{self.name}"


R8 = Published(
    *("com.android.tools", "r8", "9.5.28", "jar"),
    sha256="38a9ffaaebbd17d1514e3ecbff5a85b989bb13c551b9e224c7409514eea84ff5",
)
_TFLITE = "org.tensorflow"
TFLITE = (
    Published(
        *(_TFLITE, "tensorflow-lite", "2.16.1", "aar"),
        sha256="34b065817e294e7dd3569504e8b9454938ceae453b6a459da54d5f6e45d3c94e",
    ),
    Published(
        *(_TFLITE, "tensorflow-lite-api", "2.16.1", "aar"),
        sha256="885b95bc9e47a4aa5cf8e71523aed9b05e397cfef1ea09773f13fea8b649fcee",
    ),
    Published(
        *(_TFLITE, "tensorflow-lite-gpu", "2.16.1", "aar"),
        sha256="4440e44d295e0e13964d4fe9d9e8c3d2c3f870b92fcb7b945e45036acdfcd459",
    ),
    Published(
        *(_TFLITE, "tensorflow-lite-gpu-api", "2.14.0", "aar"),
        sha256="3e7cece2c5eaaf05f93d0399e7d86eee83bd818b037965cbe52291223acae286",
    ),
)
"""The newest that is published there. Its 64-bit libraries have segments of 4 kB, which phones with
pages of 16 kB do not load; LiteRT 1.4 has others, and is published by Google alone."""


def fetched(wanted: Published, folder: Path, repository: str = CENTRAL) -> Path:
    """The file in `folder`, downloaded unless it is there.

    Raises:
        MobileqError: It can't be had, or is another than it was.
    """
    path = folder / wanted.name
    if path.is_file() and _digest(path) == wanted.sha256:
        return path
    folder.mkdir(parents=True, exist_ok=True)
    url = f"{repository}/{wanted.path}"
    partial = path.with_name(f"{path.name}.part")
    try:
        with urllib.request.urlopen(url, timeout=_LIMIT_S) as source, partial.open("wb") as target:
            while piece := source.read(_PIECE):
                target.write(piece)
        digest = _digest(partial)
        if digest != wanted.sha256:
            raise MobileqError(
                f"{url} is not the file that it was: its SHA-256 is {digest}.",
                "Get it from elsewhere and name it: see `mobileq runner build --help`.",
            )
        partial.replace(path)
    except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
        reason = getattr(error, "reason", None) or error
        raise MobileqError(
            f"{url} cannot be fetched: {reason}.",
            "Fetch it where there is a network, and name it: see `mobileq runner build --help`.",
        ) from error
    finally:
        partial.unlink(missing_ok=True)
    return path


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
