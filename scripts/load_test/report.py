"""The report: one HTML file that needs nothing else, light or dark."""

from __future__ import annotations

import io

from rich.console import Console
from rich.terminal_theme import TerminalTheme

from scripts.load_test.charts import charts
from scripts.load_test.results import Results
from scripts.load_test.summary import settings, summary

WIDTH = 120  # characters

# Tones in the middle, which can be read on black and on white.
BLACK, RED, GREEN, YELLOW, BLUE, PURPLE, CYAN, GREY = (
    (96, 96, 96), (208, 64, 64), (32, 144, 80), (160, 120, 16), (64, 112, 224), (144, 80, 176),
    (16, 136, 152), (128, 128, 128),
)  # fmt: skip
TONES = [BLACK, RED, GREEN, YELLOW, BLUE, PURPLE, CYAN, GREY]
THEME = TerminalTheme((255, 255, 255), (0, 0, 0), TONES)

# rich puts the tables in; a brace of CSS is doubled.
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Load test TITLE</title>
<style>
{stylesheet}
:root {{ color-scheme: light dark; }}
body {{ margin: 0 auto; padding: 16px; max-width: 1400px; }}
pre {{ overflow-x: auto; font-size: 14px; line-height: 1.4; }}
figure {{ margin: 0; display: grid; gap: 16px;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 420px), 1fr)); }}
svg {{ width: 100%; height: auto; }}
</style></head><body>
<pre>{code}</pre>
<figure>
CHARTS
</figure>
</body></html>
"""


def page(results: Results, earlier: Results | None = None) -> str:
    """The whole page; with ``earlier`` it also says what has changed since."""
    console = Console(record=True, file=io.StringIO(), width=WIDTH, force_terminal=True)
    verdict = "[green]Audit passed[/]" if results.passed else "[red]Audit failed[/]"
    console.print(f"[bold]Load test of {results.finished}: {verdict}\n", highlight=False)
    console.print(summary(results, earlier), "", settings(results), sep="\n")
    html = console.export_html(theme=THEME, code_format=PAGE)
    return html.replace("TITLE", results.finished, 1).replace(
        "CHARTS", "\n".join(charts(results, earlier)), 1
    )
