"""How reports say numbers, with the three digits that a measurement is good for, and names."""

from __future__ import annotations

from math import floor, isfinite, log10

from .timing import Spread

__all__ = ["TIMES", "amount", "compact", "duration", "is_time", "one_line", "plainly", "printable",
           "quantity", "quartiles", "ratio", "ratios"]  # fmt: skip

TIMES = "\N{MULTIPLICATION SIGN}"
LEAST = 0.005  # nanoseconds: of less, the two digits that are shown are zeros
LEAST_RATIO = 0.0005  # of less, the three places that are shown are zeros
STEPS = ((1.0, "ns"), (1e3, "µs"), (1e6, "ms"), (1e9, "s"))


def three_digits(value: float) -> str:
    """Without an exponent, and without digits that nobody measured; at most three places."""
    if not isfinite(value):
        return "-"
    if abs(value) < LEAST_RATIO:
        return "0"
    rounded = round(value, 2 - floor(log10(abs(value))))
    places = 2 - floor(log10(abs(rounded)))  # 9.996 has become 10.0
    return f"{rounded:,.{min(max(places, 0), 3)}f}"


def duration(nanoseconds: float) -> str:
    """With the unit in which it is at least 1."""
    if not isfinite(nanoseconds):
        return "-"
    # What rounds to 1,000 of a unit is 1 of the next.
    fitting = [step for step in STEPS if nanoseconds >= 0.9995 * step[0]]
    size, unit = fitting[-1] if fitting else STEPS[0]
    value = nanoseconds / size
    text = f"{value:.2f}" if value >= LEAST else "0"
    return f"{text if value < 1 else three_digits(value)} {unit}"


def plainly(nanoseconds: float) -> str:
    """A time that nobody measured: of a tick, or of the guide."""
    number, _, unit = duration(nanoseconds).partition(" ")
    if not unit:
        return number
    return f"{float(number.replace(',', '')):g} {unit}"


def is_time(unit: str) -> bool:
    return unit.split(" ")[0] == "ns"


def quantity(value: float, unit: str) -> str:
    """A time with its own unit; anything else with the one that it is given."""
    if is_time(unit):
        return duration(value)
    return f"{amount(value)} {unit}".rstrip() if isfinite(value) else "-"


def amount(value: float) -> str:
    """Whole numbers are exact."""
    return f"{value:,.0f}" if isfinite(value) and value == round(value) else three_digits(value)


def quartiles(spread: Spread, unit: str = "ns") -> str:
    """Nothing where there is no spread: of a size, or what was measured once."""
    if not isfinite(spread.low) or not isfinite(spread.high) or spread.low == spread.high:
        return "-"
    low, high = quantity(spread.low, unit), quantity(spread.high, unit)
    first, _, own = low.partition(" ")
    # The unit once, if both have the same.
    return f"{first} to {high}" if high.endswith(f" {own}") else f"{low} to {high}"


def ratio(value: float) -> str:
    return three_digits(value) if not 0.0995 <= value < 9.995 else f"{value:.2f}"


def ratios(spread: Spread | None) -> tuple[str, str]:
    """The median and the quartiles."""
    if spread is None or not isfinite(spread.median):
        return "-", "-"
    return ratio(spread.median), f"{ratio(spread.low)} to {ratio(spread.high)}"


def compact(value: float) -> str:
    """For the ticks of an axis."""
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if value >= size and value % (size / 10) == 0:
            return f"{value / size:g}{letter}"
    return f"{value:g}"


def printable(text: str) -> str:
    """Names and messages are a plugin's: what would direct a terminal is escaped."""
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)


def one_line(text: str) -> str:
    """As `printable`, for a page: the ends of lines are spaces, as all white space is there."""
    return printable(" ".join(text.split()))
