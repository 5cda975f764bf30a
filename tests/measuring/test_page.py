"""The bench's page, as text: what is in it, what cannot get into it, and what is drawn."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from math import inf, nan
from pathlib import Path
from xml.etree import ElementTree

import pytest
from tests.measuring.reports import HOSTILE, full, hostile, row, spread

from jumptable.measuring import page, wording
from jumptable.measuring.page import style
from jumptable.measuring.results import Curve, Guide, Report
from jumptable.measuring.timing import Spread
from jumptable.measuring.wording import TIMES

pytest.importorskip("matplotlib")

VOID = {"meta", "line", "circle", "rect", "path"}
SVG = re.compile(r'<svg [^>]*class="figure.*?</svg>', re.DOTALL)


class Page(HTMLParser):
    """Checks that tags are balanced, and collects what a test asks about."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.cells: list[list[str]] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag == "tr":
            self.cells.append([])
        if tag in ("td", "th"):
            self.cells[-1].append("")
        if tag not in VOID or tag in ("path", "rect"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text += data
            if {"td", "th"} & set(self.open):
                self.cells[-1][-1] += data

    def named(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.tags if name == tag]


def svgs(text: str) -> list[ElementTree.Element]:
    return [ElementTree.fromstring(found) for found in SVG.findall(text)]


def words(svg: ElementTree.Element) -> list[str]:
    return [element.text or "" for element in svg.iter() if element.tag.endswith("}text")]


def description(svg: ElementTree.Element) -> str:
    (found,) = [element.text or "" for element in svg if element.tag.endswith("}desc")]
    return found


def report(*rows: object, curves: Sequence[Curve] = ()) -> Report:
    return Report({}, rows, curves)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def text() -> str:
    return page.render(full())


def test_one_whole_page_with_nothing_from_elsewhere(text: str) -> None:
    found = Page(text)
    tags = {tag for tag, _ in found.tags}
    assert not tags & {"script", "link", "img", "iframe", "object", "embed", "base", "form"}
    attributes = {name: value for _, given in found.tags for name, value in given.items()}
    assert not {"src", "srcset", "xlink:href", "background"} & set(attributes)
    assert not [name for name in attributes if name.startswith("on")]
    links = [given["href"] for _, given in found.tags if "href" in given]
    assert links and all(link.startswith("#") for link in links)
    assert "@import" not in text and "@font-face" not in text
    assert set(re.findall(r"url\((.)", text)) <= {"#"}
    # What begins with a scheme is the name of SVG, and what a row says of itself.
    assert set(re.findall(r"https?://[^\s\"<]*", text)) == {
        "http://www.w3.org/2000/svg",
        "https://go.dev/dl",
    }
    assert len(text.encode()) < 1_500_000


def test_what_a_page_must_have(text: str) -> None:
    found = Page(text)
    assert found.named("html") == [{"lang": "en"}]
    for tag in ("h1", "main", "header", "footer"):
        assert len(found.named(tag)) == 1, tag
    headings = [int(tag[1]) for tag, _ in found.tags if re.fullmatch("h[1-6]", tag)]
    assert headings[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(headings))
    assert "prefers-color-scheme: dark" in text and "width=device-width" in text
    assert "@media print" in text


def test_ids_are_unique_and_what_is_referred_to_is_there(text: str) -> None:
    ids = re.findall(r'\sid="([^"]*)"', text)
    assert len(ids) == len(set(ids)) > 20
    references = re.findall(r'href="#([^"]*)"', text) + re.findall(r"url\(#([^)]*)\)", text)
    for group in re.findall(r'aria-labelledby="([^"]*)"', text):
        references += group.split()
    assert references and set(references) <= set(ids)


def test_the_summary_is_one_sentence(text: str) -> None:
    (lead,) = re.findall('<p class="lead">(.*?)</p>', text)
    assert lead == (
        "10 ways to make a small call, measured on Some Processor with CPython 3: from 0 ns (less "
        "than the clock can tell) to 1.90 ms (subprocess round trip); 3 more could not be measured "
        "here."
    )


def test_all_numbers_are_in_a_table(text: str) -> None:
    found = Page(text)
    cells = {line[0]: line[1:] for line in found.cells if len(line) > 1}
    assert cells["direct Python call"] == [
        "40.0 ns", "37.2 ns", "38.4 to 43.2 ns", "1.00", "0.98 to 1.02",
        "1 ns Direct function call",
    ]  # fmt: skip
    assert cells["look-up in the hot path"][-1] == "100 ns to 1 µs Lookup"
    assert cells["open in the hot path"][-1] == "1 to 10 ms Open"
    assert cells["interface call"][-1] == "5 to 10 ns Interface call"
    assert cells["cffi, ABI mode"] == ["missing: cffi is not installed: pip install cffi", ""]
    assert cells["interrupted before its turn"] == ["not measured", ""]
    assert cells["less than the clock can tell"][0] == "0 ns"
    assert "native plugin through a facadefacade.apply(x)" in cells
    unstable = [name for name in cells if "unstable" in name]
    assert len(unstable) == 1 and unstable[0].startswith("counter add, unpadded")
    # Of the curves and the experiments as well.
    assert cells["1,000"] == [
        "492 µs 467 to 516 µs", "50.1 µs 47.6 to 52.6 µs", "56.2 µs 53.4 to 59.0 µs",
    ]  # fmt: skip
    assert cells["size"] == ["16,504 bytes", "-"]
    captions = len(found.named("caption"))
    assert captions == len(found.named("table")) == 1 + 3 + 2
    assert all(cell["scope"] in ("col", "row", "rowgroup") for cell in found.named("th"))


def test_every_figure_is_an_image_that_says_what_it_shows(text: str) -> None:
    drawn = svgs(text)
    # Groups with something to draw, twice; curves with something to draw.
    assert len(drawn) == 2 * 6 + 3
    for svg in drawn:
        assert svg.get("role") == "img"
        assert svg.get("aria-labelledby") == " ".join(
            child.get("id") or "" for child in svg if child.tag.endswith(("title", "desc"))
        )
        assert not [element for element in svg.iter() if element.tag.endswith("}style")]
        styles = " ".join(element.get("style") or "" for element in svg.iter())
        assert "font-family" not in styles and not re.search("#[0-9a-f]{6}", styles)
        assert "var(--" in styles
    wide, narrow = drawn[2], drawn[3]
    assert (wide.get("class"), narrow.get("class")) == ("figure wide", "figure narrow")
    assert "native plugin through a facade" in words(wide)
    assert "28.8 ns" in words(wide) and f"0.72{TIMES}" in words(wide)
    assert f"28.8 ns · 0.72{TIMES}" in words(narrow)
    assert "native plugin through a facade 28.8 ns; interface call 30.2 ns" in description(wide)
    hooks = next(svg for svg in drawn if "pluggy, stock" in description(svg))
    assert (
        "pluggy, stock: 2.19 µs at 1, 492 µs at 1,000, 225 times; pluggy, compiled: 108 ns at 1"
        in description(hooks)
    )
    assert "pluggy, stock" in words(hooks) and "1k" in words(hooks)


def test_unstable_rows_are_marked_in_the_table_and_counted_once(text: str) -> None:
    assert not any("unstable" in word for svg in svgs(text) for word in words(svg))
    said = "counter add, unpadded, two threads 9.40 ns, unstable"
    assert sum(said in description(svg) for svg in svgs(text)) == 2
    assert "A hollow dot, for 1 of 10 rows, is unstable" in text
    assert text.count('<span class="remark">unstable</span>') == 1
    calm = page.render(report(row("a call", ns=5.0)))
    assert "unstable" not in calm.lower()


def test_nothing_is_claimed_that_a_row_of_the_ladder_refutes(text: str) -> None:
    assert "a hint and not a law" in " ".join(text.split()) and "All but the guide's" in text


def test_an_axis_says_what_it_shows() -> None:
    points = {"a": [(1, spread(10.0)), (10, spread(20.0)), (100, Spread(nan, nan, nan))]}
    curves = [Curve(unit, "", "n", unit, points) for unit in ("ns per call", "bytes")]
    times, sizes = svgs(page.render(report(curves=curves)))
    assert "time per call" in words(times) and "bytes" in words(sizes)
    assert "a: 10 bytes at 1, 20 bytes at 10, 2 times." in description(sizes)


def test_no_tick_is_at_less_than_a_clock_can_tell() -> None:
    for svg in svgs(page.render(report(row("a", ns=1e-9), row("b", ns=2e5)))):
        assert words(svg).count("0 ns") <= 1 and "0.01 ns" in words(svg)  # one is the row's
        assert "1 ns" in words(svg) and "1 µs" in words(svg)


def test_numbers_of_which_no_digit_is_shown_are_zero() -> None:
    said = wording.three_digits(0.0004), wording.duration(0.004), wording.plainly(0.001)
    assert said == ("0", "0 ns", "0 ns")
    assert wording.three_digits(0.0006) == "0.001" and wording.duration(0.005) == "0.01 ns"
    assert wording.plainly(inf) == wording.amount(inf) == wording.amount(nan) == "-"


def test_the_ends_of_lines_are_spaces() -> None:
    reason = "the compiler said:\n  error:\r\n\tno"
    text = page.render(report(row("a\nb", ns=5.0), row("c", missing=reason)))
    assert "the compiler said: error: no" in text and "\\n" not in text
    assert any("a b" in words(svg) for svg in svgs(text))


def test_names_from_right_to_left_do_not_turn_what_follows_them() -> None:
    (rule,) = re.findall(r"([^}\n]*){ unicode-bidi: isolate; }", style.STYLE)
    assert {"strong", "th", "li", "dd"} <= {name.strip() for name in rule.split(",")}


def luminance(colour: str) -> float:
    shares = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4
              for share in shares]  # fmt: skip
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", [style.LIGHT, style.DARK])
def test_what_is_drawn_stands_out(scheme: str) -> None:
    """Text by 4.5 to 1, series' names too, and marks by 3 to 1, which is what WCAG asks for."""
    colours = dict(re.findall(r"--([\w-]+): (#\w{6})", scheme))
    least = {"ink": 4.5, "soft": 4.5, "warn": 4.5, "mark": 3.0, "guide": 3.0}
    least |= {name: 4.5 for name in colours if name.startswith("series")}
    for ground in ("ground", "panel"):
        for name, wanted in least.items():
            pair = sorted((luminance(colours[name]), luminance(colours[ground])))
            assert (pair[1] + 0.05) / (pair[0] + 0.05) >= wanted, (name, ground)


