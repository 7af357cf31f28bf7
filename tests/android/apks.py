"""Small APKs with real binary manifests, as aapt2 writes them."""

from __future__ import annotations

import subprocess
import zipfile
from pathlib import Path

from tests.android.rendered import aapt2


def write_apk(
    path: Path, application_id: str = "com.example.birds", abis: tuple[str, ...] = ()
) -> Path:
    """An app without code; with a library for each of `abis`."""
    manifest = path.with_suffix(".xml")
    manifest.write_text(f'<manifest package="{application_id}"><application/></manifest>')
    command = [aapt2(), "link", "--manifest", manifest, "-o", path]
    subprocess.run(command, check=True, capture_output=True)
    with zipfile.ZipFile(path, "a") as archive:
        for abi in abis:
            archive.writestr(f"lib/{abi}/libx.so", b"\x7fELF")
    return path
