"""Score actions and the requests that carry them, as the bytes that are sent."""

from __future__ import annotations

from collections.abc import Sequence

from scripts.load.target import Target


def action(user: str, action_id: str, points: int, *, context: str = "") -> bytes:
    """An action as JSON. The names need no escaping; ``context`` is a JSON object."""
    described = f',"context":{context}' if context else ""
    return f'{{"userId":"{user}","actionId":"{action_id}","points":{points}{described}}}'.encode()


def batch(actions: Sequence[bytes]) -> bytes:
    """The body of a POST of several actions."""
    return b'{"actions":[%b]}' % b",".join(actions)


class Posts:
    """The POST requests to a board; without one, to the service's default board. They ask for a
    ``durability``, or for the service's own."""

    def __init__(self, target: Target, board: str | None, durability: str | None = None) -> None:
        prefer = "" if durability is None else f"Prefer: durability={durability}\r\n"

        def head(resource: str) -> bytes:
            return (
                f"POST /api/{'' if board is None else f'boards/{board}/'}{resource} HTTP/1.1\r\n"
                f"Host: {target.authority}\r\nAuthorization: Bearer {target.token}\r\n{prefer}"
                "Content-Type: application/json\r\nContent-Length: "
            ).encode()

        self._one = head("score")
        self._many = head("scores")

    def one(self, action: bytes) -> bytes:
        """A single action."""
        return b"%b%d\r\n\r\n%b" % (self._one, len(action), action)

    def many(self, actions: Sequence[bytes]) -> bytes:
        """A batch."""
        body = batch(actions)
        return b"%b%d\r\n\r\n%b" % (self._many, len(body), body)