def test_what_matplotlib_draws_unasked_is_seen_in_the_dark() -> None:
    from jumptable.measuring.page.drawing import Paper, as_it_comes

    with as_it_comes():
        paper = Paper(100, 100)
        paper.axes(0, 0, 100, 100).plot([0, 1], [0, 1], color="#123456")
        assert "stroke: currentColor" in paper.svg("a", "a", "a")


def test_threads_that_render_at_once_leave_settings_as_they_were(text: str) -> None:
    import matplotlib

    before = dict(matplotlib.rcParams)
    with ThreadPoolExecutor(3) as pool:
        assert set(pool.map(lambda _: page.render(full()), range(3))) == {text}
    assert dict(matplotlib.rcParams) == before


def test_matplotlib_is_not_heard(tmp_path: Path) -> None:
    """A folder that it cannot write to, and settings that it does not understand."""
    (tmp_path / "a file").touch()
    (tmp_path / "matplotlibrc").write_text("no.such.key: 3\nlines.linewidth: wide\n")
    program = "import logging; from jumptable.measuring import page; page.drawer(); "
    program += "assert not logging.getLogger('matplotlib').level"
    for folder in (tmp_path, tmp_path / "a file"):
        done = subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "MPLCONFIGDIR": str(folder)},
        )
        assert done.stderr == "" and done.stdout == ""


