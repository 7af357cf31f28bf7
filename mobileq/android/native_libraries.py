"""Checks the .so files that a person put into a project: the ABI, and pages of 16 KB."""

from __future__ import annotations

import struct
from pathlib import Path

from mobileq.android.runtimes import chosen_runtimes
from mobileq.regular_file import MAX_MODEL_BYTES, read_regular

_ELF_MACHINE = {"arm64-v8a": 183, "armeabi-v7a": 40, "x86_64": 62}
_ELF_32, _ELF_64 = 1, 2
_LITTLE_ENDIAN = 1
_PROGRAM, _SHARED = 2, 3
_SHORTEST = 52
_ABIS = {
    (_ELF_64, 183): "arm64-v8a",
    (_ELF_32, 40): "armeabi-v7a",
    (_ELF_64, 62): "x86_64",
    (_ELF_32, 3): "x86",
    (_ELF_64, 243): "riscv64",
}
"""By ELF's class and machine."""
_LOAD = 1
_PAGE = 0x4000


def library_problems(jni_libs: Path, abis: tuple[str, ...], runtimes: tuple[str, ...]) -> list[str]:
    """One sentence per file that is wrong or missing; `jni_libs` has a folder per ABI."""
    problems = []
    for abi in abis:
        folder = jni_libs / abi
        for path in sorted(folder.glob("*.so")):
            problem = _problem(path, abi)
            if problem:
                problems.append(f"{abi}/{path.name} {problem}.")
        for runtime in chosen_runtimes(runtimes):
            if (native := runtime.native) is None or abi in native.missing_abis:
                continue
            missing = [name for name in native.needed if not (folder / name).is_file()]
            if missing:
                problems.append(
                    f"{runtime.title} needs {', '.join(missing)} in {abi}/; the project's README "
                    "says where they come from."
                )
    return problems


def _problem(path: Path, abi: str) -> str | None:
    try:
        content = read_regular(path, MAX_MODEL_BYTES, "a library")
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    return elf_problem(content, abi)


def elf_abi(content: bytes) -> str | None:
    """The ABI that a program or library is built for; None where it is none that Android has."""
    if content[:4] != b"\x7fELF" or len(content) < _SHORTEST:
        return None
    (kind, machine) = struct.unpack_from("<HH", content, 16)
    if kind not in (_PROGRAM, _SHARED) or content[5] != _LITTLE_ENDIAN:
        return None
    return _ABIS.get((content[4], machine))


def elf_problem(content: bytes, abi: str) -> str | None:
    """What is wrong with a shared library, as the end of a sentence; None if it will load.

    Android devices with pages of 16 KB load only segments that are aligned to them (64-bit ABIs).
    """
    wide = abi != "armeabi-v7a"
    try:
        if content[:4] != b"\x7fELF":
            return "is no ELF file"
        (machine,) = struct.unpack_from("<H", content, 18)
        if content[4] != (2 if wide else 1) or machine != _ELF_MACHINE[abi]:
            return f"is not built for {abi}"
        alignments = _load_alignments(content, wide)
    except (struct.error, IndexError):
        return "is cut off"
    if wide and any(alignment < _PAGE for alignment in alignments):
        return "has segments that are not aligned to 16 KB"
    return None


def _load_alignments(content: bytes, wide: bool) -> list[int]:
    (offset,) = struct.unpack_from("<Q" if wide else "<I", content, 32 if wide else 28)
    size, count = struct.unpack_from("<HH", content, 54 if wide else 42)
    alignments = []
    for index in range(count):
        start = offset + index * size
        (kind,) = struct.unpack_from("<I", content, start)
        if kind == _LOAD:
            at = start + (48 if wide else 28)
            alignments.append(struct.unpack_from("<Q" if wide else "<I", content, at)[0])
    return alignments
