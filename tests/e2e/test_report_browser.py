"""The report page in headless Chromium: it opens, works by pointer and keys, and runs nothing but its own script."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from browser import chromium
from playwright.sync_api import Browser, Page, expect, sync_playwright
from report_records import BEGAN, case, folder_of, shop, suite

from understudy.report import RunRecord, SectionRecord, utc
from understudy.report_html import write_report
from understudy.suites.results import Outcome

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("report_browser")]

HOSTILE = (
    "</script><script>document.title='owned'</script><!--<script><img src=http://x.invalid/a onerror=alert(1)>"
    "\x1b[31mred\x1b[0m\u202egnp.exe\u2028\x00"
)

Opened = Callable[..., Page]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as play:
        # --no-sandbox: root may not use it, and nothing but our own page is opened
        started = play.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def opened(browser: Browser, tmp_path: Path) -> Iterator[Opened]:
    """Opens a record's page; at the end nothing was said on the console, nothing asked for but the page itself."""
    said: list[str] = []
    asked: list[str] = []
    wanted: list[str] = []
    pages: list[Page] = []

    def open_page(record: RunRecord, logs: dict[str, str] | None = None, **context: object) -> Page:
        page = browser.new_page(viewport={"width": 1200, "height": 800}, **context)  # type: ignore[arg-type] # as given
        pages.append(page)
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.on("dialog", lambda dialog: said.append(dialog.message))
        wanted.append(write_report(folder_of(record, tmp_path, logs)).as_uri())
        page.goto(wanted[-1])
        page.wait_for_selector("html[data-ready=yes]")
        return page

    yield open_page
    for page in pages:
        page.close()
    assert said == []
    assert set(asked) == set(wanted)


def test_a_failing_test_is_read_with_the_logs_of_its_time(opened: Opened) -> None:
    failed = case("test_shop.py::test_orders", Outcome.FAILED, at=3.0, seconds=1.0)
    lines = "".join(f"{utc(BEGAN + at / 10)} line {at}\n" for at in range(60))
    many = "".join(f"{utc(BEGAN + 3 + at / 100)} many {at}\n" for at in range(100))
    record = replace(shop(failing=1), suites=(suite("one", (case("t::fine", at=2.0), failed)),))
    page = opened(record, {"orders": lines, "mailer": lines, "gateway": many, "db": ""})

    expect(page.locator("h1")).to_have_text("Tests failed")
    expect(page.locator(".reason")).to_have_text("1 of 2 tests failed; 1 passed.")
    card = page.locator("#failures details.card")
    expect(card).to_have_attribute("open", "")
    expect(card.locator(".message")).to_have_text("AssertionError: assert 502 == 200")
    orders = card.locator("details", has=page.locator("summary", has_text="orders"))
    expect(orders.locator(".said")).to_have_text([f"line {at}" for at in range(30, 45)])
    expect(orders.locator(".late .said").first).to_have_text("line 41")
    mailer = card.locator("details", has=page.locator("code", has_text="mailer")).last
    expect(mailer.locator(".said").first).to_be_hidden()
    card.get_by_text("1 other services logged something meanwhile").click()
    expect(mailer.locator(".said").first).to_be_visible()
    gateway = card.locator("details", has=page.locator("summary", has_text="gateway")).first
    expect(gateway.locator(".said")).to_have_count(40)
    gateway.get_by_text("60 earlier lines").click()
    expect(gateway.locator(".said")).to_have_count(100)
    expect(gateway.locator(".said").first).to_have_text("many 0")


def test_the_timeline_is_pointed_at_zoomed_and_walked(opened: Opened) -> None:
    page = opened(shop(40, 2, 1))
    canvas = page.locator("#timeline-view canvas")
    canvas.scroll_into_view_if_needed()

    def seen() -> float:
        page.evaluate("() => new Promise(requestAnimationFrame)")
        page.evaluate("() => new Promise(requestAnimationFrame)")
        return float(canvas.get_attribute("data-to") or 0) - float(canvas.get_attribute("data-from") or 0)

    whole = seen()
    canvas.hover(position={"x": 400, "y": 32})
    expect(page.locator(".tip")).to_contain_text("provision\n0.400 s to 11.600 s")
    page.mouse.wheel(0, -300)
    assert seen() == whole, "the page scrolls where the timeline has no focus"
    canvas.focus()
    canvas.scroll_into_view_if_needed()
    canvas.hover(position={"x": 400, "y": 32})
    page.mouse.wheel(0, -300)
    assert seen() == pytest.approx(whole * 0.8, rel=0.01)
    page.keyboard.press("+")
    page.keyboard.press("ArrowRight")
    assert seen() == pytest.approx(whole * 0.48, rel=0.01)
    page.keyboard.press("0")
    assert seen() == whole
    box = canvas.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 300, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + 500, box["y"] + 60)
    page.mouse.up()
    assert seen() < whole / 4
    canvas.dblclick(position={"x": 500, "y": 5})
    assert seen() == whole
    for _ in range(8):
        page.keyboard.press("n")
    expect(page.locator("#timeline-view [role=status]")).to_contain_text("test_number_")
    page.keyboard.press("Enter")
    expect(page.locator("dialog.drawer h2")).to_contain_text("test_number_")
    page.keyboard.press("Escape")
    expect(page.locator("dialog.drawer")).to_have_count(0)