def test_missing_rows_and_notes_are_listed(text: str) -> None:
    assert "<strong>cffi, ABI mode</strong> is not here: cffi is not installed" in text
    assert "<strong>This curve</strong> is not here: needs a package" in text
    assert "<strong>This experiment</strong> is not here: there is no C compiler" in text
    assert "<li>1 row is unstable: something else ran on this machine</li>" in text
    assert not any("cffi" in word for svg in svgs(text) for word in words(svg))


def test_a_curve_of_which_a_part_is_missing_is_drawn_and_says_so() -> None:
    half = Curve("c", "", "n", "ns", {"a": [(1, spread(1.0))]}, "b: <needs> a package")
    text = page.render(report(curves=[half]))
    assert len(svgs(text)) == 1
    assert "Not all of it is here: b: &lt;needs&gt; a package" in text


def test_the_same_report_is_the_same_page(text: str) -> None:
    assert page.render(full()) == text
    program = "from tests.measuring.reports import full; from jumptable.measuring import page; "
    program += "import sys; sys.stdout.buffer.write(page.render(full()).encode())"
    command = [sys.executable, "-c", program]
    assert subprocess.run(command, capture_output=True, check=True).stdout.decode() == text


def test_matplotlib_s_settings_are_left_alone_and_do_not_matter(text: str) -> None:
    import matplotlib

    with matplotlib.rc_context({"svg.fonttype": "path", "text.usetex": True, "font.size": 40}):
        assert page.render(full()) == text
        assert matplotlib.rcParams["font.size"] == 40


