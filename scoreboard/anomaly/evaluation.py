"""Play a labelled stream through the gate, in its order, and measure how well it decides."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Final

import msgspec
import numpy as np

from scoreboard.anomaly.features import AGENTS
from scoreboard.anomaly.forest import Floats
from scoreboard.anomaly.gate import Gate
from scoreboard.anomaly.profile import SESSION_BREAK_S
from scoreboard.anomaly.stream import Labelled

BATCH: Final = 512
FIRST_ACTIONS: Final = 10
LONG_EPISODE: Final = 10
"""From this mean length on a kind counts by episodes: the first actions of a burst are by nature
like honest ones, and a share of its actions could not reach 1."""


class KindQuality(msgspec.Struct, frozen=True):
    """How many cheats of a kind were refused.

    ``recall_actions`` is the share of its actions that were refused, ``recall_episodes`` of its
    episodes of which more than half was; an episode is one user's cheats of the kind without a
    break of three hours. ``recall`` is the one of them that ``counted_by`` names.
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


class Evaluation(msgspec.Struct, frozen=True):
    """``false_refusals`` is the share of honest actions refused, ``new_users_refused`` the share
    among the first ten actions of users without a history; times are of one CPU, in
    microseconds an action in batches of ``BATCH``."""

    kinds: dict[str, KindQuality]
    false_refusals: float
    new_users_refused: float
    agents: dict[str, Curve]
    overall: Curve
    honest: int
    cheats: int
    microseconds: float


class Scored(msgspec.Struct, frozen=True):
    """The stream with the gate's answers: ``scores`` has a column an agent, 0 where it abstained;
    ``refused`` says whether the action was."""

    rows: Sequence[Labelled]
    scores: Floats
    refused: Sequence[bool]
    first: Sequence[bool]
    seconds: float


def play(
    gate: Gate,
    rows: Sequence[Labelled],
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Scored:
    """Judge ``rows`` (sorted by time) in batches, with memory kept as the service keeps it."""
    profiles: dict[str, bytes | None] = {}
    devices: dict[str, bytes | None] = {}
    seen: defaultdict[str, int] = defaultdict(int)
    scores, refused, first, spent = np.zeros((len(rows), len(AGENTS))), [], [], 0.0
    for start in range(0, len(rows), BATCH):
        cases = [row.case for row in rows[start : start + BATCH]]
        began = time.process_time()
        judgements = gate.judge(cases, profiles, devices)
        spent += time.process_time() - began
        for i, (case, judgement) in enumerate(zip(cases, judgements, strict=True)):
            scores[start + i] = [judgement.scores[name] or 0.0 for name in AGENTS]
            refused.append(bool(judgement.refused_by))
            first.append(seen[case.user_id] < FIRST_ACTIONS)
            seen[case.user_id] += 1
            kept = judgement.profile_if_refused if judgement.refused_by else judgement.profile
            profiles[case.user_id] = kept or judgement.profile
            if case.context and case.context.device_id and judgement.device is not None:
                devices[case.context.device_id] = judgement.device
        progress(min(start + BATCH, len(rows)), len(rows))
    return Scored(rows, scores, refused, first, spent)


def measure(scored: Scored) -> Evaluation:
    """The figures of a stream that the gate has judged."""
    labels = np.array([row.label for row in scored.rows], bool)
    refused, first = np.array(scored.refused, bool), np.array(scored.first, bool)
    return Evaluation(
        kinds=_kinds(scored.rows, refused),
        false_refusals=_share(refused[~labels]),
        new_users_refused=_share(refused[~labels & first]),
        agents={
            name: _curve(scored.scores[:, i], labels, scored.scores[:, i] > 1.0)
            for i, name in enumerate(AGENTS)
        },
        overall=_curve(scored.scores.max(axis=1), labels, refused),
        honest=int((~labels).sum()),
        cheats=int(labels.sum()),
        microseconds=1e6 * scored.seconds / max(1, len(scored.rows)),
    )


def _kinds(
    rows: Sequence[Labelled], refused: np.typing.NDArray[np.bool_]
) -> dict[str, KindQuality]:
    episodes: dict[str, list[list[bool]]] = defaultdict(list)
    current: dict[tuple[str, str], tuple[int, list[bool]]] = {}
    for row, was_refused in zip(rows, refused.tolist(), strict=True):
        if not row.label:
            continue
        key, at_ms = (row.kind, row.case.user_id), row.case.at_ms
        last_ms, episode = current.get(key, (0, []))
        if not episode or at_ms - last_ms >= SESSION_BREAK_S * 1000:
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


def points_of_curves(
    scores: Floats, labels: np.typing.NDArray[np.bool_]
) -> tuple[Floats, Floats, Floats]:
    """False-alarm rate, recall and precision at every distinct threshold, strictest first."""
    order = np.argsort(-scores, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
    caught = np.cumsum(labels[order])[ends]
    refused = ends + 1.0
    return (refused - caught) / (~labels).sum(), caught / labels.sum(), caught / refused


def _curve(
    scores: Floats, labels: np.typing.NDArray[np.bool_], refused: np.typing.NDArray[np.bool_]
) -> Curve:
    false_refusals = _share(refused[~labels])
    if labels.all() or not labels.any():
        return Curve(None, None, false_refusals)
    alarms, recall, precision = points_of_curves(scores, labels)
    auroc = float(np.trapezoid(np.append(0.0, recall), np.append(0.0, alarms)))
    steps = np.diff(np.append(0.0, recall))
    return Curve(auroc, float((steps * precision).sum()), false_refusals)


def _share(flags: np.typing.NDArray[np.bool_]) -> float:
    return float(flags.mean()) if len(flags) else 0.0
