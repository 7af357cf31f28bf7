"""The page of `mobileq report` in a browser: for everybody, in both themes, on a phone too."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

import mobileq
from mobileq.evaluate.report import read_report
from mobileq.manifest import Failure, to_json
from mobileq.quantize.group_plans import GroupPlan
from mobileq.quantize.plan import QuantPlan

from . import models
from .test_recommend import benched
from .test_report import changed

pytestmark = pytest.mark.usefixtures("children")

VIEWS = [(theme, width) for theme in ("light", "dark") for width in (1280, 390)]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("there is no chromium")
    with sync_playwright() as started:
        found = started.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture(scope="module")
def pages(made_bundle: Path, demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pages of a detector that was validated, of two bundles, of a classifier, and of tensors."""
    folder = tmp_path_factory.mktemp("pages")
    quiet = mobileq.Silent()
    validated = shutil.copytree(made_bundle, folder / "validated")
    mobileq.validate(
        *(validated, demo / "validation" / "images", demo / "validation.json"),
        count=6,
        runs=1,
        progress=quiet,
    )
    failure = Failure(
        target="tflite",
        precision="int8",
        file_name="demo-int8.tflite",
        stage="compare",
        reason="Its output is zero everywhere.",
        hint="Use fp16.",
    )
    changed(validated, failures=(failure,))
    _with_groups(validated)
    benched(validated, {("tflite-fp32", "gpu"): 4.25, ("tflite-fp16", "cpu"): 9.5})
    calib = demo / "calibration" / "images"
    for name, make in (("classifier", models.colours), ("tensors", models.plain)):
        made = folder / name
        mobileq.convert(
            *(make(folder / f"{name}.onnx"), made),
            precision="fp32,int8",
            calib=calib,
            calib_count=8,
            progress=quiet,
        )
    for name, bundles in {
        "detector": [validated],
        "several": [validated, made_bundle],
        "classifier": [folder / "classifier"],
        "tensors": [folder / "tensors"],
    }.items():
        mobileq.report(
            bundles,
            output=folder / f"{name}.html",
            images=demo / "validation" / "images",
            progress=quiet,
        )
    return folder


def _with_groups(bundle: Path) -> None:
    """As if one of its files had been planned: to convert one to int8 takes half a minute."""
    groups = tuple(
        GroupPlan(
            name=f"/model.27/enc_output/enc_output.{at}/LayerNormalization_output_0",
            op_type="Conv + SiLU",
            is_float=at == 1,
            share=0.1,
            sqnr_db=30.0 + at,
            low=-0.25,
            high=4.0,
            seen_low=-0.25,
            seen_high=4.0 + at,
            why="-0.25 .. 4",
        )
        for at in range(10)
    )
    plan = QuantPlan(calibrator="mse", ranges={}, groups=groups)
    report = msgspec.structs.replace(read_report(bundle), plans={"tflite-dynamic": plan})
    (bundle / "report.json").write_bytes(to_json(report))


def _opened(browser: Browser, path: Path, theme: str, width: int) -> tuple[Page, list[str]]:
    """The page, and what it should not have done: asked a network, complained."""
    context = browser.new_context(
        viewport={"width": width, "height": 900},
        color_scheme=theme,  # type: ignore[arg-type]
        permissions=["clipboard-read", "clipboard-write"],
    )
    page = context.new_page()
    wrong: list[str] = []
    page.on("console", lambda message: wrong.append(message.text))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("request", lambda request: wrong.append(request.url[:200]))
    page.goto(path.as_uri())
    wrong[:] = [each for each in wrong if each != path.as_uri() and not each.startswith("data:")]
    return page, wrong


@pytest.mark.parametrize("kind", ["detector", "several", "classifier", "tensors"])
def test_everybody_can_read_it_and_it_asks_nobody(browser: Browser, pages: Path, kind: str) -> None:
    for theme, width in VIEWS:
        page, wrong = _opened(browser, pages / f"{kind}.html", theme, width)
        assert wrong == []
        found = Axe().run(page)
        assert found.response["violations"] == [], found.generate_report()
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
        page.context.close()


