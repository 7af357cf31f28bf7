"""The project's own `gradlew`: which Gradle it runs, and what it refuses to run."""

from __future__ import annotations

import hashlib
import http.server
import os
import subprocess
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from mobileq.android.template import template_folder
from tests.android.rendered import render

GRADLE = '#!/bin/sh\necho "$0 in $(pwd)"\nfor each; do echo "<$each>"; done\nexit 7\n'
CACHED = "https://services.gradle.org/distributions/gradle-8.9-bin.zip"
CACHED_IN = "gradle-8.9-bin/90cnw93cvbtalezasaz0blq0a"
"""Where Gradle 8.9's own wrapper puts it."""


@pytest.fixture
def distribution(tmp_path: Path) -> Path:
    """A zip such as Gradle publishes, whose program says what it is given and exits with 7."""
    path = tmp_path / "published here" / "gradle-9.9-bin.zip"
    path.parent.mkdir()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        program = zipfile.ZipInfo("gradle-9.9/bin/gradle")
        program.external_attr = 0o755 << 16
        archive.writestr(program, GRADLE)
        archive.writestr("gradle-9.9/lib/gradle.jar", "x" * 9999)
    return path


@pytest.fixture
def project(bundle: Path, tmp_path: Path) -> Path:
    (tmp_path / "my apps").mkdir()
    return render(bundle, tmp_path / "my apps").path


def pin(project: Path, url: str, sha256: str) -> None:
    """As a person edits it: the address with and the hash without Java's escapes."""
    (project / "gradle" / "wrapper" / "gradle-wrapper.properties").write_text(
        "distributionBase=GRADLE_USER_HOME\ndistributionPath=wrapper/dists\n"
        f"distributionUrl={url.replace(':', chr(92) + ':')}\ndistributionSha256Sum={sha256}\n"
        "networkTimeout=10000\n"
    )


def sha256_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def gradlew(
    project: Path, *arguments: str, path: str | None = None, script: Path | None = None
) -> subprocess.CompletedProcess[str]:
    home = project.parent / "gradle's home"
    return subprocess.run(
        [script or project / "gradlew", *arguments],
        cwd=project.parent,
        env={**os.environ, "GRADLE_USER_HOME": str(home), "PATH": path or os.environ["PATH"]},
        capture_output=True,
        text=True,
    )


def left(project: Path) -> list[Path]:
    """Files in Gradle's cache."""
    return [path for path in (project.parent / "gradle's home").rglob("*") if path.is_file()]


def test_it_downloads_once_and_runs_with_the_arguments_as_they_are(
    project: Path, distribution: Path
) -> None:
    pin(project, distribution.as_uri(), sha256_of(distribution))
    done = gradlew(project, "-p", "my app", ":app:assembleDebug", "a  b*")
    program = next(path for path in left(project) if path.name == "gradle")
    assert done.stdout.splitlines() == [
        f"{program} in {project.parent}",
        *("<-p>", "<my app>", "<:app:assembleDebug>", "<a  b*>"),
    ]
    assert done.returncode == 7
    assert "Downloading file:" in done.stderr
    distribution.unlink()
    again = gradlew(project)
    assert (again.returncode, again.stderr) == (7, "")
    assert {path.name for path in left(project)} == {
        "gradle",
        "gradle.jar",
        f"{distribution.name}.ok",
    }


def test_what_gradles_own_wrapper_installed_is_taken_from_its_cache(project: Path) -> None:
    installed = project.parent / "gradle's home" / "wrapper" / "dists" / CACHED_IN
    program = installed / "gradle-8.9" / "bin" / "gradle"
    program.parent.mkdir(parents=True)
    program.write_text(GRADLE)
    program.chmod(0o755)
    (installed / "gradle-8.9-bin.zip.ok").touch()
    pin(project, CACHED, "0" * 64)
    done = gradlew(project, "tasks")
    assert done.stdout.splitlines() == [f"{program} in {project.parent}", "<tasks>"]
    assert done.stderr == ""


def test_another_hash_is_told_and_nothing_of_it_is_kept(project: Path, distribution: Path) -> None:
    pin(project, distribution.as_uri(), "0" * 64)
    done = gradlew(project)
    assert done.returncode == 1
    found = sha256_of(distribution)
    assert f"has the SHA-256 {found}, and {'0' * 64} is pinned: it is not used" in done.stderr
    assert done.stdout == ""
    assert not left(project)