def test_it_is_used_by_keys_alone(opened: Opened) -> None:
    page = opened(shop(200, 4, 5))

    page.keyboard.press("?")
    expect(page.locator("#help")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#help")).to_be_hidden()
    page.keyboard.press("j")
    page.keyboard.press("j")
    second = page.locator("#failures .card").nth(1)
    expect(second.locator("summary").first).to_be_focused()
    page.keyboard.press("o")
    expect(second).not_to_have_attribute("open", "")
    page.keyboard.press("/")
    page.keyboard.type("part_000 00004")
    expect(page.locator(".filters [role=status]")).to_have_text("1 of 200")
    page.keyboard.press("Escape")
    page.keyboard.press("g")
    page.keyboard.press("t")
    expect(page.locator("[role=listbox]")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("dialog.drawer h2")).to_have_text("tests/test_part_000.py::test_number_00004")
    page.keyboard.press("Escape")
    expect(page.locator("[role=listbox]")).to_be_focused()


def test_ten_thousand_tests_are_listed_filtered_and_sorted(opened: Opened) -> None:
    page = opened(shop(10_000, 4, 1, 4), {})
    rows, status = page.locator("[role=option]"), page.locator(".filters [role=status]")

    expect(status).to_have_text("10000 of 10000")
    assert 10 < rows.count() < 60
    page.locator("[role=listbox]").focus()
    page.keyboard.press("End")
    expect(page.locator("[aria-selected=true] .id")).to_contain_text("test_number_09999")
    page.get_by_role("button", name="9999 passed").click()
    expect(status).to_have_text("1 of 10000")
    expect(rows.locator(".id")).to_contain_text("test_number_09999")
    page.get_by_role("button", name="9999 passed").click()
    page.get_by_label("Suite").select_option(label="suite-2")
    expect(status).to_have_text("2500 of 10000")
    page.get_by_role("button", name="took").click()
    expect(rows.first).to_contain_text("32 ms")


def test_colours_follow_the_system_and_the_switch(opened: Opened) -> None:
    page = opened(shop(), color_scheme="dark")

    def paper() -> str:
        found = page.evaluate("() => getComputedStyle(document.body).backgroundColor")
        assert isinstance(found, str)
        return found

    dark = paper()
    page.emulate_media(color_scheme="light")
    light = paper()
    assert light == "rgb(255, 255, 255)" != dark
    page.keyboard.press("d")
    page.keyboard.press("d")
    expect(page.locator("#theme")).to_have_text("Theme: dark")
    assert paper() == dark
    page.reload()
    page.wait_for_selector("html[data-ready=yes]")
    assert paper() == dark
    page.emulate_media(media="print")
    assert paper() == light


def test_hostile_output_is_shown_and_does_nothing(opened: Opened) -> None:
    failed = replace(
        case(f"t::{HOSTILE}", Outcome.FAILED, at=1.0),
        message=HOSTILE,
        detail=HOSTILE + "\n" + "x" * 1_000_000,
        sections=(SectionRecord(HOSTILE, HOSTILE),),
    )
    log = f"{utc(BEGAN + 1)} {HOSTILE}\n".replace("\u2028", "").replace("\n\n", "\n")
    base = shop(failing=1)
    nodes = tuple(replace(node, kind=HOSTILE) if node.name == "db" else node for node in base.graph.nodes)
    record = replace(
        base,
        suites=(suite(HOSTILE, (failed,)),),
        branch=HOSTILE,
        project=HOSTILE,
        warnings=(HOSTILE,),
        files=("javascript:alert(1)",),
        graph=replace(base.graph, nodes=nodes),
    )
    page = opened(record, {"gateway": log})

    assert page.title().startswith("Tests failed: </script>")
    text = page.locator("body").inner_text()
    assert "document.title='owned'" in text
    assert not {"\x1b", "\u202e", "\u2028"} & set(text)
    assert "\u2039U+202E\u203agnp.exe" in text
    assert page.locator("script").count() == 2
    assert page.locator("img").count() == 0
    assert len(page.locator("#failures pre").first.inner_text()) < 10_000
    href = page.locator(".files a").get_attribute("href")
    assert href == "./javascript%3Aalert%281%29"


def test_it_prints_with_everything_unfolded(opened: Opened) -> None:
    page = opened(shop(60, 2, 6))

    page.evaluate("() => dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    assert page.locator("#failures details.card:not([open])").count() == 0
    expect(page.locator("[role=option]")).to_have_count(60)
    expect(page.locator("#theme")).to_be_hidden()
    page.evaluate("() => dispatchEvent(new Event('afterprint'))")
    assert page.locator("#failures details.card:not([open])").count() == 3
    assert page.pdf().startswith(b"%PDF")


def test_what_nobody_finished_and_what_never_began_open_too(opened: Opened) -> None:
    cut = replace(shop(5), ended=None, receipt=None, phases=(), containers=())
    page = opened(cut)
    expect(page.locator("h1")).to_have_text("Did not finish")
    expect(page.locator("[role=option]")).to_have_count(5)

    page = opened(RunRecord("r", "e", "t", "p", "", "", "", "", "", utc(0)), {})
    expect(page.locator("#timeline-view")).to_contain_text("Nothing was recorded with a time.")


def test_without_scripts_the_verdict_and_the_failing_tests_are_there(browser: Browser, tmp_path: Path) -> None:
    page = browser.new_page(java_script_enabled=False)
    page.goto(write_report(folder_of(shop(4, failing=1), tmp_path)).as_uri())

    expect(page.locator("h1")).to_have_text("Tests failed")
    assert "test_number_00003" in page.locator("main").inner_text()  # whose text playwright's own matchers leave out
    expect(page.locator("#theme")).to_be_hidden()
    page.close()
