"""Which phone a command is for."""

from __future__ import annotations

from pathlib import Path

import pytest

from mobileq.device.adb import find_adb
from mobileq.device.listing import Listed, chosen, listed, parsed
from mobileq.errors import DeviceError, UsageError

from .fixtures import Phones

LISTED = """* daemon not running; starting now at tcp:5037
* daemon started successfully
List of devices attached
emulator-5554          device product:sdk_gphone64 model:sdk_gphone64_x86_64 device:emu64x transport_id:1
9A221FFAZ00              unauthorized usb:1-4 transport_id:3
(no serial number)     offline usb:1-5 transport_id:4
0123 4567              no permissions (user in plugdev group; are your udev rules wrong?); see [http://developer.android.com/tools/device.html] usb:1-2 transport_id:5
HT7\tdevice

"""  # noqa: E501


def test_every_state_that_adb_prints_is_read() -> None:
    assert [(each.serial, each.state, each.model) for each in parsed(LISTED)] == [
        ("emulator-5554", "device", "sdk gphone64 x86 64"),
        ("9A221FFAZ00", "unauthorized", ""),
        ("(no serial number)", "offline", ""),
        ("0123 4567", "no permissions", ""),
        ("HT7", "device", ""),
    ]
    assert all(each.is_ready == (each.remedy == "") for each in parsed(LISTED))


def test_the_only_one_is_chosen_also_beside_one_that_is_not_ready(phones: Phones) -> None:
    phone = phones()
    phones(state="unauthorized")
    assert chosen(find_adb(), None).serial == phone.serial


def test_several_are_listed_and_a_variable_chooses(
    phones: Phones, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = phones(), phones()
    with pytest.raises(UsageError) as caught:
        chosen(find_adb(), None)
    assert f"{one.serial} (Loop 9)" in caught.value.message
    assert f"{two.serial} (Loop 9)" in caught.value.message
    assert "--serial" in caught.value.hint
    assert chosen(find_adb(), two.serial).serial == two.serial
    monkeypatch.setenv("ANDROID_SERIAL", one.serial)
    assert chosen(find_adb(), None).serial == one.serial
    assert chosen(find_adb(), two.serial).serial == two.serial
    with pytest.raises(UsageError, match="no device other"):
        chosen(find_adb(), "other")


def test_none_and_one_that_is_not_ready(phones: Phones) -> None:
    with pytest.raises(DeviceError, match="No phone is connected"):
        chosen(find_adb(), None)
    phone = phones(state="unauthorized")
    with pytest.raises(DeviceError, match="is unauthorized") as caught:
        chosen(find_adb(), None)
    assert "allow USB debugging" in caught.value.hint
    with pytest.raises(DeviceError, match="is unauthorized"):
        chosen(find_adb(), phone.serial)


def test_one_that_is_being_greeted_is_waited_for(tmp_path: Path) -> None:
    """A script in the place of adb: its server can't be made to greet slowly."""
    script = tmp_path / "adb"
    script.write_text(
        "#!/bin/sh\necho List of devices attached\n"
        f'[ -f {tmp_path}/asked ] && echo "A1 device" || echo "A1 authorizing"\n'
        f"touch {tmp_path}/asked\n"
    )
    script.chmod(0o755)
    assert [each.state for each in listed(find_adb(script))] == ["device"]


def test_a_server_that_a_socket_names_is_asked(
    phones: Phones, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone = phones()
    monkeypatch.setenv("ADB_SERVER_SOCKET", f"tcp:127.0.0.1:{phones.server.port}")
    monkeypatch.delenv("ANDROID_ADB_SERVER_PORT")
    assert listed(find_adb()) == [Listed(serial=phone.serial, state="device", model="Loop 9")]
    monkeypatch.setenv("ADB_SERVER_SOCKET", "nonsense")
    with pytest.raises(DeviceError, match=r"server cannot be reached.* unknown socket") as caught:
        listed(find_adb())
    assert "ADB_SERVER_SOCKET" in caught.value.hint
