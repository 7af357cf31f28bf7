"""Makes the runner: javac, then D8, which makes of classes what Android runs. The same bytes from
the same sources, libraries and tools."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from mobileq.android.runtimes import RUNTIMES
from mobileq.android.template import template_folder
from mobileq.android.toolchain import Tool, find_java
from mobileq.device.runner.apk import write_apk
from mobileq.device.runner.kit import APK, JAR, Kit, classes_jar, native_libraries
from mobileq.errors import InputError, MissingDependencyError, ToolError
from mobileq.logfile import log_path, logger
from mobileq.staging import staging_path, temporary_folder

MIN_API = 24
_KEY = "made-from.txt"
_DATE = (1980, 1, 1, 0, 0, 0)
"""The first that an archive can have."""
_JVM = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")


def build_kit(
    folder: Path,
    *,
    archives: Sequence[Path],
    r8: Path | None = None,
    jar: Path | None = None,
    apk: bool = False,
) -> tuple[Kit, bool]:
    """The runner and the native libraries of Android libraries, in a folder of their own.

    Args:
        folder: Replaced, where it is a kit.
        archives: .aar files: LiteRT's, or TensorFlow Lite's; also of their GPU delegate.
        r8: The jar of R8, where the runner is to be made.
        jar: A runner that is made already.
        apk: Make it an app, too.

    Returns:
        The kit, and whether it had to be made: nothing is done where all is as it was.

    Raises:
        InputError: An archive can't be used, or something else than a kit is in the folder.
        MissingDependencyError: There is no JDK.
        ToolError: javac or D8 failed.
    """
    libraries = native_libraries(archives)
    if not any(name.endswith("/libtensorflowlite_jni.so") for name in libraries):
        raise InputError(
            "None of the archives has libtensorflowlite_jni.so.",
            "Give litert-1.4.2.aar, or tensorflow-lite-2.16.1.aar, with --aar.",
        )
    java = find_java() if jar is None or apk else None
    if java is not None and not java.serves:
        raise MissingDependencyError(f"The runner needs a JDK: {java.told}.", f"{java.remedy}.")
    key = _key(java, [*archives, *(each for each in (r8, jar) if each is not None)], apk)
    kit = Kit(folder)
    if kit.jar.is_file() and _read(folder / _KEY) == key:
        return kit, False
    if folder.exists() and any(folder.iterdir()) and not (folder / _KEY).exists():
        raise InputError(f"{folder} is not a runner's folder.", "Choose another --output.")
    jdk = java.path.resolve().parents[1] if java is not None and java.path is not None else None
    with temporary_folder() as scratch:
        if jar is None:
            assert jdk is not None
            assert r8 is not None
            dex = make_dex(jdk, r8, archives, scratch)
            jar = scratch / JAR
            write_jar(jar, dex)
        made = [jar]
        if apk:
            assert jdk is not None
            with zipfile.ZipFile(jar) as archive:
                dex = archive.read("classes.dex")
            made.append(scratch / APK)
            write_apk(made[-1], dex, libraries, MIN_API)
            sign_apk(jdk, made[-1])
        _place(folder, made, libraries, key)
    return kit, True


def sign_apk(jdk: Path, apk: Path) -> None:
    """Sign it with a key that is made for it, and thrown away.

    Args:
        jdk: A JDK's folder.

    Raises:
        ToolError: The JDK's tools failed.
    """
    with temporary_folder() as scratch:
        secret = ("-keystore", str(scratch / "key"), "-storepass", "mobileq", "-keypass", "mobileq")
        made = ("-genkeypair", *secret, "-alias", "mobileq", "-keyalg", "RSA", "-keysize", "2048")
        lasting = ("-validity", "10000", "-dname", "CN=mobileq")
        _run([str(jdk / "bin/keytool"), *made, *lasting], "keytool")
        hashed = ("-digestalg", "SHA-256", "-sigalg", "SHA256withRSA")
        _run([str(jdk / "bin/jarsigner"), *secret, *hashed, str(apk), "mobileq"], "jarsigner")


def _key(java: Tool | None, files: Iterable[Path], apk: bool) -> str:
    """Of all that a kit is made from."""
    lines = [java.told if java else "no Java", *(["an app"] if apk else [])]
    for path in [*map(Path, java_files()), *files]:
        lines.append(f"{hashlib.sha256(path.read_bytes()).hexdigest()} {path.name}")
    return "\n".join(lines) + "\n"


def _read(path: Path) -> str | None:
    return path.read_text() if path.is_file() else None


def _place(folder: Path, made: Sequence[Path], libraries: dict[str, bytes], key: str) -> None:
    staging = staging_path(folder)
    staging.mkdir(parents=True)
    try:
        for path, name in zip(made, (JAR, APK), strict=False):
            shutil.copyfile(path, staging / name)
        for name, content in libraries.items():
            path = staging / "lib" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        (staging / _KEY).write_text(key)
        shutil.rmtree(folder, ignore_errors=True)
        staging.rename(folder)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def runner_folder() -> Path:
    """`android_runner/`: inside an installed package, or beside it in a checkout."""
    package = Path(__file__).resolve().parents[2]
    for folder in (package / "android_runner", package.parent / "android_runner"):
        if folder.is_dir():
            return folder
    raise FileNotFoundError("mobileq was installed without android_runner")


def java_files() -> list[str]:
    """All that the runner is made of: the app's core and runtimes, and its own."""
    template = template_folder()
    folders = [template / "core/src/main/java", runner_folder() / "src/main/java"]
    folders += [template / each for runtime in RUNTIMES.values() for each in runtime.folders]
    return sorted(str(path) for folder in folders for path in folder.rglob("*.java"))


