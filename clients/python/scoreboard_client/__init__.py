"""A client of Scoreboard, for asyncio and for plain code."""

from scoreboard_client.client import AsyncScoreboard
from scoreboard_client.clocks import Clock, SystemClock
from scoreboard_client.errors import Refused, ScoreboardError, TryLater
from scoreboard_client.journal import Journal, MemoryStore, Store
from scoreboard_client.outbox import Action, Counted, Outcome, Retry, Submission
from scoreboard_client.plain import PlainSubmission, PlainWatch, Scoreboard
from scoreboard_client.transport import (
    AiohttpTransport,
    HandshakeRefused,
    Response,
    Socket,
    SocketClosed,
    Transport,
)
from scoreboard_client.types import Overtaken, PlayerStanding
from scoreboard_client.watch import Event, Heartbeat, PeriodClosed, State, Top, Watch

__version__ = "0.2.0"

__all__ = [
    "Action",
    "AiohttpTransport",
    "AsyncScoreboard",
    "Clock",
    "Counted",
    "Event",
    "HandshakeRefused",
    "Heartbeat",
    "Journal",
    "MemoryStore",
    "Outcome",
    "Overtaken",
    "PeriodClosed",
    "PlainSubmission",
    "PlainWatch",
    "PlayerStanding",
    "Refused",
    "Response",
    "Retry",
    "Scoreboard",
    "ScoreboardError",
    "Socket",
    "SocketClosed",
    "State",
    "Store",
    "Submission",
    "SystemClock",
    "Top",
    "Transport",
    "TryLater",
    "Watch",
]
