"""Line charts as inline SVG, without script or dependency; colours come from the page's CSS."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 440, 250
LEFT, RIGHT, TOP, BOTTOM = 46, 12, 10, 26

Values = Sequence[float | None]


@dataclass(frozen=True)
class Line:
    """``tone`` is a class of the page's CSS (t1, t2, ...), ``values`` has one entry for each x."""

    name: str
    tone: str
    values: Values
    dashed: bool = False


@dataclass(frozen=True)
class Axis:
    """The horizontal one: its first and last position, those of the values, and which positions
    are labelled how."""

    span: tuple[float, float]
    positions: Sequence[float]
    ticks: Sequence[tuple[float, str]]
    labels: Sequence[str]  # of each position, for the tooltip
    shaded: float | None = None  # up to here nothing is measured yet


def chart(title: str, axis: Axis, lines: Sequence[Line], unit: str, *, log: bool = False) -> str:
    """A figure with its legend. ``unit`` stands behind the values; ``log`` scales them by
    decades."""
    lines = [line for line in lines if any(v is not None for v in line.values)]
    known = [value for line in lines for value in line.values if value is not None]
    if not known:
        return ""
    scale = _Scale.logarithmic(known) if log else _Scale.linear(known)
    low, high = axis.span

    def x(position: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * (position - low) / ((high - low) or 1)

    parts = []
    if axis.shaded is not None and axis.shaded > low:
        width = x(min(axis.shaded, high)) - LEFT
        parts.append(
            f'<rect class="shade" x="{LEFT}" y="{TOP}" width="{width:.1f}" '
            f'height="{HEIGHT - TOP - BOTTOM}"><title>warm-up</title></rect>'
        )
    parts += [
        f'<g class="grid"><path d="M{LEFT},{scale.y(tick):.1f}H{WIDTH - RIGHT}"/>'
        f'<text x="{LEFT - 6}" y="{scale.y(tick) + 4:.1f}" text-anchor="end">{number(tick)}</text>'
        "</g>"
        for tick in scale.ticks
    ]
    parts += [
        f'<text class="tick" x="{x(position):.1f}" y="{HEIGHT - 8}" text-anchor="middle">'
        f"{escape(label)}</text>"
        for position, label in axis.ticks
    ]
    for line in lines:
        path = _path([x(p) for p in axis.positions], line.values, scale)
        dashed = ' stroke-dasharray="5 4"' if line.dashed else ""
        parts.append(f'<path class="line {line.tone}"{dashed} d="{path}"/>')
    parts += _tooltips([x(p) for p in axis.positions], axis.labels, lines, unit)
    legend = "".join(
        f'<span class="key {line.tone}{" dashed" if line.dashed else ""}">{escape(line.name)}'
        "</span>"
        for line in lines
    )
    return (
        f"<figure><figcaption><b>{escape(title)}</b> <span>{escape(unit)}</span></figcaption>"
        f'<div class="legend">{legend}</div><svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escape(title)}">{"".join(parts)}</svg></figure>'
    )


def number(value: float) -> str:
    """A number short enough for an axis."""
    if value >= 10_000:
        return f"{value / 1000:,.0f}k"
    return f"{value:,.4g}"


@dataclass(frozen=True)
class _Scale:
    low: float
    high: float
    ticks: Sequence[float]
    log: bool

    @classmethod
    def linear(cls, values: Sequence[float]) -> _Scale:
        top = max(values) or 1.0
        magnitude = 10.0 ** math.floor(math.log10(top / 4))
        step = next(m * magnitude for m in (1, 2, 2.5, 5, 10) if m * magnitude * 4 >= top)
        ticks = [step * index for index in range(math.ceil(top / step - 1e-9) + 1)]
        return cls(0.0, ticks[-1], ticks, log=False)

    @classmethod
    def logarithmic(cls, values: Sequence[float]) -> _Scale:
        positive = [value for value in values if value > 0] or [1.0]
        low, high = min(positive), max(positive)
        first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
        steps = (1, 2, 5) if last - first <= 2 else (1,)
        ticks = [m * 10.0**power for power in range(first, last + 1) for m in steps]
        begin = max((tick for tick in ticks if tick <= low), default=low)
        end = min((tick for tick in ticks if tick >= high), default=high)
        return cls(begin, end, [tick for tick in ticks if begin <= tick <= end], log=True)

    def y(self, value: float) -> float:
        low, high, value = self.low, self.high, max(value, self.low)
        if self.log:
            low, high, value = math.log10(low), math.log10(high), math.log10(value)
        share = (value - low) / ((high - low) or 1)
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * share


def _path(places: Sequence[float], values: Values, scale: _Scale) -> str:
    """Lines between neighbours that are known; gaps where nothing was measured."""
    path = []
    broken = True
    for place, value in zip(places, values, strict=False):
        if value is None:
            broken = True
            continue
        path.append(f"{'M' if broken else 'L'}{place:.1f},{scale.y(value):.1f}")
        broken = False
    return "".join(path)


def _tooltips(
    places: Sequence[float], labels: Sequence[str], lines: Sequence[Line], unit: str
) -> list[str]:
    """Invisible columns whose titles tell the values."""
    columns = []
    for index, (place, label) in enumerate(zip(places, labels, strict=True)):
        begin = (places[index - 1] + place) / 2 if index else place
        end = (place + places[index + 1]) / 2 if index + 1 < len(places) else place
        told = [
            f"{line.name}: {value:,.4g} {unit}"
            for line in lines
            if index < len(line.values) and (value := line.values[index]) is not None
        ]
        columns.append(
            f'<rect class="hit" x="{begin:.1f}" y="{TOP}" width="{max(end - begin, 1):.1f}" '
            f'height="{HEIGHT - TOP - BOTTOM}"><title>{escape(label)}\n'
            f"{escape(chr(10).join(told))}</title></rect>"
        )
    return columns
