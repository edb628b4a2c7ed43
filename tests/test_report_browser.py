"""The report in a real browser: nothing is refused, nothing overflows, and the timeline zooms."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from chromium import Browser, chromium
from example_postmortem import bare, enormous, example, healthy, latency, presentable, unknown, untellable
from mortis.document import as_html, notebook_frame

CASES = [example, presentable, bare, unknown, healthy, untellable, latency, enormous]
MOVED = "document.querySelector('.wide .stretch').getAttribute('transform')"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    program = chromium()
    if program is None:
        pytest.skip("no Chromium is installed")
    with Browser(program, tmp_path_factory.mktemp("profile")) as running:
        yield running


@pytest.fixture
def page(tmp_path: Path) -> Path:
    path = tmp_path / "postmortem.html"
    path.write_text(as_html(presentable()), encoding="utf-8")
    return path


@pytest.mark.parametrize("case", CASES)
def test_a_browser_has_nothing_to_complain_of(browser, tmp_path, case):
    """No error on the console and nothing refused, in both themes; no page scrolls sideways, on a phone or a desk."""
    path = tmp_path / "postmortem.html"
    path.write_text(as_html(case()), encoding="utf-8")
    for width, dark in ((360, False), (360, True), (768, False), (1280, False)):
        browser.open(path, width=width, dark=dark)
        assert browser.value("document.documentElement.scrollWidth") <= width
        assert browser.complaints == []


def test_the_policy_bites(browser, page):
    """A script or a style that got into the page all the same would not run; the browser says so."""
    browser.open(page)
    browser.value("document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"window.hacked = 1\">')")
    browser.value("document.body.append(Object.assign(document.createElement('script'), {textContent: 'hacked = 2'}))")
    browser.value("document.body.insertAdjacentHTML('beforeend', '<p id=styled style=\"color: rgb(1, 2, 3)\">')")
    assert browser.value("typeof window.hacked") == "undefined"
    assert browser.value("getComputedStyle(document.getElementById('styled')).color") != "rgb(1, 2, 3)"
    assert browser.complaints


def test_the_first_screen_answers(browser, page):
    """On a desk, what failed, since when, why, who and what to do stand above the fold."""
    browser.open(page, width=1280, height=900)
    assert browser.value("document.querySelector('.answers').getBoundingClientRect().bottom") <= 900


def test_the_dark_theme_is_dark(browser, page):
    """The page follows the reader's preference."""
    ground = "getComputedStyle(document.body).backgroundColor"
    browser.open(page, dark=True)
    dark = browser.value(ground)
    browser.open(page)
    assert (dark, browser.value(ground)) == ("rgb(15, 18, 22)", "rgb(255, 255, 255)")


def test_the_timeline_zooms_by_keyboard(browser, page):
    """Plus zooms in, arrows move, zero brings the whole back; ticks follow."""
    browser.open(page)
    ticks = "document.querySelector('.wide .ticks').textContent"
    whole = browser.value(ticks)
    browser.value("document.querySelector('.canvas').focus()")
    browser.press("+")
    browser.press("+")
    assert browser.value(MOVED).startswith("matrix(4 ")
    zoomed = browser.value(ticks)
    assert zoomed != whole
    browser.press("ArrowRight")
    assert browser.value(ticks) != zoomed
    browser.press("0")
    assert browser.value(MOVED).startswith("matrix(1 ")
    assert browser.value(ticks) == whole
    assert browser.complaints == []


def test_the_timeline_zooms_by_dragging_and_by_its_buttons(browser, page):
    """What is dragged over fills the plot; Reset brings the whole back."""
    browser.open(page)
    browser.value("document.querySelector('.canvas').scrollIntoView({block: 'center'})")
    box = browser.value(
        "(({left, top, width}) => [left, top, width])(document.querySelector('.wide svg').getBoundingClientRect())"
    )
    left, top, width = box
    browser.drag((left + 0.5 * width, top + 150), (left + 0.9 * width, top + 150))
    factor = float(browser.value(MOVED).removeprefix("matrix(").split()[0])
    assert factor == pytest.approx(794 / (0.4 * 860), rel=0.02)
    assert "n = " in browser.value("document.querySelector('.readout').textContent")
    browser.value("document.querySelector('[data-do=reset]').click()")
    assert browser.value(MOVED).startswith("matrix(1 ")
    assert browser.complaints == []


def test_the_page_is_complete_without_its_script(browser, page):
    """Where scripts are off, the timeline is drawn and no button stands there that does nothing."""
    browser.ask("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.open(page)
    finally:
        browser.ask("Emulation.setScriptExecutionDisabled", value=False)
    assert browser.value("document.querySelector('.wide svg').getBoundingClientRect().height") > 200
    assert browser.value("document.querySelector('.zoom').checkVisibility()") is False


def test_paper_shows_what_is_folded(browser, page):
    """Printing opens every fold, drops what only a screen can use, and needs no dark ink."""
    browser.open(page, media="print", dark=True, width=720)
    assert browser.value("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert browser.value("document.querySelector('nav').checkVisibility()") is False
    assert browser.value("document.querySelector('.zoom').checkVisibility()") is False
    folded = "[...document.querySelectorAll('details pre, details table')]"
    assert browser.value(f"{folded}.filter((one) => !one.getBoundingClientRect().height).length") == 0
    browser.value("dispatchEvent(new Event('beforeprint'))")
    assert browser.value("document.querySelectorAll('details:not([open])').length") == 0
    browser.value("dispatchEvent(new Event('afterprint'))")
    assert browser.value("document.querySelectorAll('details:not([open])').length") > 0


def test_every_part_has_a_name_for_those_who_cannot_see_it(browser, page):
    """Images, scrolled regions, links and buttons all have an accessible name; headings skip no level."""
    browser.open(page)
    browser.ask("Accessibility.enable")
    nodes = browser.ask("Accessibility.getFullAXTree")["nodes"]
    wanted = {"image", "region", "link", "button", "navigation", "heading"}
    named = [n for n in nodes if not n["ignored"] and n["role"]["value"] in wanted]
    assert len(named) > 40
    assert [n for n in named if not n.get("name", {}).get("value", "").strip()] == []
    levels = browser.value("[...document.querySelectorAll('h1, h2, h3, h4')].map((one) => +one.tagName[1])")
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 2 for before, after in pairwise(levels))


def test_a_notebook_shows_the_report(browser, tmp_path):
    """In a page of somebody else's the frame shows the report without a complaint and takes none of its styles."""
    outer = tmp_path / "notebook.html"
    style = "<style>* { color: red !important; display: none }</style>"
    outer.write_text(f"<!doctype html><meta charset=utf-8>{notebook_frame(example())}", encoding="utf-8")
    browser.open(outer)
    assert browser.value("document.querySelector('iframe').getBoundingClientRect().height") == 820
    assert browser.complaints == []
    assert style not in browser.value("document.querySelector('iframe').srcdoc")