def test_it_looks_other_in_the_dark_and_by_its_button(browser: Browser, pages: Path) -> None:
    page, _ = _opened(browser, pages / "detector.html", "light", 1280)

    def colour() -> str:
        return str(page.evaluate("getComputedStyle(document.documentElement).backgroundColor"))

    assert colour() == "rgb(255, 255, 255)"
    page.get_by_role("button", name="Light or dark").click()
    assert colour() == "rgb(20, 25, 31)"
    page.get_by_role("button", name="Light or dark").click()
    assert colour() == "rgb(255, 255, 255)"
    page.emulate_media(color_scheme="dark")
    assert colour() == "rgb(255, 255, 255)", "what was chosen stays"


def test_answers_lie_on_top_of_each_other_and_the_boundary_moves_by_keyboard(
    browser: Browser, pages: Path
) -> None:
    page, wrong = _opened(browser, pages / "detector.html", "light", 390)
    pair = page.locator(".pair").first
    views = pair.locator(".view")
    assert views.count() == 2
    assert views.nth(1).bounding_box() != views.nth(0).bounding_box()
    page.get_by_label("On top of each other").check()
    assert views.nth(1).bounding_box() == views.nth(0).bounding_box()
    boundary = pair.get_by_role("slider")
    boundary.focus()
    boundary.press("End")
    assert (
        views.nth(1).evaluate("each => getComputedStyle(each).clipPath")
        == "inset(0px 0px 0px 100%)"
    )
    boundary.press("Home")
    assert (
        views.nth(1).evaluate("each => getComputedStyle(each).clipPath") == "inset(0px 0px 0px 0%)"
    )
    assert wrong == []


def test_of_several_any_two_can_be_chosen(browser: Browser, pages: Path) -> None:
    page, _ = _opened(browser, pages / "several.html", "light", 1280)
    page.get_by_label("On top of each other").check()
    pair = page.locator(".pair").first
    assert pair.locator(".view").count() == 4
    pair.get_by_label("right").select_option(index=3)
    assert "at-right" in str(pair.locator(".view").nth(3).get_attribute("class"))
    assert pair.locator(".view:visible").count() == 2


def test_the_command_is_copied(browser: Browser, pages: Path) -> None:
    page, _ = _opened(browser, pages / "several.html", "light", 1280)
    button = page.get_by_role("button", name="Copy").first
    button.click()
    page.get_by_role("button", name="Copied").wait_for()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert str(copied).split()[0] == "mobileq"


def test_what_8_bits_cost_and_what_failed_are_read_by_everybody_too(
    browser: Browser, pages: Path
) -> None:
    page, _ = _opened(browser, pages / "detector.html", "light", 390)
    assert page.get_by_role("heading", name="What 8 bits cost, op by op").is_visible()
    assert page.get_by_role("row", name="demo-int8.tflite failed").is_visible()
    reason = page.locator(".reason").bounding_box()
    assert reason is not None
    assert reason["x"] >= 0
    assert reason["x"] + reason["width"] <= 390, "it is read without moving the table"


def test_marks_of_a_chart_say_which_file_they_are(browser: Browser, pages: Path) -> None:
    page, _ = _opened(browser, pages / "detector.html", "light", 1280)
    titles = page.locator("svg").first.locator("title").all_text_contents()
    for artifact in mobileq.read_bundle(pages / "validated").manifest.artifacts:
        told = f"{Path(artifact.path).name}: size {artifact.size_bytes / 1e6:.2f} MB, "
        assert any(each.startswith(told) for each in titles)


def test_printed_nothing_is_left_folded(browser: Browser, pages: Path) -> None:
    page, wrong = _opened(browser, pages / "detector.html", "light", 1280)
    assert page.locator("details:not([open])").count() > 0
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details:not([open])").count() == 0
    assert len(page.pdf()) > 10_000
    assert wrong == []
