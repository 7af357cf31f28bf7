"""Commands on a phone, through adb's real client."""

from __future__ import annotations

import os
import time

import pytest

from mobileq.device.adb import Adb, DisconnectedError, OverdueError, find_adb
from mobileq.device.listing import chosen
from mobileq.device.phone import Phone, quoted

from .fixtures import Phones
from .loopback import LoopbackDevice

HOSTILE = (
    "it's", 'a "b" c', "$(id)", "`id`", "a\nb", "-rf", "a;b|c&d", "*", "\\", "~",
    "\u00e9\u4e2d", "#", " ", "\udcff", "!!",
)  # fmt: skip


def of(device: LoopbackDevice, limit_s: float = 20) -> Phone:
    return Phone(Adb(chosen(find_adb(), device.serial).path, device.serial, limit_s=limit_s))


def test_code_stdout_and_stderr_are_apart(phones: Phones) -> None:
    phone = of(phones())
    done = phone.shell("echo out; echo err >&2; exit 7")
    assert (done.code, done.out, done.err) == (7, b"out\n", b"err\n")
    assert done.reason == "err"
    assert phone.shell("printf 'no end'").out == b"no end"
    assert phone.shell("nosuch").code == 127


def test_what_is_no_text_comes_as_it_is(phones: Phones) -> None:
    device = phones()
    device.sandbox.write("data/local/tmp/raw", b"a\xff\x00\r\n")
    done = of(device).shell("cat /data/local/tmp/raw")
    assert done.out == b"a\xff\x00\r\n"
    assert done.text == "a\\xff\x00\n"


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_one_word(phones: Phones, name: str) -> None:
    device = phones()
    folder = device.sandbox.temporary
    phone = of(device)
    place = quoted(f"/data/local/tmp/{name}")
    assert phone.shell(f"echo kept > {place} && cat {place}").out == b"kept\n"
    assert [os.fsencode(each) for each in os.listdir(folder)] == [os.fsencode(name)]


def test_bytes_are_fed_and_counted(phones: Phones) -> None:
    device, content, counts = phones(), os.urandom(700_001), list[int]()
    pieces = [content[:300_000], content[300_000:]]
    done = of(device).feed("cat > /data/local/tmp/fed", pieces, counts.append)
    assert (done.code, sum(counts)) == (0, len(content))
    assert (device.sandbox.temporary / "fed").read_bytes() == content


def test_a_script_that_ends_before_it_was_fed_says_why(phones: Phones) -> None:
    done = of(phones()).feed("echo full >&2; exit 1", [bytes(5_000_000)], lambda count: None)
    assert (done.code, done.reason) == (1, "full")


def test_a_cut_cable_is_no_success(phones: Phones) -> None:
    device = phones()
    phone = of(device)
    device.cut_after(1_000_000, back=False)
    with pytest.raises(DisconnectedError, match=r"broke|is offline|is gone"):
        phone.feed("cat > /data/local/tmp/cut", [bytes(9_000_000)], lambda count: None)
    with pytest.raises(DisconnectedError, match=r"is offline|is gone"):
        phone.shell("echo")
    assert not phone.is_back(0.3)
    device.plug()
    assert phone.is_back(20)
    assert phone.shell("echo again").out == b"again\n"


def test_one_that_never_answers_is_given_up(phones: Phones) -> None:
    device = phones()
    phone = of(device, limit_s=0.7)
    began = time.monotonic()
    with pytest.raises(OverdueError, match=device.serial):
        phone.shell("echo begun; sleep 60")
    with pytest.raises(OverdueError, match=device.serial):
        phone.feed("sleep 60", [bytes(50_000_000)], lambda count: None)
    with pytest.raises(OverdueError, match=device.serial):
        phone.feed("cat > /dev/null; sleep 60", [b"x"], lambda count: None)
    assert time.monotonic() - began < 55


def test_a_slow_one_is_waited_for(phones: Phones) -> None:
    device = phones()
    device.sandbox.delay_s = 1.0
    assert of(device).shell("echo late").out == b"late\n"
