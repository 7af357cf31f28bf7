"""The runner as an app of its own, for phones that refuse app_process: `am instrument` starts it.

A JDK is all that it takes. The manifest names no resource; the app says that it is made for Android
10, the last one whose apps the system takes with a JAR's signature alone, and asks for nothing.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path

from mobileq.android.binary_xml import Element, binary_xml

PACKAGE = "mobileq.runner"
INSTRUMENTATION = f"{PACKAGE}/.Instrument"
_LAST_WITHOUT_V2 = 29
_DATE = (1980, 1, 1, 0, 0, 0)


def write_apk(path: Path, dex: bytes, libraries: Mapping[str, bytes], min_api: int) -> None:
    """Write it, to be signed.

    Args:
        libraries: {`ABI/libNAME.so`: content}.
    """
    files = {"AndroidManifest.xml": _manifest(min_api), "classes.dex": dex}
    files |= {f"lib/{name}": content for name, content in libraries.items()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, _DATE)
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)


def _manifest(min_api: int) -> bytes:
    sdk: dict[str, str | int | bool] = {
        "minSdkVersion": min_api,
        "targetSdkVersion": _LAST_WITHOUT_V2,
    }
    return binary_xml(
        Element(
            "manifest",
            {"versionCode": 1, "versionName": "1", "package": PACKAGE},
            (
                Element("uses-sdk", sdk),
                Element(
                    "instrumentation",
                    {"name": f"{PACKAGE}.Instrument", "targetPackage": PACKAGE},
                ),
                Element(
                    "application",
                    {"label": "mobileq runner", "hasCode": True, "extractNativeLibs": True},
                ),
            ),
        )
    )
