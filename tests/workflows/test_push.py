"""A bundle's files onto a phone."""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
from pathlib import Path
from typing import Any

import pytest

import mobileq
from mobileq.device import files
from tests.android.bundles import MODEL_BYTES, write_bundle
from tests.device.fixtures import Phones
from tests.device.loopback import LoopbackDevice

BIG = os.urandom(6_000_000)
ALL = ["labels.txt", "manifest.json", "models/birds-fp32.mnn", "models/birds-fp32.tflite"]


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return write_bundle(tmp_path / "birds", ("tflite", "mnn"), contents={"tflite": BIG})


def push(bundle: Path, *names: str, **options: Any) -> mobileq.Pushed:
    quiet = mobileq.Silent()
    options.setdefault("progress", quiet)
    return mobileq.push(bundle, names, **options)


def on(phone: LoopbackDevice, name: str = "birds") -> dict[str, bytes]:
    """What the phone has of a bundle."""
    folder = phone.sandbox.temporary / "mobileq" / name
    found = (each for each in folder.rglob("*") if each.is_file())
    return {each.relative_to(folder).as_posix(): each.read_bytes() for each in found}


def test_all_that_a_phone_needs_is_there_and_verified(phones: Phones, bundle: Path) -> None:
    phone = phones()
    done = push(bundle)
    assert (done.serial, done.folder) == (phone.serial, "/data/local/tmp/mobileq/birds")
    assert sorted(done.sent) == ALL
    assert done.sent[-1] == "manifest.json"
    assert (done.unchanged, done.removed) == ((), ())
    assert on(phone) == {name: (bundle / name).read_bytes() for name in ALL}
    assert done.sent_bytes == sum(len(each) for each in on(phone).values())


def test_only_what_differs_is_sent(phones: Phones, bundle: Path) -> None:
    phone = phones()
    push(bundle)
    before = phone.received_bytes
    again = push(bundle)
    assert (again.sent, sorted(again.unchanged)) == ((), ALL)
    folder = phone.sandbox.temporary / "mobileq" / "birds"
    (folder / "labels.txt").write_text("tit\nowl?")  # as long as it was
    (folder / "models" / "birds-fp32.mnn").unlink()
    (folder / "left over").write_text("x")
    mended = push(bundle)
    assert sorted(mended.sent) == ["labels.txt", "manifest.json", "models/birds-fp32.mnn"]
    assert mended.removed == ("left over",)
    assert mended.unchanged == ("models/birds-fp32.tflite",)
    assert sorted(on(phone)) == ALL
    assert phone.received_bytes - before < 100_000


def test_chosen_files_join_those_that_are_there(phones: Phones, bundle: Path) -> None:
    phone = phones()
    first = push(bundle, "mnn-fp32")
    assert sorted(first.sent) == ["labels.txt", "manifest.json", "models/birds-fp32.mnn"]
    second = push(bundle, "birds-fp32.tflite")
    assert second.sent == ("models/birds-fp32.tflite", "manifest.json")
    assert sorted(push(bundle, "fp32").unchanged) == ALL
    # Of a bundle that was made anew, what was not chosen is wrong on the phone and goes.
    changed = write_bundle(bundle.parent / "new" / "birds", ("tflite", "mnn"))
    third = push(changed, "tflite-fp32")
    assert third.removed == ()
    assert on(phone)["models/birds-fp32.tflite"] == MODEL_BYTES
    other = write_bundle(
        bundle.parent / "other" / "birds", ("tflite", "mnn"), contents={"mnn": b"?"}
    )
    assert push(other, "tflite-fp32").removed == ("models/birds-fp32.mnn",)
    with pytest.raises(mobileq.UsageError, match="no artifact 'int9'"):
        push(bundle, "int9")


def test_a_bundle_that_was_changed_is_not_pushed(phones: Phones, bundle: Path) -> None:
    phone = phones()
    (bundle / "labels.txt").write_text("owl\ntit\n")
    with pytest.raises(mobileq.InputError, match=r"not as it was written: labels\.txt"):
        push(bundle)
    assert list(on(phone)) == []


def test_a_cut_cable_is_waited_for_and_the_file_goes_on(phones: Phones, bundle: Path) -> None:
    phone, quiet = phones(), mobileq.Silent()
    phone.cut_after(4_000_000)
    done = push(bundle, progress=quiet)
    assert sorted(done.sent) == ALL
    assert on(phone) == {name: (bundle / name).read_bytes() for name in ALL}
    assert "broke; waiting for it" in quiet.notices[0]
    assert "Going on with models/birds-fp32.tflite at" in quiet.notices[1]
    assert phone.received_bytes < 1.5 * len(BIG)


