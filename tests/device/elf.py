"""Programs for the tests' devices: real ELF files, that become a script of the tests' own."""

from __future__ import annotations

import struct
from pathlib import Path

_BASE = 0x400000
_HEADER, _SEGMENT = 64, 56
MACHINES = {"arm64-v8a": 183, "x86_64": 62, "riscv64": 243}


def program(script: Path, mark: bytes, abi: str = "x86_64") -> bytes:
    """One of 64 bits that executes a script with its own arguments and environment (x86_64; of
    another ABI it starts nowhere). `mark` is beside its code."""
    path = str(script).encode() + b"\0"
    code_at = _BASE + _HEADER + _SEGMENT
    instructions = (
        b"\x48\xbf%s"  # mov rdi, path
        b"\x48\x8d\x74\x24\x08"  # lea rsi, [rsp + 8]: argv
        b"\x48\x8b\x04\x24"  # mov rax, [rsp]: argc
        b"\x48\x8d\x54\xc6\x08"  # lea rdx, [rsi + 8 * rax + 8]: envp
        b"\xb8\x3b\x00\x00\x00\x0f\x05"  # execve
        b"\xbf\x7f\x00\x00\x00\xb8\x3c\x00\x00\x00\x0f\x05"  # exit 127
    )
    size = len(instructions % struct.pack("<Q", 0))
    code = instructions % struct.pack("<Q", code_at + size) + path + mark
    return elf_header(abi, 2, code_at) + _load(_HEADER + _SEGMENT + len(code)) + code


def elf_header(abi: str, kind: int, entry: int = 0) -> bytes:
    """Of a program (2) or a library (3) with one segment."""
    head = b"\x7fELF" + bytes([2, 1, 1]) + bytes(9)
    return head + struct.pack(
        "<HHIQQQIHHHHHH",
        *(kind, MACHINES[abi], 1, entry, _HEADER, 0, 0, _HEADER, _SEGMENT, 1, 0, 0, 0),
    )


def _load(size: int) -> bytes:
    return struct.pack("<IIQQQQQQ", 1, 5, 0, _BASE, _BASE, size, size, 0x4000)


def library(abi: str) -> bytes:
    """One of 64 bits with nothing in it."""
    return elf_header(abi, 3) + _load(_HEADER + _SEGMENT)
