"""Several bundles in one project."""

from __future__ import annotations

from pathlib import Path

import pytest

from mobileq.android.options import AndroidOptions
from mobileq.android.project import render_project
from mobileq.bundle import verify_bundle
from mobileq.errors import UsageError
from tests.android.bundles import write_bundle

OPTIONS = AndroidOptions(application_id="com.example.birds", name="Birds", runtimes=("tflite",))


def test_several_bundles_have_folders_of_their_own_and_a_list(tmp_path: Path):
    both = [write_bundle(tmp_path / name, name=name) for name in ("Owls of 2026!", "tits")]
    done = render_project(both, tmp_path / "app", OPTIONS)
    assets = tmp_path / "app" / "app/src/main/assets/bundle"
    assert (assets / "bundles.txt").read_text() == "1-owls-of-2026\n2-tits\n"
    for folder, bundle in zip(("1-owls-of-2026", "2-tits"), both, strict=True):
        assert (assets / folder / "manifest.json").read_bytes() == (
            bundle / "manifest.json"
        ).read_bytes()
        assert verify_bundle(assets / folder).ok
    packed = sum(each.stat().st_size for each in assets.rglob("*") if each.is_file())
    assert done.bundle_bytes == packed
    again = render_project(both[1], tmp_path / "app", OPTIONS)
    assert (assets / "manifest.json").is_file()
    assert "app/src/main/assets/bundle/bundles.txt" in again.removed


def test_bundles_of_one_name_are_refused(tmp_path: Path):
    both = [write_bundle(tmp_path / folder, name="tits") for folder in ("a", "b")]
    with pytest.raises(UsageError, match="both hold a model named tits") as caught:
        render_project(both, tmp_path / "app", OPTIONS)
    assert "Rename" in caught.value.hint
    assert not (tmp_path / "app").exists()