def test_what_others_say_stays_text() -> None:
    text = page.render(hostile())
    found = Page(text)
    assert not found.named("script")
    assert len(found.named("title")) == 1 + len(SVG.findall(text))
    assert all(svg.tag.endswith("}svg") for svg in svgs(text))
    assert "\x1b" not in text and "\x00" not in text and "\u202e" not in text
    text.encode("utf-8")
    assert HOSTILE.split(" ")[0] in found.text
    assert "$x^2$" in found.text
    assert len(text) < 1_500_000


def test_an_empty_report() -> None:
    found = Page(page.render(report()))
    assert "Nothing was measured." in found.text
    assert not found.named("table") and not svgs(page.render(report()))


def test_a_report_of_one_row() -> None:
    text = page.render(report(row("a call", ns=5.0)))
    assert "One way to make a small call, measured: 5.00 ns (a call)." in text
    assert len(svgs(text)) == 2


def test_a_report_of_missing_rows_only() -> None:
    text = page.render(report(row("a call", missing="no such thing")))
    assert "Nothing was measured; 1 more could not be measured here." in text
    assert not svgs(text) and "missing: no such thing" in text


@pytest.mark.parametrize("value", [0.0, nan, inf, 1e-9, 1e-3, 0.3, 999.6, 1e12])
def test_a_value_that_has_no_place_on_the_axis(value: float) -> None:
    one = row("odd", ns=value)
    curve = Curve("c", "", "n", "ns", {"odd": [(0, spread(1.0)), (1, Spread(value, 0.0, inf))]})
    text = page.render(report(one, row("usual", ns=5.0), curves=[curve]))
    for svg in svgs(text):
        for element in svg.iter():
            for attribute in element.attrib.values():
                assert not re.search(r"\b(nan|inf)\b", attribute), attribute
    assert "1,000 ns" not in text


def test_a_guide_of_nothing_draws_nothing() -> None:
    for low, high in ((0.0, 0.0), (1.0, inf), (nan, nan)):
        ours = row("a call", ns=5.0, guide=Guide("odd", low, high))
        assert len(svgs(page.render(report(ours, replace(ours, name="b"))))) == 2


def test_without_matplotlib_it_says_what_to_install() -> None:
    program = """if True:
        import sys
        sys.modules["matplotlib"] = None
        from jumptable.measuring import page
        for call in (page.drawer, lambda: page.render(None)):
            try:
                call()
            except page.MatplotlibMissingError as error:
                print(error)
    """
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stderr == ""
    assert (
        done.stdout.splitlines() == ['--html needs matplotlib: pip install "jumptable[bench]"'] * 2
    )
