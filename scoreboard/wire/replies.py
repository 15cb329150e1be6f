"""Decodes the replies of submit_scores."""

from __future__ import annotations

from scoreboard.domain.submissions import Move, Outcome, PeriodMove, Result


def parse_reply(reply: bytes) -> Result:
    """Decodes the text that submit_scores replies for one action."""
    letter, _, rest = reply.decode().partition(" ")
    match letter:
        case "A":
            whole, *occurrences = rest.split("|")
            score, rank, event, *told = whole.split(" ")
            total = int(score)
            move = Move(_number(told[0]), total) if told else None
            periods = tuple(map(_period_move, occurrences)) if occurrences else ()
            return Result(Outcome.ACCEPTED, total, _number(rank), event, move=move, periods=periods)
        case "D":
            score, event = rest.split(" ")
            return Result(Outcome.DUPLICATE, int(score), None, event)
        case "R":
            return Result(Outcome.REFUSED, agents=tuple(rest.split(",")))
        case "L":
            return Result(Outcome.RATE_LIMITED, retry_after=int(rest) / 1000)
        case "K":
            return Result(Outcome.BOARD_CLOSED, opens_ms=int(rest) if rest else None)
        case "U":
            return Result(Outcome.UNAVAILABLE, retry_after=1.0)
    return Result(Outcome(letter))


def _number(text: str) -> int | None:
    return None if text == "-" else int(text)


def _period_move(text: str) -> PeriodMove:
    period, number, score, rank, changed = text.split(" ")
    return PeriodMove(period, int(number), int(score), _number(rank), changed == "1")
