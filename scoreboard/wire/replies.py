"""Decodes the replies of submit_scores."""

from __future__ import annotations

from scoreboard.domain.submissions import Move, Outcome, PeriodMove, Result


def parse_reply(reply: bytes, sign: int = 1) -> Result:
    """Decodes the text that submit_scores replies for one action. ``sign`` is the board's:
    totals in occurrences stand there as they are kept."""
    letter, _, rest = reply.decode().partition(" ")
    match letter:
        case "A":
            whole, *occurrences = rest.split("|")
            score, rank, event, *told = whole.split(" ")
            total = int(score)
            move = Move(_number(told[0]), total) if told else None
            periods = _period_moves(sign, *occurrences) if occurrences else ()
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
        case "F":
            return Result(Outcome.BOARD_FULL, lacks_room=rest or None)
        case "U":
            return Result(Outcome.UNAVAILABLE, retry_after=1.0)
    return Result(Outcome(letter))


def _number(text: str) -> int | None:
    return None if text == "-" else int(text)


def _period_moves(sign: int, ranks: str, moves: str) -> tuple[PeriodMove, ...]:
    return tuple(
        _period_move(move, _number(rank), sign)
        for move, rank in zip(moves.split(";"), ranks.split(), strict=True)
    )


def _period_move(move: str, rank: int | None, sign: int) -> PeriodMove:
    occurrence, score, _, previous = move.split(" ")
    period, _, number = occurrence.partition(":")
    return PeriodMove(period, int(number), sign * int(score), rank, score != previous)
