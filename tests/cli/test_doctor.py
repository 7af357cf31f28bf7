"""`mobileq doctor`."""

from __future__ import annotations

import pytest

from mobileq.workflows import doctor
from tests.device.fixtures import Phones

from .commands import Cli


def test_lines_and_exit_codes(cli: Cli, phones: Phones, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_NATIVES", ())
    phone = phones()
    result = cli("doctor")
    assert (result.code, result.err) == (0, "")
    assert f"ok      phone: {phone.serial} (Loop 9)" in result.out
    assert result.out.endswith("All that every command needs is right.\n")
    document = cli("doctor", "--json").document
    assert document["ok"] is True
    assert {each["state"] for each in document["checks"] if each["is_needed"]} == {"ok"}
    monkeypatch.setenv("MOBILEQ_CACHE_MAX_MB", "-1")
    result = cli("doctor")
    assert (result.code, result.err) == (1, "")
    assert "wrong   cache: MOBILEQ_CACHE_MAX_MB is '-1'" in result.out
    assert cli("doctor", "--json").code == 1
