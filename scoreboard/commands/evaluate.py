"""``scoreboard evaluate``: measure a model on a labelled stream."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Column, Table

from scoreboard.commands.action_file import read_actions
from scoreboard.commands.progress import stage_bars
from scoreboard.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scoreboard.anomaly.evaluation import Curve, Evaluation, Labelled
    from scoreboard.anomaly.replay import Played


def evaluate_command(
    model: Annotated[
        Path, typer.Option(help="A model that `train --save` wrote.", exists=True, dir_okay=False)
    ],
    csv: Annotated[
        Path,
        typer.Option(
            help="Actions, oldest first: the columns of `train`, label (1: cheat) and kind.",
            metavar="CSV[.gz]",
            exists=True,
            dir_okay=False,
        ),
    ],
    json: Annotated[
        Path | None, typer.Option(help="Write the figures to this file too.", metavar="FILE")
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(help="Draw the ROC and precision curves (PNG, SVG, PDF).", metavar="FILE"),
    ] = None,
) -> None:
    """Play a labelled CSV file through the anomaly gate and measure how well it decides."""
    if plot is not None:
        _require_matplotlib()
    rows, played, evaluation = evaluate_csv(model, csv, console=Console(stderr=True))
    show(evaluation, Console())
    if json is not None:
        json.write_bytes(msgspec.json.format(msgspec.json.encode(evaluation)) + b"\n")
    if plot is not None:
        draw(rows, played, plot)


def evaluate_csv(
    model: Path, csv: Path, *, console: Console
) -> tuple[Sequence[Labelled], Played, Evaluation]:
    """The rows, the gate's answers and the figures. Raises UnusableModel for bytes that are not a
    model, InvalidRequest for a file that can't be read as score actions."""
    from scoreboard.anomaly.evaluation import Labelled, measure
    from scoreboard.anomaly.gate import Gate
    from scoreboard.anomaly.model import Model
    from scoreboard.anomaly.replay import play
    from scoreboard.anomaly.rules import GateRules

    gate = Gate(Model.from_bytes(model.read_bytes()), GateRules(max_age_ms=None))
    rows = [Labelled(row.case, row.label, row.kind) for row in read_actions(csv)]
    with stage_bars(console) as progress:
        played = play(gate, [row.case for row in rows], progress)
    return rows, played, measure(rows, played)


def show(evaluation: Evaluation, console: Console) -> None:
    """The figures as two tables."""
    kind_column = Column("kind", no_wrap=True)
    kinds = Table(kind_column, "recall", "by", "actions", "refused", "episodes", "caught")
    for name, kind in evaluation.kinds.items():
        kinds.add_row(
            name,
            f"{kind.recall:.3f}",
            kind.counted_by,
            str(kind.actions),
            f"{kind.recall_actions:.3f}",
            str(kind.episodes),
            f"{kind.recall_episodes:.3f}",
        )
    agents = Table("agent", "AUROC", "average precision", "honest actions refused")
    for name, curve in [*evaluation.agents.items(), ("all together", evaluation.overall)]:
        agents.add_row(name, *_cells(curve), f"{curve.false_refusals:.3%}")
    console.print(kinds, agents)
    console.print(
        f"Honest actions refused: {evaluation.false_refusals:.3%} of {evaluation.honest:,}; "
        f"among new users' first ten: {evaluation.new_users_refused:.3%}"
    )
    console.print(f"CPU time: {evaluation.microseconds:.1f} microseconds an action")


def draw(rows: Sequence[Labelled], played: Played, target: Path) -> None:
    """ROC and precision-recall curves of each agent and of all together."""
    from matplotlib.figure import Figure

    from scoreboard.anomaly.evaluation import curves

    drawn = curves(rows, played)
    if not drawn:
        raise ConfigurationError("Curves need actions of both labels, 0 and 1.")
    figure = Figure(figsize=(11, 5), layout="constrained")
    roc, precision = figure.subplots(1, 2)
    for name, (alarms, recall, precise) in drawn.items():
        roc.plot(alarms, recall, label=name)
        precision.plot(recall, precise, label=name)
    roc.set(xlabel="honest actions refused", ylabel="cheating actions refused", title="ROC")
    roc.set_xscale("symlog", linthresh=1e-4)
    roc.set_xlim(0, 1)
    precision.set(xlabel="cheating actions refused", ylabel="precision", title="Precision")
    roc.legend()
    figure.savefig(target)


def _cells(curve: Curve) -> tuple[str, str]:
    if curve.auroc is None or curve.average_precision is None:
        return "-", "-"
    return f"{curve.auroc:.3f}", f"{curve.average_precision:.3f}"


def _require_matplotlib() -> None:
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise ConfigurationError(
            "--plot needs matplotlib: pip install 'scoreboard[plot]'."
        ) from error
