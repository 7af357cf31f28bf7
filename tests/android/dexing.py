"""Google's compilers of .class files, which come as one jar."""

from __future__ import annotations

import re
import shutil
import subprocess
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.android import jvm
from tests.android.class_references import ClassFile, class_files


def d8(output: Path, folders: Sequence[Path], classes: Iterable[Path], min_sdk: int) -> str:
    """Make a classes.dex of all compiled classes; "" or what D8 said."""
    # The platform's jar lacks java.lang and its kin.
    libraries = [*jvm.libraries("android"), jvm.jdk()]
    return _compile("D8", output, folders, classes, libraries, "--min-api", str(min_sdk))


def r8(
    output: Path,
    folders: Sequence[Path],
    classes: Iterable[Path],
    rules: Iterable[Path],
    *options: str,
) -> str:
    """Shrink, rename and optimize compiled classes into a folder; "" or what R8 said.

    `options` say what for: `--classfile`, or `--min-api` and its number.
    """
    # Folders it would read with a warning.
    zipped = [
        Path(shutil.make_archive(f"{output}-{at}", "zip", path)) if path.is_dir() else path
        for at, path in enumerate(classes)
    ]
    platform, insides = Path(f"{output}-platform.zip"), Path(f"{output}-insides.pro")
    _write_platform(platform, folders, zipped)
    # What Android's own classes name; javac has looked for what the app's do.
    insides.write_text("-dontwarn android.**,com.android.**,java.**,javax.**\n")
    given = [part for path in (*rules, insides) for part in ("--pg-conf", str(path))]
    # Rules for libraries that are not there match nothing, which it tells. A build of the app has
    # a map of names written, with which line numbers take less of the dex.
    told = ("--map-diagnostics", "info", "none", "--pg-map-output", f"{output}.map")
    return _compile("R8", output, folders, zipped, [platform], *given, *told, *options)


def _write_platform(path: Path, folders: Sequence[Path], classes: Sequence[Path]) -> None:
    """Android's classes that are named, with what they inherit from, and the public ones of Java.

    R8 reads all of its libraries: with the 53,000 classes of Android's jar and the 30,000 of a
    JDK it took four times as long.
    """
    (android,) = jvm.libraries("android")
    libraries = [zipfile.ZipFile(each) for each in (*classes, android)]
    places = {name: each for each in reversed(libraries) for name in each.namelist()}
    wanted = {name for folder in folders for each in class_files(folder) for name in _named(each)}
    seen: set[str] = set()
    with zipfile.ZipFile(path, "w") as written:
        while wanted:
            entry = f"{wanted.pop()}.class"
            if entry in seen or entry not in places:
                continue
            seen.add(entry)
            content = places[entry].read(entry)
            found = ClassFile(content)
            if places[entry] is libraries[-1]:
                wanted.update(found.parents)
                written.writestr(entry, content)
            else:
                wanted.update(_named(found))
        _write_java(written)
    for each in libraries:
        each.close()


def _named(compiled: ClassFile) -> set[str]:
    """All classes that it refers to, and those in the types of its fields and methods."""
    references = list(compiled.references())
    types = [each[2] for each in references] + [each[1] for each in compiled.declared()]
    inner = (name for each in types for name in re.findall(r"L([^;]+);", each))
    return {*compiled.parents, *(each[0] for each in references), *inner}


def _write_java(written: zipfile.ZipFile) -> None:
    """Java 16's classes, the last that a JDK 17 describes apart from its own."""
    with zipfile.ZipFile(jvm.jdk() / "lib" / "ct.sym") as signatures:
        for entry in signatures.namelist():
            releases, _, rest = entry.partition("/")
            module, _, name = rest.partition("/")
            is_class = name.endswith(".sig") and name != "module-info.sig"
            if is_class and "G" in releases and module in _MODULES:
                content = signatures.read(entry)
                written.writestr(f"{name.removesuffix('.sig')}.class", content)


_MODULES = ("java.base", "java.logging", "java.sql", "java.xml")


def _compile(
    name: str,
    output: Path,
    folders: Sequence[Path],
    classes: Iterable[Path],
    libraries: Iterable[Path],
    *options: str,
) -> str:
    (compiler,) = jvm.libraries("r8")
    output.mkdir(parents=True, exist_ok=True)
    compiled = [str(path) for folder in folders for path in sorted(folder.rglob("*.class"))]
    done = subprocess.run(
        [
            *(jvm.tool("java"), *jvm.SHORT_LIVED, "-cp", str(compiler)),
            *(f"com.android.tools.r8.{name}", "--release", "--output", str(output), *options),
            *(part for path in libraries for part in ("--lib", str(path))),
            *(part for path in classes for part in ("--classpath", str(path))),
            *compiled,
        ],
        capture_output=True,
        text=True,
    )
    return done.stdout + done.stderr
