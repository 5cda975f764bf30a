"""The pages of bench and doctor in a real browser, at two widths, in the light and the dark."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.measuring.browser import LOOKS, Look, chromium, invalid, look
from tests.measuring.reports import full, hostile

from jumptable.measuring import page

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytest.importorskip("matplotlib")
pytestmark = pytest.mark.thread_unsafe(reason="one browser")

__all__ = ["chromium"]

REPORTS = {"full": full, "hostile": hostile}


@pytest.fixture(scope="module", params=sorted(REPORTS))
def written(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / f"{request.param}.html"
    path.write_text(page.render(REPORTS[request.param]()), "utf-8")
    return path


@pytest.mark.parametrize("seen_at", LOOKS)
def test_the_bench_s_page(written: Path, chromium: Browser, seen_at: Look) -> None:
    seen = look(chromium, written, seen_at)
    assert seen.complaints == []
    assert seen.svgs > 5


def test_the_bench_s_page_is_valid(written: Path) -> None:
    assert invalid(written) == []
