"""``scoreboard evaluate``: measure a model on a labelled stream."""

from __future__ import annotations

import asyncio
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer
from rich.table import Column, Table

from scoreboard.assembly.operator import load_settings, operator
from scoreboard.commands.action_file import read_actions
from scoreboard.commands.options import DataDirOption, announced_events, date, writable
from scoreboard.commands.progress import stage_bars
from scoreboard.commands.terminal import console, printable
from scoreboard.domain.announced import usual
from scoreboard.domain.judging import Case
from scoreboard.errors import ConfigurationError, installing
from scoreboard.pg.board_settings import StoredSettings
from scoreboard.pg.cases import LedgerCases
from scoreboard.pg.models import Models
from scoreboard.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from scoreboard.anomaly.evaluation import Curve, Evaluation, Labelled
    from scoreboard.anomaly.replay import Played
    from scoreboard.domain.announced import AnnouncedEvent


def evaluate_command(
    model: Annotated[
        Path | None,
        typer.Option(
            help="A model that `train --save` wrote. Default with --board: the one in force.",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    csv: Annotated[
        Path | None,
        typer.Option(
            help="Actions, oldest first: the columns of `train`, label (1: cheat) and kind.",
            metavar="CSV[.gz]",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    board: Annotated[
        str,
        typer.Option(
            help="In place of a file: a board's ledger, with people's decisions as labels."
        ),
    ] = "",
    since: Annotated[
        datetime | None,
        typer.Option(
            help="With --board: measure from this date on; what came before makes memories.",
            parser=date,
            metavar="YYYY-MM-DD",
        ),
    ] = None,
    event: Annotated[
        list[str] | None,
        typer.Option(
            help="An event that was announced: actions of that time are worth so many times the "
            "usual points. May be given again.",
            metavar="FROM/TO/FACTOR",
        ),
    ] = None,
    json: Annotated[
        Path | None,
        typer.Option(help="Write the figures to this file too.", metavar="FILE", callback=writable),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(
            help="Draw the ROC and precision curves (PNG, SVG, PDF).",
            metavar="FILE",
            callback=writable,
        ),
    ] = None,
    data_dir: DataDirOption = None,
) -> None:
    """Measure the anomaly gate on a labelled file or a ledger.

    The actions are played through the gate as if they came in now.
    """
    if plot is not None:
        _check_plotting(plot)
    if model is not None and not model.is_file():  # which might be waited for without end
        raise ConfigurationError(
            f"{model} is a pipe or a device; save the model that comes from it as a file"
        )
    screen = console(err=True)
    if csv and model and not board:
        rows, played, evaluation = evaluate_csv(
            model, csv, announced_events(event or ()), screen=screen
        )
    elif board and not csv and not event:
        since_ms = round(since.timestamp() * 1000) if since else 0
        content = model.read_bytes() if model else None
        rows, played, evaluation = evaluate_board(
            load_settings(data_dir), board, since_ms, content, screen=screen
        )
    else:
        raise ConfigurationError("name a --model and a --csv file, or a --board")
    show(evaluation, console())
    if json is not None:
        json.write_bytes(msgspec.json.format(msgspec.json.encode(evaluation)) + b"\n")
    if plot is not None:
        draw(rows, played, plot)


def evaluate_csv(
    model: Path, csv: Path, events: Sequence[AnnouncedEvent] = (), *, screen: Console
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
    with stage_bars(screen) as progress:
        played = play(gate, usual((row.case for row in rows), events), progress)
    return rows, played, measure(rows, played)


def evaluate_board(
    settings: Settings, board: str, since_ms: int, content: bytes | None, *, screen: Console
) -> tuple[Sequence[Labelled], Played, Evaluation]:
    """The same of what the board's ledger has from ``since_ms`` on; ``content`` is a model, None
    for the one in force."""
    from scoreboard.anomaly.decided import MEMORY_MS, play_decided
    from scoreboard.anomaly.evaluation import measure
    from scoreboard.anomaly.model import Model

    attempts, content = asyncio.run(
        _from_ledger(settings, board, max(0, since_ms - MEMORY_MS), content)
    )
    cases, verdicts = [case for case, _ in attempts], [verdict for _, verdict in attempts]
    with stage_bars(screen) as progress:
        rows, played = play_decided(Model.from_bytes(content), cases, verdicts, since_ms, progress)
    if not rows:
        raise ConfigurationError("the ledger has no action of this board to measure since then")
    return rows, played, measure(rows, played)


async def _from_ledger(
    settings: Settings, board: str, since_ms: int, content: bytes | None
) -> tuple[list[tuple[Case, str]], bytes]:
    async with operator(settings) as tools:
        events = (await StoredSettings(tools.pool).get(board)).events
        found = await LedgerCases(tools.pool).decided(board, since_ms)
        cases = usual((case for case, _ in found), events)
        if content is None:
            models = Models(tools.pool)
            active = await models.active()
            if (version := active.get(board, active.get(""))) is None:
                raise ConfigurationError("no model is in force for this board; name one by --model")
            content = await models.content(version)
    return list(zip(cases, (verdict for _, verdict in found), strict=True)), content


def show(evaluation: Evaluation, screen: Console) -> None:
    """The figures as tables."""
    kind_column = Column("kind", no_wrap=True, overflow="ellipsis")
    kinds = Table(kind_column, "recall", "by", "actions", "refused", "episodes", "caught")
    for name, kind in evaluation.kinds.items():
        kinds.add_row(
            printable(name),
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
    honest = Table("honest kind", "actions", "refused")
    for name, share in evaluation.honest_kinds.items():
        honest.add_row(printable(name), str(share.actions), f"{share.false_refusals:.3%}")
    weeks = Table("users' weeks", "weeks", "became a case")
    for name, week in evaluation.weeks.items():
        weeks.add_row(printable(name), str(week.weeks), f"{week.noted:.3f}")
    screen.print(kinds, honest, weeks, agents)
    screen.print(
        f"Honest actions refused: {evaluation.false_refusals:.3%} of {evaluation.honest:,}; "
        f"among new users' first ten: {evaluation.new_users_refused:.3%}"
    )
    screen.print(f"CPU time: {evaluation.microseconds:.1f} microseconds an action")


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


def _check_plotting(target: Path) -> None:
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ConfigurationError(f"--plot needs matplotlib: {installing('plot')}") from error
    forms = Figure().canvas.get_supported_filetypes()
    if target.suffix.removeprefix(".").lower() not in forms:
        raise ConfigurationError(
            f"--plot: the name of the file ends with its form, one of: {', '.join(sorted(forms))}"
        )
