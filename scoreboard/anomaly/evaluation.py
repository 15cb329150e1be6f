"""Plays a labelled stream of actions through the gate and measures how well the gate decides."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Final

import msgspec
import numpy as np

from scoreboard.anomaly import agents
from scoreboard.anomaly.forest import Floats
from scoreboard.anomaly.memory.sessions import SESSION_BREAK_MS
from scoreboard.anomaly.replay import Flags, Played
from scoreboard.domain.judging import Case
from scoreboard.domain.weeks import week_of

LONG_EPISODE: Final = 10
"""Kinds of cheat whose episodes have at least this many actions on average are measured by
episodes. The first actions of a burst look honest, so a share of actions could never reach 1."""

HONEST: Final = "honest"


class Labelled(msgspec.Struct, gc=False):
    """A case, whether it is a cheat (1) or honest (0), and of which kind."""

    case: Case
    label: int
    kind: str


class KindQuality(msgspec.Struct, frozen=True):
    """How many cheats of a kind were refused.

    ``recall_actions`` is the share of the kind's actions that were refused. ``recall_episodes`` is
    the share of its episodes in which more than half of the actions were refused; an episode is one
    user's cheats of the kind without a break of three hours. ``recall`` is whichever of the two
    ``counted_by`` names.
    """

    recall: float
    counted_by: str
    recall_actions: float
    recall_episodes: float
    actions: int
    episodes: int


class Curve(msgspec.Struct, frozen=True):
    """AUROC and average precision of a suspicion against the labels; None without both labels."""

    auroc: float | None
    average_precision: float | None
    false_refusals: float


class HonestKind(msgspec.Struct, frozen=True):
    """Honest actions of a kind, and the share of them that was refused."""

    actions: int
    false_refusals: float


class WeekQuality(msgspec.Struct, frozen=True):
    """Users' weeks that had a kind of cheat in them, or, under ``honest``, none of any kind; and
    the share of them that became a case when the user next played."""

    weeks: int
    noted: float


class Evaluation(msgspec.Struct, frozen=True):
    """``false_refusals`` is the share of honest actions refused, ``new_users_refused`` the same
    share among the first ten actions of each user, ``weeks`` what weekly cases found, by kind,
    ``honest_kinds`` what was refused of each kind
    that a label 0 comes with. Times are CPU time in microseconds per action, judged in the replay's
    batches."""

    kinds: dict[str, KindQuality]
    weeks: dict[str, WeekQuality]
    honest_kinds: dict[str, HonestKind]
    false_refusals: float
    new_users_refused: float
    agents: dict[str, Curve]
    overall: Curve
    honest: int
    cheats: int
    microseconds: float


def measure(rows: Sequence[Labelled], played: Played) -> Evaluation:
    """Returns the figures for ``rows``, which a gate judged with the answers ``played``."""
    labels = np.array([row.label for row in rows], bool)
    refused = played.refused
    return Evaluation(
        kinds=_kinds(rows, refused),
        weeks=_weeks(rows, played),
        honest_kinds=_honest_kinds(rows, refused),
        false_refusals=_share(refused[~labels]),
        new_users_refused=_share(refused[~labels & played.first]),
        agents={
            name: _curve(played.scores[:, i], labels, played.scores[:, i] > 1.0)
            for i, name in enumerate(agents.names())
        },
        overall=_curve(played.scores.max(axis=1), labels, refused),
        honest=int((~labels).sum()),
        cheats=int(labels.sum()),
        microseconds=1e6 * played.seconds / max(1, len(rows)),
    )


def _weeks(rows: Sequence[Labelled], played: Played) -> dict[str, WeekQuality]:
    """Of the weeks after which the user played on."""
    kinds: dict[tuple[str, int], set[str]] = defaultdict(set)
    counted: dict[str, int] = {}  # the week of each user's latest action that counts
    found: dict[str, list[bool]] = defaultdict(list)
    for row, refused, noted in zip(
        rows, played.refused.tolist(), played.noted.tolist(), strict=True
    ):
        user, week = row.case.user_id, week_of(row.case.at_ms)
        if row.label:
            kinds[user, week].add(row.kind)
        if refused:
            continue
        before = counted.get(user, week)
        if before != week:
            for kind in kinds[user, before] or {HONEST}:
                found[kind].append(noted)
        counted[user] = week
    return {kind: WeekQuality(len(of), sum(of) / len(of)) for kind, of in sorted(found.items())}


def _honest_kinds(rows: Sequence[Labelled], refused: Flags) -> dict[str, HonestKind]:
    found: dict[str, list[bool]] = defaultdict(list)
    for row, was_refused in zip(rows, refused.tolist(), strict=True):
        if not row.label:
            found[row.kind].append(was_refused)
    return {kind: HonestKind(len(f), sum(f) / len(f)) for kind, f in sorted(found.items())}


def _kinds(rows: Sequence[Labelled], refused: Flags) -> dict[str, KindQuality]:
    episodes: dict[str, list[list[bool]]] = defaultdict(list)
    current: dict[tuple[str, str], tuple[int, list[bool]]] = {}
    for row, was_refused in zip(rows, refused.tolist(), strict=True):
        if not row.label:
            continue
        key, at_ms = (row.kind, row.case.user_id), row.case.at_ms
        last_ms, episode = current.get(key, (0, []))
        if not episode or at_ms - last_ms >= SESSION_BREAK_MS:
            episode = []
            episodes[row.kind].append(episode)
        episode.append(was_refused)
        current[key] = at_ms, episode
    return {kind: _kind(found) for kind, found in sorted(episodes.items())}


def _kind(episodes: list[list[bool]]) -> KindQuality:
    actions = sum(map(len, episodes))
    by_actions = sum(map(sum, episodes)) / actions
    by_episodes = sum(2 * sum(episode) > len(episode) for episode in episodes) / len(episodes)
    long = actions >= LONG_EPISODE * len(episodes)
    return KindQuality(
        recall=by_episodes if long else by_actions,
        counted_by="episodes" if long else "actions",
        recall_actions=by_actions,
        recall_episodes=by_episodes,
        actions=actions,
        episodes=len(episodes),
    )


def curves(rows: Sequence[Labelled], played: Played) -> dict[str, tuple[Floats, Floats, Floats]]:
    """False-alarm rate, recall and precision at every distinct threshold, strictest first: of each
    agent, and of ``all together``. Empty without both labels."""
    labels = np.array([row.label for row in rows], bool)
    if labels.all() or not labels.any():
        return {}
    drawn = {name: _points(played.scores[:, i], labels) for i, name in enumerate(agents.names())}
    return {**drawn, "all together": _points(played.scores.max(axis=1), labels)}


def _points(scores: Floats, labels: Flags) -> tuple[Floats, Floats, Floats]:
    order = np.argsort(-scores, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
    caught = np.cumsum(labels[order])[ends]
    refused = ends + 1.0
    return (refused - caught) / (~labels).sum(), caught / labels.sum(), caught / refused


def _curve(scores: Floats, labels: Flags, refused: Flags) -> Curve:
    false_refusals = _share(refused[~labels])
    if labels.all() or not labels.any():
        return Curve(None, None, false_refusals)
    alarms, recall, precision = _points(scores, labels)
    auroc = float(np.trapezoid(np.append(0.0, recall), np.append(0.0, alarms)))
    steps = np.diff(np.append(0.0, recall))
    return Curve(auroc, float((steps * precision).sum()), false_refusals)


def _share(flags: Flags) -> float:
    return float(flags.mean()) if len(flags) else 0.0
