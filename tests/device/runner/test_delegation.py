"""What TFLite says of its delegates."""

from __future__ import annotations

import pytest

from mobileq.device.runner.delegation import Delegation, delegations

WHOLE = (
    "I tflite  : Replacing 64 out of 64 node(s) with delegate (TfLiteGpuDelegateV2) node, yielding "
    "1 partitions for subgraph 0."
)
PART = (
    "11-28 21:04:11.512  9876  9876 I tflite  : Replacing 223 out of 270 node(s) with delegate "
    "(TfLiteNnapiDelegate) node, yielding 9 partitions for the whole graph."
)
OLD = "INFO: Replacing 12 node(s) with delegate (TfLiteXNNPackDelegate) node, yielding 2 partitions"


@pytest.mark.parametrize(
    ("line", "wanted", "whole"),
    [
        (WHOLE, ("TfLiteGpuDelegateV2", 64, 64, 1), True),
        (PART, ("TfLiteNnapiDelegate", 223, 270, 9), False),
        (OLD, ("TfLiteXNNPackDelegate", 12, None, 2), False),
    ],
)
def test_a_delegate_says_how_much_it_took(line: str, wanted: tuple, whole: bool):
    name, nodes, all_nodes, partitions = wanted
    (found,) = delegations(f"before\r\n{line}\r\nafter")
    assert found == Delegation(
        delegate=name, nodes=nodes, all_nodes=all_nodes, partitions=partitions
    )
    assert found.is_whole == whole


def test_several_are_told_in_order():
    assert [each.nodes for each in delegations(f"{PART}\n{WHOLE}")] == [223, 64]


def test_what_left_something_to_the_cpu_says_how_much():
    (found,) = delegations(PART)
    assert str(found) == "TfLiteNnapiDelegate: 223 of 270 nodes in 9 partitions"


@pytest.mark.parametrize(
    "line", ["", "Created TensorFlow Lite XNNPACK delegate for CPU.", WHOLE[:60]]
)
def test_nothing_is_read_into_other_lines(line: str):
    assert delegations(line) == ()
