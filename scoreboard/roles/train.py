"""``scoreboard train``: train the anomaly agents on recorded score actions."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from scoreboard.errors import ConfigurationError
from scoreboard.roles.stages import stage_bars

if TYPE_CHECKING:
    from scoreboard.anomaly.model import Model


def train_command(
    csv: Annotated[
        Path,
        typer.Option(
            help="Honest actions, oldest first: columns ts (epoch ms UTC), user_id, points; "
            "optionally latitude, longitude, country, device_id, user_agent. Rows with a label "
            "other than 0 are left out.",
            metavar="CSV[.gz]",
            exists=True,
            dir_okay=False,
        ),
    ],
    save: Annotated[Path, typer.Option(help="Where to write the model.", metavar="MODEL")],
    seed: Annotated[int, typer.Option(help="The same seed and actions make the same model.")] = 0,
    false_alarm_rate: Annotated[
        float,
        typer.Option(min=1e-6, max=0.1, help="Share of honest actions that an agent may refuse."),
    ] = 0.001,
) -> None:
    """Train the anomaly agents on a CSV file, without a server or a database."""
    console = Console(stderr=True)
    model = train_on_csv(csv, seed=seed, false_alarm_rate=false_alarm_rate, console=console)
    save.write_bytes(model.to_bytes())
    record = model.training
    console.print(
        f"Trained on {record.actions:,} actions of {record.users:,} users; "
        f"{save}: {save.stat().st_size / 1024:.0f} KiB."
    )
    for name, share in record.refused.items():
        console.print(f"  {name}: refuses {share:.3%} of them")
    for name in ("time", "location", "device", "behavior"):
        if name not in record.refused:
            console.print(f"  {name}: too little data; abstains")


def train_on_csv(csv: Path, *, seed: int, false_alarm_rate: float, console: Console) -> Model:
    """The model that the file's honest actions make. Raises InvalidRequest for a file that can't
    be read as score actions, ConfigurationError when scikit-learn is missing."""
    from scoreboard.anomaly.stream import read_actions
    from scoreboard.anomaly.training import TrainingOptions, train

    if importlib.util.find_spec("sklearn") is None:
        raise ConfigurationError("Training needs scikit-learn: pip install 'scoreboard[train]'.")
    with stage_bars(console) as progress:
        cases = [row.case for row in read_actions(csv) if not row.label]
        options = TrainingOptions(seed=seed, false_alarm_rate=false_alarm_rate)
        return train(cases, options, progress)
