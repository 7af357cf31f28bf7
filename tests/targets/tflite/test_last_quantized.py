"""Files that were quantized of the same before are written again, and no others."""

from __future__ import annotations

from pathlib import Path

import pytest

from mobileq.targets.tflite import last_quantized
from mobileq.targets.tflite.last_quantized import LastQuantized


class Quantizer:
    """Counts what it makes."""

    def __init__(self, output: Path) -> None:
        self.output, self.count = output, 0

    def __call__(self) -> tuple[str, ...]:
        self.count += 1
        self.output.write_bytes(b"file %d" % self.count)
        return (f"note {self.count}",)


@pytest.fixture
def quantizer(tmp_path: Path) -> Quantizer:
    return Quantizer(tmp_path / "file.tflite")


def test_file_of_the_same_is_written_again(quantizer: Quantizer, tmp_path: Path) -> None:
    last = LastQuantized()
    fields = {"source": "base.tflite", "ranges": {"x": [0.0, 1.0]}, "float_tensors": ["y"]}
    assert last.write(fields, quantizer.output, quantizer) == ("note 1",)
    other = {**fields, "ranges": {"x": [0.0, 1.0000001]}}
    assert last.write(other, quantizer.output, quantizer) == ("note 2",)
    again = tmp_path / "again.tflite"
    same = dict(reversed(fields.items()))
    assert last.write(same, again, quantizer) == ("note 1",)
    assert again.read_bytes() == b"file 1"
    assert quantizer.count == 2


def test_few_small_files_are_kept(quantizer: Quantizer, monkeypatch: pytest.MonkeyPatch) -> None:
    last = LastQuantized()
    for at in range(4):
        last.write({"at": at}, quantizer.output, quantizer)
    last.write({"at": 3}, quantizer.output, quantizer)
    assert quantizer.count == 4
    last.write({"at": 0}, quantizer.output, quantizer)
    assert quantizer.count == 5
    monkeypatch.setattr(last_quantized, "_MOST_BYTES", 3)
    for _ in range(2):
        last.write({"at": "large"}, quantizer.output, quantizer)
    assert quantizer.count == 7