@pytest.fixture
def cut_short(distribution: Path) -> Iterator[str]:
    """An address that promises a whole file and ends halfway."""
    content = distribution.read_bytes()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            if "unsaid" not in self.path:
                self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[: len(content) // 2])

        def log_message(self, *arguments: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize(
    ("place", "said"), [("", "cannot be downloaded"), ("/unsaid", "it is not used")]
)
def test_a_download_that_breaks_off_is_not_used(
    place: str, said: str, project: Path, distribution: Path, cut_short: str
) -> None:
    pin(project, f"{cut_short}{place}/{distribution.name}", sha256_of(distribution))
    done = gradlew(project)
    assert done.returncode == 1
    assert said in done.stderr
    assert not left(project)
    # What went wrong does not stand in the way of what goes right.
    pin(project, distribution.as_uri(), sha256_of(distribution))
    assert gradlew(project).returncode == 7


@pytest.mark.parametrize(
    ("url", "sha256", "said"),
    [
        ("file:///nowhere/gradle-9.9-bin.zip", "0" * 64, "cannot be downloaded"),
        (CACHED, "", "pins no distributionSha256Sum"),
        ("gradle-9.9-bin.zip", "0" * 64, "is no address"),
    ],
)
def test_what_names_no_gradle_is_a_sentence(
    url: str, sha256: str, said: str, project: Path
) -> None:
    pin(project, url, sha256)
    done = gradlew(project)
    assert done.returncode == 1
    assert said in done.stderr
    assert not left(project)


def test_a_zip_without_a_gradle_is_refused(project: Path, distribution: Path) -> None:
    with zipfile.ZipFile(distribution, "w") as archive:
        archive.writestr("readme", "x")
    pin(project, distribution.as_uri(), sha256_of(distribution))
    done = gradlew(project)
    assert (done.returncode, left(project)) == (1, [])
    assert "holds no Gradle" in done.stderr


def test_it_is_found_behind_a_link(project: Path, distribution: Path) -> None:
    pin(project, distribution.as_uri(), sha256_of(distribution))
    link = project.parent / "build it"
    link.symlink_to(Path("project") / "gradlew")
    assert gradlew(project, script=link).returncode == 7


def test_nothing_that_a_plain_computer_lacks_is_used(
    project: Path, distribution: Path, tmp_path: Path
) -> None:
    """Only programs of every Unix, and a download: no unzip, no md5sum, a JDK's jar."""
    folder = tmp_path / "programs"
    folder.mkdir()
    every = "sh dirname readlink sed tail tr cut awk mkdir mktemp rm mv chmod cat pwd curl openssl"
    for name in (*every.split(), "java", "jar"):
        found = next(
            Path(place) / name
            for place in os.environ["PATH"].split(os.pathsep)
            if (Path(place) / name).exists()
        )
        (folder / name).symlink_to(found.resolve() if name in ("java", "jar") else found)
    pin(project, distribution.as_uri(), sha256_of(distribution))
    done = gradlew(project, path=str(folder))
    assert done.returncode == 7, done.stderr


def test_the_scripts_of_windows_do_the_same() -> None:
    """There is no Windows here: what can be held is their text."""
    batch = (template_folder() / "gradlew.bat").read_bytes()
    shell = (template_folder() / "gradle" / "wrapper" / "distribution.ps1").read_bytes()
    for content in (batch, shell):
        assert content.count(b"\n") == content.count(b"\r\n"), "lines end as Windows wants them"
        assert content.isascii()
    text, unix = shell.decode(), (template_folder() / "gradlew").read_text()
    for name in ("Url", "Sha256Sum", "Base", "Path"):
        assert f"'distribution{name}'" in text
    for sentence in ("it is not used", "is no address", "pins no", "cannot be downloaded"):
        assert sentence in text
        assert sentence in unix
    assert text.index("Get-FileHash") < text.index("ExtractToDirectory") < text.index("Move-Item")
    assert text.count("{") == text.count("}")
    assert text.count("(") == text.count(")")
    assert b'-File "%~dp0gradle\\wrapper\\distribution.ps1"' in batch
    assert b'call "%GRADLE_FOLDER%\\bin\\gradle.bat" %*' in batch