def test_one_that_stays_away_is_an_error_and_the_next_push_goes_on(
    phones: Phones, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone = phones()
    push(bundle, "mnn-fp32")
    monkeypatch.setattr(files, "_PATIENCE_S", 1.0)
    phone.cut_after(4_000_000, back=False)
    with pytest.raises(mobileq.DeviceError, match="went away while models/birds-fp32") as caught:
        push(bundle)
    assert "it goes on where it stopped" in caught.value.hint
    assert "manifest.json" not in on(phone), "half a bundle is no bundle"
    assert "models/birds-fp32.tflite" not in on(phone)
    phones.plug(phone)
    before = phone.received_bytes
    done = push(bundle)
    assert done.sent == ("models/birds-fp32.tflite", "manifest.json")
    assert sorted(on(phone)) == ALL
    assert phone.received_bytes - before < 4_000_000


def test_one_that_comes_back_late_is_found(phones: Phones, bundle: Path) -> None:
    phone = phones()
    phone.cut_after(2_000_000, back=False)
    late = threading.Timer(2, phone.plug)
    late.start()
    assert sorted(push(bundle).sent) == ALL
    late.join()


def test_wherever_it_is_cut_a_manifest_means_a_whole_bundle(phones: Phones, bundle: Path) -> None:
    phone = phones()
    for count in (700, 2_500, 2_000_000, 6_003_500):
        phone.cut_after(count)
        with contextlib.suppress(mobileq.DeviceError):
            push(bundle)
        there = on(phone)
        if "manifest.json" in there:
            assert there == {name: (bundle / name).read_bytes() for name in ALL}
        phones.plug(phone)
        push(bundle)
        assert sorted(on(phone)) == ALL
        push(bundle, clean=True)


def test_what_is_left_of_another_file_is_not_gone_on_with(phones: Phones, bundle: Path) -> None:
    phone = phones()
    (digest,) = (
        each.sha256
        for each in mobileq.read_bundle(bundle).manifest.artifacts
        if each.target == "tflite"
    )
    phone.sandbox.write(f"data/local/tmp/mobileq/birds/.part-{digest[:16]}", b"other" + BIG[5:999])
    phone.sandbox.write("data/local/tmp/mobileq/birds/.part-0123", b"of a file that changed")
    done = push(bundle)
    assert done.removed == (".part-0123",)
    assert on(phone) == {name: (bundle / name).read_bytes() for name in ALL}


def test_too_little_space_is_said_before_anything_is_sent(phones: Phones, bundle: Path) -> None:
    phone = phones()
    push(bundle, "mnn-fp32")
    there = on(phone)
    phone.sandbox.capacity = 5_000_000
    with pytest.raises(mobileq.DeviceError, match=r"has [34]\.\d\d MB free, and the files need 7"):
        push(bundle)
    assert on(phone) == there


def test_a_disk_that_fills_up_meanwhile(phones: Phones, bundle: Path) -> None:
    phone = phones()
    phone.sandbox.fill_after(1_000_000)
    with pytest.raises(mobileq.DeviceError, match="filled up while models/birds-fp32") as caught:
        push(bundle)
    assert "--clean" in caught.value.hint
    assert list(on(phone)) == []


@pytest.mark.parametrize("missing", [1, 2, 3])
def test_old_systems_hash_otherwise_or_not_at_all(
    phones: Phones, bundle: Path, missing: int
) -> None:
    phone = phones()
    phone.sandbox.remove(*("sha256sum", "sha1sum", "md5sum")[:missing])
    phone.cut_after(4_000_000)
    assert sorted(push(bundle).sent) == ALL
    assert push(bundle).sent == ()
    (phone.sandbox.temporary / "mobileq" / "birds" / "labels.txt").write_text("tit\nowl?")
    assert push(bundle).sent == ("labels.txt", "manifest.json")


def test_what_arrives_damaged_is_named(phones: Phones, bundle: Path) -> None:
    phone = phones()
    phone.sandbox.install("cat", '[ $# -gt 0 ] && exec /bin/cat "$@"\n/bin/cat; echo')
    with pytest.raises(mobileq.DeviceError, match=r"arrived damaged on .*, twice"):
        push(bundle)
    assert list(on(phone)) == []


def test_a_phone_that_is_too_old_is_refused(phones: Phones, bundle: Path) -> None:
    phones(properties={"ro.build.version.sdk": "23"}, features="cmd,stat_v2")
    with pytest.raises(mobileq.DeviceError, match="API 23, which is too old") as caught:
        push(bundle)
    assert "Android 7" in caught.value.hint


@pytest.mark.parametrize("name", ["it's; a $(id) `b`", "-rf", "a\nb", "\udcff\xe9", "..."])
def test_hostile_names(phones: Phones, bundle: Path, name: str) -> None:
    phone = phones()
    hostile = bundle.parent / "in" / name
    shutil.copytree(bundle, hostile)
    assert sorted(push(hostile).sent) == ALL
    assert sorted(on(phone, name)) == ALL
    assert push(hostile).sent == ()
    assert sorted(push(hostile, clean=True).removed) == ALL
    assert os.listdir(phone.sandbox.temporary / "mobileq") == []


def test_clean_takes_off_one_bundle_that_need_not_be_here(phones: Phones, bundle: Path) -> None:
    phone = phones()
    push(bundle)
    other = Path(shutil.copytree(bundle, bundle.parent / "owls"))
    push(other)
    shutil.rmtree(bundle)
    done = push(bundle, clean=True)
    assert (sorted(done.removed), done.sent) == (ALL, ())
    assert (on(phone), sorted(on(phone, "owls"))) == ({}, ALL)
    assert push(bundle, clean=True).removed == ()
