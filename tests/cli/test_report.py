"""`mobileq report`."""

from __future__ import annotations

import html.parser
import json
import re
from pathlib import Path

import msgspec
import pytest

import mobileq
from mobileq.bundle import BundleWriter, read_bundle
from mobileq.manifest import Failure

from .commands import Cli, names_in
from .test_recommend import benched

pytestmark = pytest.mark.usefixtures("children")

HOSTILE = '</script><script>alert(1)</script><img src=x onerror="alert(2)">'
_MOST_BYTES = 3_000_000


class _Page(html.parser.HTMLParser):
    """Tags, what they refer to, and text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.references: list[str] = []
        self.words: list[str] = []
        self.pictures: list[str] = []
        """What stands for them."""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag == "img":
            self.pictures.append(dict(attrs)["alt"] or "")
            assert self.pictures[-1]
        for name, value in attrs:
            assert not name.startswith("on"), (tag, name)
            if name in ("src", "href", "srcset", "action", "data", "poster"):
                self.references.append(value or "")

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))


def _written(path: Path) -> _Page:
    content = path.read_bytes()
    assert len(content) < _MOST_BYTES
    page = _Page(content.decode())
    assert [each for each in page.references if not each.startswith(("#", "data:"))] == []
    assert "Content-Security-Policy" in content.decode()
    return page


def changed(bundle: Path, **fields: object) -> None:
    """The bundle with other things in its manifest."""
    opened = read_bundle(bundle)
    with BundleWriter(bundle, force=True) as writer:
        for name in opened.manifest.files:
            writer.add_file(name, bundle / name)
        writer.finish(msgspec.structs.replace(opened.manifest, **fields))


@pytest.fixture
def bundle(bundle: Path) -> Path:
    """Its calibration pictures are not where they were."""
    run = read_bundle(bundle).manifest.run
    command = ("mobileq", "convert", "demo.onnx", "--calib", str(bundle / "gone"))
    changed(bundle, run=msgspec.structs.replace(run, command=command))
    return bundle


def test_it_says_which_file_to_ship_and_shows_all_files(
    cli: Cli, bundle: Path, tmp_path: Path
) -> None:
    target = tmp_path / "pages" / "report.html"
    result = cli("report", bundle, "-o", target)
    assert result.code == 0, result.err
    said = cli("recommend", bundle, "--json").document
    assert f"Ship {said['file']}: {said['why']}" in result.out.replace("\n", " ")
    assert f"Written: {target}" in result.out.replace("\n", "")
    page = _written(target)
    why = said["why"].replace("`", " ")  # which stand there as code
    assert " ".join(f"Ship {said['file']} : {why}".split()) in " ".join(page.text.split())
    assert page.tags.count("code") > 0
    manifest = read_bundle(bundle).manifest
    for artifact in manifest.artifacts:
        assert artifact.path.rpartition("/")[2] in page.text
        assert artifact.sha256 in page.text
    assert manifest.content_sha256 in page.text
    assert page.tags.count("svg") == 1  # nothing was timed
    assert names_in(target.parent) == ["report.html"]


def test_what_was_validated_and_timed_on_phones_is_in_it(
    cli: Cli, bundle: Path, demo: Path, tmp_path: Path
) -> None:
    pictures, labels = demo / "validation" / "images", demo / "validation.json"
    arguments = ("--images", pictures, "--annotations", labels, "--count", 6, "--runs", 1)
    assert cli("validate", bundle, *arguments).code == 0
    benched(bundle, {("tflite-fp32", "gpu"): 4.25, ("tflite-fp16", "cpu"): 9.5})
    target = tmp_path / "report.html"
    assert cli("report", bundle, "-o", target).code == 0
    page = _written(target)
    report = json.loads((bundle / "report.json").read_text())
    for scores in report["validation"]["scores"]:
        assert f"{scores['accuracy']['map50_95']:.4f}" in page.text
        if scores["lost"] is not None:
            assert f"{scores['lost']['value']:.4f} ±{scores['lost']['error']:.4f}" in page.text
    assert "4.2 (gpu)" in page.text
    assert (
        "On Example Loop 9 (1234): ship demo-fp32.tflite, it is the fastest (4.2 ms on" in page.text
    )
    assert page.tags.count("svg") == 3


def test_pictures_show_what_the_model_sees_and_where_the_file_differs(
    cli: Cli, bundle: Path, demo: Path, tmp_path: Path
) -> None:
    target = tmp_path / "report.html"
    command = ("mobileq", "convert", "demo.onnx", "--calib", str(demo / "calibration" / "images"))
    run = msgspec.structs.replace(read_bundle(bundle).manifest.run, command=command)
    changed(bundle, run=run)
    assert cli("report", bundle, "-o", target).code == 0
    page = _written(target)
    # Of the calibration that the bundle was made with: 4 as they are fed, and by two models those
    # that differ, but two at least.
    differ = re.search(r"(\d+) of 4 pictures differ from", page.text)
    shown = max(2, int(differ[1]) if differ else 0)
    assert len(page.pictures) == 4 + 2 * shown
    assert "What demo-dynamic.tflite finds otherwise" in page.text
    given = demo / "validation" / "images"
    arguments = ("--images", given, "--artifact", "fp16")
    assert cli("report", bundle, *arguments, "-o", target).code == 0
    page = _written(target)
    assert len(page.pictures) == 32 + 2 * 2
    assert "Nothing that anybody would see, in 16 pictures." in page.text
    answered = [each for each in page.pictures if "the ONNX model answers it" in each]
    assert all(re.search(r": \d+ \w+", each) for each in answered)


def test_without_the_calibration_pictures_it_is_said_and_done_without(
    cli: Cli, bundle: Path, tmp_path: Path
) -> None:
    result = cli("report", bundle, "-o", tmp_path / "report.html")
    assert result.code == 0
    assert "demo is shown without pictures" in result.err
    assert _written(tmp_path / "report.html").pictures == []


def test_what_failed_stands_there_with_its_reason(cli: Cli, bundle: Path, tmp_path: Path) -> None:
    failure = Failure(
        target="tflite",
        precision="int8",
        file_name="demo-int8.tflite",
        stage="compare",
        reason="Its output is zero everywhere.",
        hint="Use fp16.",
    )
    changed(bundle, failures=(failure,))
    assert cli("report", bundle, "-o", tmp_path / "report.html").code == 0
    text = _written(tmp_path / "report.html").text
    assert "demo-int8.tflite failed" in text
    assert "Comparing it with the ONNX model: Its output is zero everywhere. Use fp16." in text


def test_names_from_a_model_file_are_text(cli: Cli, bundle: Path, tmp_path: Path) -> None:
    manifest = read_bundle(bundle).manifest
    artifacts = tuple(
        msgspec.structs.replace(
            each,
            notes=(HOSTILE,),
            inputs=tuple(msgspec.structs.replace(t, name=HOSTILE) for t in each.inputs),
            recipe=msgspec.structs.replace(each.recipe, keep_float=(HOSTILE,)),
        )
        for each in manifest.artifacts
    )
    source = msgspec.structs.replace(manifest.source, file_name=HOSTILE)
    model = msgspec.structs.replace(
        manifest.model,
        labels=(HOSTILE,) * len(manifest.model.labels),
        inputs=tuple(msgspec.structs.replace(t, name=HOSTILE) for t in manifest.model.inputs),
    )
    run = msgspec.structs.replace(manifest.run, command=("mobileq", "convert", HOSTILE))
    changed(bundle, artifacts=artifacts, source=source, model=model, run=run)
    assert cli("report", bundle, "-o", tmp_path / "report.html").code == 0
    page = _written(tmp_path / "report.html")
    assert page.tags.count("script") == 1
    assert all(each.startswith("data:") for each in page.references if each[0] != "#")
    assert page.text.count(HOSTILE) >= 4


def test_several_bundles_stand_side_by_side(cli: Cli, bundle: Path, tmp_path: Path) -> None:
    target = tmp_path / "report.html"
    result = cli("report", bundle, bundle, "-o", target, "--json")
    assert list(result.document["ship"]) == ["bundle (1)", "bundle (2)"]
    page = _written(target)
    assert "Side by side" in page.text
    assert page.tags.count("h2") == 1 + 2 * 4
    found = mobileq.report([bundle, str(bundle)], output=target, progress=mobileq.Silent())
    assert found.ship == result.document["ship"]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_is_the_same_each_time(cli: Cli, bundle: Path, tmp_path: Path, theme: str) -> None:
    first, second = tmp_path / "first.html", tmp_path / "second.html"
    assert cli("report", bundle, "-o", first).code == cli("report", bundle, "-o", second).code == 0
    assert first.read_bytes() == second.read_bytes()
    assert f'data-theme="{theme}"' in first.read_text()


def test_what_can_be_put_right_is_said(cli: Cli, bundle: Path, tmp_path: Path) -> None:
    nothing = tmp_path / "nothing"
    assert "There is no folder" in cli.fails(2, "report", nothing, "-o", tmp_path / "a.html")
    assert "is a folder" in cli.fails(2, "report", bundle, "-o", tmp_path)
    (bundle / "report.json").write_text("{}")
    assert "report.json cannot be used" in cli.fails(1, "report", bundle, "-o", tmp_path / "a.html")
    assert not (tmp_path / "a.html").exists()
    with pytest.raises(mobileq.UsageError, match="No bundle is given"):
        mobileq.report([])
