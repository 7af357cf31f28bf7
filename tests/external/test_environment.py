"""What a child finds in its environment and its memory."""

import sys

import pytest

from mobileq.external.child import Child

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="glibc's doing")


def test_disturbed_child_has_another_environment(monkeypatch):
    monkeypatch.setenv("OURS", "kept")
    found = []
    for disturbed in (False, True):
        with Child("handlers:Worker", stage="x", tool="It", disturbed=disturbed) as made:
            found.append(made.request("environment")[0])
    plain, other = found
    own = {name: plain[name] for name in ("TMPDIR", "GLIBC_TUNABLES")}
    assert plain.items() < (other | own).items()
    assert other["GLIBC_TUNABLES"].startswith(plain["GLIBC_TUNABLES"] + ":")
    assert other["OURS"] == "kept"


@pytest.mark.parametrize("set_by_the_user", ["", "glibc.malloc.hugetlb=0"])
def test_child_asks_for_huge_pages_unless_the_user_does_not(monkeypatch, set_by_the_user):
    monkeypatch.setenv("GLIBC_TUNABLES", set_by_the_user)
    with Child("handlers:Worker", stage="x", tool="It") as made:
        tunables = made.request("environment")[0]["GLIBC_TUNABLES"].split(":")
    # glibc takes the last that is said.
    assert tunables == ["glibc.malloc.hugetlb=1", *filter(None, [set_by_the_user])]


@LINUX
def test_memory_of_a_disturbed_child_is_not_zero_before_it_is_written():
    for disturbed in (False, True):
        with Child("handlers:Worker", stage="x", tool="It", disturbed=disturbed) as made:
            values = made.request("unwritten")[0]["values"]
        assert (set(values) == {0}) == (not disturbed)
