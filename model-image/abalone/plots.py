"""Plots as SVG text: small, without a script, readable on paper and in the dark theme."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import NDArray

WIDTH, HEIGHT = 460, 340
LEFT, RIGHT, TOP, BOTTOM = 52, 12, 12, 44
# More points only darken the plot and enlarge the page: of larger samples, points at equal steps are shown.
MOST_POINTS = 1500
WANTED_TICKS = 6


@dataclass(frozen=True)
class Axis:
    """What an axis shows, with its ends."""

    label: str
    lowest: float
    highest: float

    def share(self, value: float) -> float:
        """The place of a value between the ends: 0 at the lowest, 1 at the highest."""
        return (value - self.lowest) / (self.highest - self.lowest)

    def ticks(self) -> list[float]:
        """Round values between the ends, about six of them."""
        span = self.highest - self.lowest
        power = 10 ** math.floor(math.log10(span / WANTED_TICKS))
        step = next(step for step in (power, 2 * power, 5 * power, 10 * power) if span / step <= WANTED_TICKS)
        first = math.ceil(self.lowest / step - 1e-9)
        last = math.floor(self.highest / step + 1e-9)
        return [round(number * step, 9) for number in range(first, last + 1)]


@dataclass(frozen=True)
class Bar:
    """A share with the ends of its interval."""

    name: str
    share: float
    low: float
    high: float


def axis(label: str, values: NDArray[np.floating], room: float = 0.0) -> Axis:
    """An axis that holds all the values, with some room on both sides."""
    lowest, highest = float(values.min()) - room, float(values.max()) + room
    return Axis(label, lowest, highest if highest > lowest else lowest + 1)


def _number(value: float) -> str:
    return f"{value:.1f}".rstrip("0").rstrip(".")


def _figure(title: str, description: str, content: Sequence[str], height: int = HEIGHT) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img"><title>{escape(title)}</title>'
        f"<desc>{escape(description)}</desc>{''.join(content)}</svg>"
    )


def _text(x: float, y: float, text: str, anchor: str = "middle", more: str = "") -> str:
    return f'<text x="{_number(x)}" y="{_number(y)}" text-anchor="{anchor}"{more}>{escape(text)}</text>'


def _line(points: Sequence[tuple[float, float]], name: str) -> str:
    return f'<path class="{name}" d="M{" L".join(f"{_number(x)} {_number(y)}" for x, y in points)}"/>'


def _place(horizontal: Axis, vertical: Axis, x: float, y: float) -> tuple[float, float]:
    return (
        LEFT + horizontal.share(x) * (WIDTH - LEFT - RIGHT),
        HEIGHT - BOTTOM - vertical.share(y) * (HEIGHT - TOP - BOTTOM),
    )


def _frame(horizontal: Axis, vertical: Axis) -> list[str]:
    parts = []
    for value in horizontal.ticks():
        x, _ = _place(horizontal, vertical, value, vertical.lowest)
        parts += [_line([(x, TOP), (x, HEIGHT - BOTTOM)], "grid"), _text(x, HEIGHT - BOTTOM + 16, f"{value:g}")]
    for value in vertical.ticks():
        _, y = _place(horizontal, vertical, horizontal.lowest, value)
        parts += [_line([(LEFT, y), (WIDTH - RIGHT, y)], "grid"), _text(LEFT - 6, y + 4, f"{value:g}", "end")]
    middle = (TOP + HEIGHT - BOTTOM) / 2
    parts.append(_text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, horizontal.label))
    parts.append(_text(14, middle, vertical.label, more=f' transform="rotate(-90 14 {_number(middle)})"'))
    return parts


def scatter(
    title: str,
    description: str,
    horizontal: Axis,
    vertical: Axis,
    points: tuple[NDArray[np.floating], NDArray[np.floating]],
    line: Sequence[tuple[float, float]],
) -> str:
    """Points with a line of reference. Of more than 1,500 points, 1,500 at equal steps are shown."""
    x, y = points
    step = max(1, math.ceil(len(x) / MOST_POINTS))
    places = [_place(horizontal, vertical, float(a), float(b)) for a, b in zip(x[::step], y[::step], strict=True)]
    dots = "".join(f"M{_number(a)} {_number(b)}h0" for a, b in places)
    reference = _line([_place(horizontal, vertical, a, b) for a, b in line], "reference")
    return _figure(title, description, [*_frame(horizontal, vertical), f'<path class="dots" d="{dots}"/>', reference])


def shares(title: str, description: str, bars: Sequence[Bar], promised: float) -> str:
    """Shares with their intervals, one below the other, and a line at the promised share."""
    left, height = 205, TOP + 26 * len(bars) + BOTTOM
    lowest = min(0.8, math.floor(10 * min(bar.low for bar in bars)) / 10)
    scale = Axis("share inside the interval", lowest, 1.0)

    def place(share: float) -> float:
        return left + scale.share(share) * (WIDTH - left - 2 * RIGHT)

    parts = []
    for value in scale.ticks():
        x = place(value)
        parts += [_line([(x, TOP), (x, height - BOTTOM)], "grid"), _text(x, height - BOTTOM + 16, f"{100 * value:g} %")]
    parts.append(_text((left + WIDTH - 2 * RIGHT) / 2, height - 8, scale.label, more=' class="small"'))
    for index, bar in enumerate(bars):
        y = TOP + 26 * index + 13
        parts += [
            _text(left - 8, y + 4, bar.name, "end", ' class="small"'),
            _line([(place(bar.low), y), (place(bar.high), y)], "whisker"),
            f'<circle class="share" cx="{_number(place(bar.share))}" cy="{_number(y)}" r="4"/>',
        ]
    parts.append(_line([(place(promised), TOP), (place(promised), height - BOTTOM)], "reference"))
    return _figure(title, description, parts, height)
