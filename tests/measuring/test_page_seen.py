"""The pages of bench and doctor in a real browser, at two widths, in the light and the dark."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.measuring.browser import LOOKS, Look, chromium, invalid, look
from tests.measuring.reports import full, hostile

from jumptable import cli
from jumptable.measuring import page

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytest.importorskip("matplotlib")
pytestmark = pytest.mark.thread_unsafe(reason="one browser")

__all__ = ["chromium"]

REPORTS = {"full": full, "hostile": hostile}
SEEN = [("full", look) for look in LOOKS]
# The same at one width in the light as in the dark, but for the colours.
SEEN += [("hostile", LOOKS[0]), ("hostile", LOOKS[-1])]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("page")
    for name, report in REPORTS.items():
        (folder / f"{name}.html").write_text(page.render(report()), "utf-8")
    return {name: folder / f"{name}.html" for name in REPORTS}


@pytest.mark.parametrize(("name", "seen_at"), SEEN)
def test_the_bench_s_page(
    written: dict[str, Path], chromium: Browser, name: str, seen_at: Look
) -> None:
    seen = look(chromium, written[name], seen_at)
    assert seen.complaints == []
    assert seen.svgs > 5


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


@pytest.mark.parametrize("seen_at", LOOKS)
def test_the_doctor_s_page(diagnosis: Path, chromium: Browser, seen_at: Look) -> None:
    assert look(chromium, diagnosis, seen_at).complaints == []


def test_the_pages_are_valid(written: dict[str, Path], diagnosis: Path) -> None:
    assert invalid(*written.values(), diagnosis) == []


BAD = """<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>Bad</title>
<style>body { color: #bbb; background: #fff; }</style></head><body><main><h1>Bad</h1>
<div style="width: 1400px">wide</div><img src="missing.png">
<svg role="img" viewBox="0 0 300 60" width="300" height="60"><title>one</title>
<text x="280" y="30">sticks out</text><text x="10" y="30">over</text><text x="14" y="32">lap</text>
<text x="10" y="58" font-size="4">tiny</text></svg>
<svg role="img" viewBox="0 0 300 60" width="0" height="0"><title>none</title></svg>
<script>console.log("said"); missing()</script></main></body></html>
"""


def test_what_is_wrong_with_a_page_is_seen(chromium: Browser, tmp_path: Path) -> None:
    path = tmp_path / "bad.html"
    path.write_text(BAD, "utf-8")
    said = "\n".join(look(chromium, path, LOOKS[1]).complaints)
    for words in ("console: said", "error: missing is not defined", "asked for file://",
                  "wide in a window of 390", "empty: none", "outside: one: sticks out",
                  "overlapping: one: over / lap", "small: one: tiny", "axe: color-contrast",
                  "axe: image-alt", "not dark: brightness"):  # fmt: skip
        assert words in said
    assert any("img" in line and "alt" in line for line in invalid(path))
