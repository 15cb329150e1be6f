"""A trained model: plain arrays and numbers, one row in the database or one file."""

from __future__ import annotations

import zlib
from typing import Final

import msgspec

from scoreboard.anomaly.board import BoardStatistics
from scoreboard.anomaly.forest import Trees
from scoreboard.errors import ScoreboardError

MODEL_FORMAT: Final = 1
MAX_MODEL_BYTES: Final = 64 * 2**20


class UnusableModel(ScoreboardError):
    """The bytes are not a model of this version; train again."""

    code = "unusable_model"
    title = "Unusable model"


class FeatureRange(msgspec.Struct, frozen=True):
    """A feature's values in the training data: 99% of the actions were between ``low`` and
    ``high``, and ``typical`` is the median. Above ``limit`` (None: no limit) the agent refuses
    whatever the forest says, since a forest does not extrapolate."""

    name: str
    low: float
    typical: float
    high: float
    limit: float | None


class AgentModel(msgspec.Struct, frozen=True):
    """One agent's forest; a score above ``threshold`` is refused."""

    features: list[FeatureRange]
    threshold: float
    trees: Trees


class TrainingRecord(msgspec.Struct, frozen=True):
    """How a model was trained. ``refused`` is the share of training actions that each agent
    refused, ``synthetic`` the number of rows with a made-up plausible novelty (a trip, a new phone,
    a shared device, an unusual hour) that its forest was shown beside them."""

    first_ms: int
    last_ms: int
    actions: int
    users: int
    seed: int
    false_alarm_rate: float
    refused: dict[str, float]
    synthetic: dict[str, int] = {}


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """Everything the gate needs. An agent without training data is missing from ``agents`` and
    abstains. ``week_limit`` is how far a user's week may be from the user's own habits, in standard
    deviations, before it becomes a case, and ``session_limit`` the same for any session of it."""

    format: int = MODEL_FORMAT
    board: BoardStatistics
    agents: dict[str, AgentModel]
    training: TrainingRecord
    week_limit: float | None = None
    session_limit: float | None = None

    def to_bytes(self) -> bytes:
        """The model as compressed bytes, which ``from_bytes`` reads."""
        return zlib.compress(msgspec.msgpack.encode(self), 6)

    @classmethod
    def from_bytes(cls, data: bytes) -> Model:
        """Raises ``UnusableModel`` for damaged data, another format or a model that is too big."""
        inflate = zlib.decompressobj()
        try:
            raw = inflate.decompress(data, MAX_MODEL_BYTES)
            if not inflate.eof:
                raise UnusableModel("The model is incomplete or larger than 64 MiB.")
            format_ = msgspec.msgpack.decode(raw, type=_Format).format
            if format_ != MODEL_FORMAT:
                raise UnusableModel(f"The model has format {format_}, not {MODEL_FORMAT}.")
            return msgspec.msgpack.decode(raw, type=cls)
        except (zlib.error, msgspec.DecodeError, UnicodeDecodeError) as error:
            raise UnusableModel("The bytes are not a model of this version.") from error


class _Format(msgspec.Struct):
    format: int
