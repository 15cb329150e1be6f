"""What the charts of all scripts share: SVG that stands in a page, readable on light and dark."""

from __future__ import annotations

import io
from typing import Any

from matplotlib.figure import Figure

# Nothing but the data has a colour of its own.
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.3,
    "legend.frameon": False,
    **dict.fromkeys(
        ("text.color", "axes.edgecolor", "axes.labelcolor", "axes.titlecolor", "xtick.color",
         "ytick.color", "grid.color"), "#808080",
    ),
}  # fmt: skip


def svg(figure: Figure) -> str:
    """The element ``<svg>``, transparent and without what changes from run to run."""
    drawn = io.StringIO()
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    figure.savefig(drawn, format="svg", transparent=True, metadata=nothing)
    text = drawn.getvalue()
    return text[text.index("<svg") :]
