"""Decodes the replies of submit_scores."""

from __future__ import annotations

from scoreboard.domain.submissions import Outcome, Result


def parse_reply(reply: bytes) -> Result:
    """Decodes the text that submit_scores replies for one action."""
    letter, _, rest = reply.decode().partition(" ")
    match letter:
        case "A":
            score, rank, event = rest.split(" ")
            return Result(Outcome.ACCEPTED, int(score), None if rank == "-" else int(rank), event)
        case "D":
            score, event = rest.split(" ")
            return Result(Outcome.DUPLICATE, int(score), None, event)
        case "R":
            return Result(Outcome.REFUSED, agents=tuple(rest.split(",")))
        case "L":
            return Result(Outcome.RATE_LIMITED, retry_after=int(rest) / 1000)
        case "U":
            return Result(Outcome.UNAVAILABLE, retry_after=1.0)
    return Result(Outcome(letter))