def make_dex(jdk: Path, r8: Path, archives: Sequence[Path], scratch: Path) -> bytes:
    """classes.dex of the runner and of all classes of Android libraries.

    Args:
        jdk: A JDK's folder.

    Raises:
        ToolError: javac or D8 failed; its output is in the log file.
    """
    libraries = []
    for at, archive in enumerate(archives):
        libraries.append(scratch / f"{at}.jar")
        libraries[-1].write_bytes(classes_jar(archive))
    stubs, classes, dex = scratch / "stubs", scratch / "classes", scratch / "dex"
    dex.mkdir()
    compile_java(jdk, sorted(map(str, (runner_folder() / "stubs").rglob("*.java"))), stubs, ())
    compile_java(jdk, java_files(), classes, (stubs, *libraries))
    compiled = sorted(map(str, classes.rglob("*.class")))
    command = [
        *(str(jdk / "bin/java"), *_JVM, "-cp", str(r8), "com.android.tools.r8.D8"),
        *("--release", "--min-api", str(MIN_API), "--output", str(dex), "--lib", str(jdk)),
        *(*compiled, *map(str, libraries)),
    ]
    said = _run(command, "D8")
    if said.strip():
        logger().info("D8: %s", said)
    return (dex / "classes.dex").read_bytes()


def compile_java(jdk: Path, files: Sequence[str], output: Path, class_path: Sequence[Path]) -> None:
    """javac. Raises ToolError."""
    output.mkdir()
    options = [f"-J{each}" for each in _JVM]
    command = [
        *(str(jdk / "bin/javac"), *options, "--release", "17", "-encoding", "UTF-8"),
        *("-nowarn", "-d", str(output), "-cp", os.pathsep.join(map(str, class_path)), *files),
    ]
    _run(command, "javac")


def write_jar(path: Path, dex: bytes) -> None:
    """An archive whose bytes depend on `dex` alone: not compressed, for zlibs differ."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(zipfile.ZipInfo("classes.dex", _DATE), dex)


def _run(command: Sequence[str], tool: str) -> str:
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    except OSError as error:
        raise ToolError(
            f"{tool} cannot be run: {error.strerror}.", "Check the JDK (JAVA_HOME, PATH)."
        ) from error
    said = done.stdout + done.stderr
    if done.returncode:
        logger().error("%s: %s", tool, said)
        lines = [line for line in said.splitlines() if line.strip()]
        first = lines[0] if lines else f"exit code {done.returncode}"
        hints = {"javac": "Give the .aar files of the API and of the GPU delegate, too. "}
        raise ToolError(
            f"{tool} failed: {first[:300]}", f"{hints.get(tool, '')}All it said is in {log_path()}."
        )
    return said
