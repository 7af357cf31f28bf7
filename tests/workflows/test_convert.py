"""`convert` and what reads its bundle, as functions, on a model of one convolution."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mobileq
from mobileq.evaluate.verify import Verification
from mobileq.page import HtmlPage
from mobileq.workflows import comparing

pytestmark = pytest.mark.usefixtures("children")


def test_a_model_of_no_family_becomes_a_bundle_that_can_be_inspected(
    model: Path, tmp_path: Path
) -> None:
    heard = mobileq.Silent()
    output = tmp_path / "bundle"
    manifest = mobileq.convert(str(model), str(output), precision="fp32", progress=heard)
    assert [artifact.name for artifact in manifest.artifacts] == ["tflite-fp32"]
    assert manifest.failures == ()
    page = HtmlPage()
    manifest.tell(page)
    assert "SQNR" in page.html
    assert "agreement" not in page.html, "with what nobody can read"
    assert heard.notices, "that the family is not known, and what the file was compared on"
    bundle = mobileq.read_bundle(str(output))
    assert bundle.manifest == manifest
    assert mobileq.verify_bundle(bundle).ok
    found = mobileq.inspect(bundle)
    assert isinstance(found, mobileq.BundleInspection)
    assert "tflite-fp32" in str(found)
    with pytest.raises(mobileq.UsageError, match="exists already"):
        mobileq.convert(model, output, precision="fp32", progress=heard)
    picture = np.zeros((8, 8, 3), np.uint8)
    with pytest.raises(mobileq.UsageError):
        mobileq.detect(bundle, picture, progress=heard)


def test_a_slip_costs_nothing(model: Path, tmp_path: Path) -> None:
    with pytest.raises(mobileq.UsageError, match="--precision can't be 'int9'"):
        mobileq.convert(model, tmp_path / "bundle", precision="int9")
    with pytest.raises(mobileq.UsageError, match="no option 'force_it'"):
        mobileq.convert(model, tmp_path / "bundle", force_it=True)  # type: ignore[call-arg]
    assert not (tmp_path / "bundle").exists()


@pytest.mark.parametrize(("precisions", "counts"), [("fp16", [3, 8]), ("fp16,fp32", [8, 8])])
def test_a_base_that_nobody_gets_is_compared_on_few_samples(
    model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    precisions: str,
    counts: list[int],
) -> None:
    taken = mobileq.inspect(model).inputs[0]
    samples = tmp_path / "samples"
    samples.mkdir()
    for at in range(10):
        tensor = np.random.default_rng(at).normal(0, 1, taken.shape).astype(np.float32)
        np.save(samples / f"{at}.npy", tensor)
    seen: list[tuple[int, bool]] = []

    def verify(*arguments: Any, **options: Any) -> Verification:
        reference = arguments[2]
        photos = sum(not each.is_probe for each in reference)
        seen.append((photos, options["reopen"] is not None))
        return real(*arguments, **options)

    real = comparing.verify
    monkeypatch.setattr(comparing, "verify", verify)
    mobileq.convert(model, tmp_path / "bundle", precision=precisions, calib=samples, cache=False)
    assert seen == [(count, count == 8) for count in counts]
