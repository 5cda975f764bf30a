"""The pages of bench and doctor in a real browser, at two widths, in the light and the dark."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.measuring.browser import LOOKS, Look, chromium, complaints, invalid, opened
from tests.measuring.reports import extreme, full, hostile

from jumptable import cli
from jumptable.measuring import page

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytest.importorskip("matplotlib")
pytestmark = pytest.mark.thread_unsafe(reason="one browser")

__all__ = ["chromium"]

REPORTS = {"full": full, "hostile": hostile, "extreme": extreme}
# The narrowest is a telephone's, or 1,280 pixels at a zoom of 400 %; the last, of 200 %.
SEEN: dict[str, tuple[Look, ...]] = {
    "full": LOOKS,
    "hostile": (LOOKS[0], LOOKS[-1], (640, "light")),
    "extreme": ((320, "light"), LOOKS[-1]),
}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("page")
    for name, report in REPORTS.items():
        (folder / f"{name}.html").write_text(page.render(report()), "utf-8")
    return {name: folder / f"{name}.html" for name in REPORTS}


@pytest.mark.parametrize("name", SEEN)
def test_the_bench_s_page(written: dict[str, Path], chromium: Browser, name: str) -> None:
    seen = complaints(chromium, written[name], *SEEN[name])
    assert seen == {look: [] for look in SEEN[name]}


# A table is wider than what it is in; nobody can scroll paper.
TOO_WIDE = """() => [...document.querySelectorAll('table, svg.figure')].filter(
  (one) => one.getBoundingClientRect().right > innerWidth + 1).map((one) => one.textContent)"""
A4 = 718  # pixels between its margins of a centimetre


def test_the_pages_fit_paper_and_are_light_on_it(
    written: dict[str, Path], diagnosis: Path, chromium: Browser
) -> None:
    for path in (written["full"], diagnosis):
        with opened(chromium, path) as (tab, _):
            tab.set_viewport_size({"width": A4, "height": 1000})
            tab.emulate_media(media="print", color_scheme="dark")
            assert tab.evaluate(TOO_WIDE) == []
            ground = tab.evaluate("getComputedStyle(document.body).backgroundColor")
            assert min(map(int, re.findall(r"\d+", ground))) > 240
            exact = "getComputedStyle(document.querySelector('h1')).printColorAdjust"
            assert tab.evaluate(exact) == "exact"


# What a browser takes for its user's ground is drawn by nobody: a bar of that colour is not seen.
INVISIBLE = """(selector) => [...document.querySelectorAll(selector)].filter((one) => {
  const colour = getComputedStyle(one).backgroundColor;
  return colour === getComputedStyle(document.body).backgroundColor || /^rgba.*, 0.$/.test(colour);
}).length"""


def test_marks_are_seen_with_colours_that_the_user_chose(
    written: dict[str, Path], diagnosis: Path, chromium: Browser
) -> None:
    bars = ((written["full"], ".bar"), (diagnosis, ".track i:not(.gap), .key"))
    for path, selector in bars:
        with opened(chromium, path) as (tab, _):
            tab.emulate_media(forced_colors="active", color_scheme="light")
            assert tab.locator(selector).count() and tab.evaluate(INVISIBLE, selector) == 0
    with opened(chromium, written["full"]) as (tab, _):
        tab.emulate_media(forced_colors="active", color_scheme="dark")
        colours = """(one) => [getComputedStyle(one.querySelector('.k-dot')).fill,
                               getComputedStyle(document.body).color]"""
        assert len(set(tab.evaluate(f"({colours})(document.querySelector('.key'))"))) == 1


CLEAN = "def new():\n    return object()\n"
BUSY = """
import os, re, json
PATTERNS = [re.compile(f"a+b{number}") for number in range(8)]
os.environ["FROM_A_PLUGIN"] = "1"
print("said while it was imported")
"""
RAISING = "raise ValueError('<script>alert(1)</script> ' + 'long' * 200)\n"


@pytest.fixture(scope="module")
def diagnosis(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the doctor says of a clean plugin, of a busy one, and of one that does not open."""
    pytest.importorskip("psutil")
    pytest.importorskip("rich")
    folder = tmp_path_factory.mktemp("doctor")
    raising = "raising_with_a_name_that_is_longer_than_a_telephone_is_wide"
    for name, text in (("clean", CLEAN), ("busy", BUSY), (raising, RAISING)):
        (folder / f"{name}.py").write_text(text)
    path = folder / "page.html"
    with pytest.MonkeyPatch.context() as patched:
        patched.syspath_prepend(str(folder))
        cli.main(["doctor", "clean", "busy", raising, "--runs", "1", "--html", str(path)])
    return path


def test_the_doctor_s_page(diagnosis: Path, chromium: Browser) -> None:
    assert complaints(chromium, diagnosis, *LOOKS) == {look: [] for look in LOOKS}


BAD = """<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>Bad</title>
<style>body { color: #bbb; background: #fff; }</style></head><body><main><h1>Bad</h1>
<div style="width: 1400px">wide</div><img src="missing.png">
<svg role="img" viewBox="0 0 300 60" width="300" height="60"><title>one</title>
<text x="280" y="30">sticks out</text><text x="10" y="30">over</text><text x="14" y="32">lap</text>
<text x="10" y="58" font-size="4">tiny</text></svg>
<svg role="img" viewBox="0 0 300 60" width="0" height="0"><title>none</title></svg>
<script>console.log("said"); missing()</script></main></body></html>
"""


@pytest.fixture(scope="module")
def bad(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bad") / "bad.html"
    path.write_text(BAD, "utf-8")
    return path


def test_what_is_wrong_with_a_page_is_seen(chromium: Browser, bad: Path) -> None:
    said = "\n".join(complaints(chromium, bad, LOOKS[1])[LOOKS[1]])
    for words in ("console: said", "error: missing is not defined", "asked for file://",
                  "wide in a window of 390", "empty: none", "outside: one: sticks out",
                  "overlapping: one: over / lap", "small: one: tiny", "axe: color-contrast",
                  "axe: image-alt", "not dark: brightness"):  # fmt: skip
        assert words in said


BAR = r'"gap" style="width:([\d.]+)%"></i><i class="\w+" style="width:([\d.]+)%'


def test_every_import_is_on_its_time_line(diagnosis: Path) -> None:
    """From the first's beginning to the last's end, though other clocks timed the whole."""
    lines = re.split("<details", diagnosis.read_text("utf-8"))[1:]
    assert lines
    for line in lines:
        bars = re.findall(BAR, line)
        assert min(float(start) for start, _ in bars) == 0
        assert all(float(width) > 0 for _, width in bars)
        assert max(float(start) + float(width) for start, width in bars) == pytest.approx(
            100, abs=1
        )


def test_the_pages_are_valid(written: dict[str, Path], diagnosis: Path, bad: Path) -> None:
    said = invalid(*written.values(), diagnosis, bad)
    assert any("img" in line and "alt" in line for line in said)
    assert [line for line in said if bad.name not in line] == []
