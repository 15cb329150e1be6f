"""The comparison in one picture."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from scripts.bench.peers.rows import Row
from scripts.load.pictures import STYLE, svg

SIZE = (9.6, 4.2)  # inches


def picture(rows: Sequence[Row]) -> str:
    """SVG: a bar for each contender, of what a user would ask first."""
    panels: dict[str, list[float | None]] = {
        "Posts a second": [row.post_rate for row in rows],
        "CPU of a post, all processes, \u00b5s": [row.post_cpu_us for row in rows],
        "Reads of 11 rows around a player, a second": [row.around_rate for row in rows],
        f"Lost or doubled of {rows[0].faults.actions:,} under kill -9": [
            row.faults.lost + row.faults.doubled for row in rows
        ],
    }
    with mpl.rc_context(STYLE):
        figure = Figure(SIZE, layout="constrained")
        for number, (title, values) in enumerate(panels.items()):
            axes = figure.add_subplot(2, 2, number + 1)
            _bars(axes, title, [row.name for row in rows], values)
            axes.tick_params(labelleft=number % 2 == 0)
        return svg(figure)


def _bars(axes: Axes, title: str, names: Sequence[str], values: Sequence[float | None]) -> None:
    axes.set_title(title, loc="left", fontsize=10)
    ours = ["C0" if name.startswith("Scoreboard") else "C7" for name in names]
    bars = axes.barh(range(len(names)), [value or 0 for value in values], color=ours)
    axes.bar_label(
        bars, ["as above" if value is None else f"{value:,.0f}" for value in values], padding=3
    )
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.margins(x=0.2)
    axes.grid(visible=False)
    axes.xaxis.set_visible(False)
    axes.spines["bottom"].set_visible(False)
