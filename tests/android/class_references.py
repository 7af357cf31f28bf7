"""What compiled classes refer to, for finding calls that an old Android does not have."""

from __future__ import annotations

import re
import struct
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

Member = tuple[str, str, str]
"""Class (with slashes), member name, descriptor; name and descriptor "" for the class itself."""

_WIDTHS = {3: 4, 4: 4, 7: 2, 8: 2, 9: 4, 10: 4, 11: 4, 12: 4, 15: 3, 16: 2, 17: 4, 18: 4}


class ClassFile:
    """The parts of a .class file that names are in (Java virtual machine specification, ch. 4)."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._entries: dict[int, tuple[int, int]] = {}
        (count,) = struct.unpack_from(">H", content, 8)
        at, index = 10, 1
        while index < count:
            tag = content[at]
            self._entries[index] = (tag, at + 1)
            width = 2 + self._u2(at + 1) if tag == 1 else 8 if tag in (5, 6) else _WIDTHS[tag]
            index += 2 if tag in (5, 6) else 1  # long and double take two places
            at += 1 + width
        self._after_pool = at

    def _u2(self, at: int) -> int:
        return int(struct.unpack_from(">H", self._content, at)[0])

    def _text(self, index: int) -> str:
        _, at = self._entries[index]
        return self._content[at + 2 : at + 2 + self._u2(at)].decode("utf-8", "replace")

    def _class_name(self, index: int) -> str:
        return self._text(self._u2(self._entries[index][1]))

    @property
    def name(self) -> str:
        return self._class_name(self._u2(self._after_pool + 2))

    @property
    def parents(self) -> list[str]:
        """Superclass and interfaces."""
        at = self._after_pool + 4
        indices = [self._u2(at), *(self._u2(at + 4 + 2 * i) for i in range(self._u2(at + 2)))]
        return [self._class_name(index) for index in indices if index]

    def declared(self) -> Iterator[tuple[str, str]]:
        """(name, descriptor) of all fields and methods."""
        at = self._after_pool + 6
        at += 2 + 2 * self._u2(at)
        for _ in range(2):
            count, at = self._u2(at), at + 2
            for _ in range(count):
                yield self._text(self._u2(at + 2)), self._text(self._u2(at + 4))
                attributes, at = self._u2(at + 6), at + 8
                for _ in range(attributes):
                    at += 6 + struct.unpack_from(">I", self._content, at + 2)[0]

    def references(self) -> Iterator[Member]:
        """Classes, fields and methods that the code names."""
        for tag, at in self._entries.values():
            if tag == 7:
                name = self._text(self._u2(at)).lstrip("[")
                yield name.removeprefix("L").removesuffix(";"), "", ""
            elif tag in (9, 10, 11):
                pair = self._entries[self._u2(at + 2)][1]
                owner = self._class_name(self._u2(at))
                yield owner, self._text(self._u2(pair)), self._text(self._u2(pair + 2))


def class_files(folder: Path) -> list[ClassFile]:
    """All classes below a folder."""
    return [ClassFile(path.read_bytes()) for path in sorted(folder.rglob("*.class"))]


class Library:
    """What jars declare, and Java 8's own classes as the JDK describes them."""

    def __init__(self, jars: Iterable[Path], jdk: Path) -> None:
        self._entries: dict[str, tuple[zipfile.ZipFile, str]] = {}
        # One folder per set of releases; those of Java 8 have "8" in their names.
        signatures = zipfile.ZipFile(jdk / "lib" / "ct.sym")
        for entry in signatures.namelist():
            releases, _, rest = entry.partition("/")
            _, _, name = rest.partition("/")  # the module
            if "8" in releases and name.endswith(".sig"):
                self._entries[name.removesuffix(".sig")] = (signatures, entry)
        for jar in jars:
            archive = zipfile.ZipFile(jar)
            for entry in archive.namelist():
                if entry.endswith(".class"):
                    self._entries[entry.removesuffix(".class")] = (archive, entry)
        self._classes: dict[str, ClassFile] = {}

    def find(self, name: str) -> ClassFile | None:
        """A class by its name with slashes; None where there is none."""
        if name not in self._classes and name in self._entries:
            archive, entry = self._entries[name]
            self._classes[name] = ClassFile(archive.read(entry))
        return self._classes.get(name)

    def has(self, member: Member) -> bool:
        """Whether the class is there, and it or one it inherits from declares the member."""
        owner, name, descriptor = member
        found = self.find(owner)
        if found is None:
            return False
        if not name or (name, descriptor) in set(found.declared()):
            return True
        return any(self.has((parent, name, descriptor)) for parent in found.parents)


_DESUGARED = re.compile(
    r"java/lang/(Record|runtime/ObjectMethods"
    r"|invoke/(StringConcatFactory|LambdaMetafactory|TypeDescriptor|MethodHandles.*))"
)
"""What the language needs of newer Javas; D8 replaces all of it."""


def missing_members(folder: Path, library: Library) -> set[tuple[str, Member]]:
    """(class, member) for what compiled classes name of Java and Android that is not there."""
    missing = set()
    for compiled in class_files(folder):
        for member in compiled.references():
            owner = member[0]
            of_system = owner.startswith(("java/", "javax/", "android/"))
            if of_system and not _DESUGARED.fullmatch(owner) and not library.has(member):
                missing.add((compiled.name, member))
    return missing
