"""Results of the stages of a command, each reused where its inputs have not changed."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from pathlib import Path

from mobileq.cache import ResultCache
from mobileq.progress import Progress


class Stages:
    """The cache and the scratch folder of one command, and who listens to it.

    Args:
        scratch: A folder that outlives all that is made of the stages' results.
    """

    def __init__(self, store: ResultCache, scratch: Path, progress: Progress) -> None:
        self._store, self._scratch, self.progress = store, scratch, progress

    def fill(
        self,
        folder: Path,
        stage: str,
        make: Callable[[Path], None],
        read: Callable[[Path], object] | None = None,
        **inputs: object,
    ) -> None:
        """Fill an empty folder from the cache, or by `make`; see `ResultCache.fetch`.

        Args:
            inputs: All that the result depends on, besides mobileq's own code: see
                `ResultCache.key`.
        """
        self._store.fetch(self._store.key(stage, code=code_digest(), **inputs), folder, make, read)

    def has(self, stage: str, **inputs: object) -> bool:
        """Whether the cache has what `fill` would ask for."""
        return self._store.get(self._store.key(stage, code=code_digest(), **inputs)) is not None

    def folder(self, name: str) -> Path:
        """A new folder, one for each name."""
        folder = self._scratch / name
        folder.mkdir()
        return folder

    def workspace(self, sha256: str) -> Path:
        """A folder that all conversions of the model with this hash share."""
        folder = self._scratch / sha256[:16]
        folder.mkdir(exist_ok=True)
        return folder


@functools.cache
def code_digest() -> str:
    """Hash of mobileq's own sources: what other code made is not reused."""
    package = Path(__file__).resolve().parents[1]
    hashed = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        hashed.update(path.relative_to(package).as_posix().encode())
        hashed.update(path.read_bytes())
    return hashed.hexdigest()
