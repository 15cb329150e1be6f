"""The parent's own calls to the server: few, one at a time, blocking."""

from __future__ import annotations

import http.client
import json
from typing import Any

from scripts.load_test.plan import Target

TIMEOUT = 10.0
LOOKUP = 500  # users in a call of users:lookup


class ApiError(Exception):
    """The server did not answer as it has to; the text says what it was asked and how it did."""


class Api:
    """One kept connection to the server."""

    def __init__(self, target: Target, timeout: float = TIMEOUT) -> None:
        self._target = target
        self._timeout = timeout
        self._connection: http.client.HTTPConnection | None = None

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any, str]:
        """Status, decoded JSON and ETag. Raises ApiError when there is no answer or no JSON."""
        connection = self._connection
        if connection is None:
            connection = http.client.HTTPConnection(
                self._target.host, self._target.port, timeout=self._timeout
            )
        self._connection = None
        headers = {"Authorization": f"Bearer {self._target.token}"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        try:
            connection.request(
                method, path, None if body is None else json.dumps(body), headers=headers
            )
            response = connection.getresponse()
            answer = response.read()
            decoded = json.loads(answer) if answer else None
        except (OSError, http.client.HTTPException, ValueError) as error:
            connection.close()
            raise ApiError(f"{method} {path}: {error or type(error).__name__}") from error
        self._connection = connection
        return response.status, decoded, response.headers.get("ETag", "")

    def ok(self, method: str, path: str, body: Any = None) -> tuple[Any, str]:
        """Decoded JSON and ETag of a call that has to succeed. Raises ApiError."""
        status, decoded, tag = self.call(method, path, body)
        if status != 200:
            said = decoded.get("detail", decoded) if isinstance(decoded, dict) else decoded
            raise ApiError(f"{method} {path} was answered {status}: {said}")
        return decoded, tag

    def submit(self, board: str, user: str, action: str, points: int) -> None:
        """Submit one action. Raises ApiError unless it counts."""
        body = {"userId": user, "actionId": action, "points": points}
        self.ok("POST", f"/api/boards/{board}/score", body)

    def top(self, board: str) -> tuple[int, str]:
        """The version and the top 10 as compact JSON text. Raises ApiError."""
        decoded, tag = self.ok("GET", f"/api/boards/{board}/top")
        if not tag.strip('"').isdigit():
            raise ApiError(f"the top 10 of {board} came without its version")
        return int(tag.strip('"')), json.dumps(decoded["topScores"], separators=(",", ":"))

    def scores(self, board: str, users: list[str]) -> dict[str, int]:
        """The total of each of ``users`` that is on the board. Raises ApiError."""
        found: dict[str, int] = {}
        for start in range(0, len(users), LOOKUP):
            decoded, _ = self.ok(
                "POST",
                f"/api/boards/{board}/users:lookup",
                {"userIds": users[start : start + LOOKUP]},
            )
            found.update((row["userId"], row["score"]) for row in decoded["users"])
        return found

    def backlog(self) -> int | None:
        """Events that are not in Postgres yet; None when the server doesn't say. Raises
        ApiError."""
        _, decoded, _ = self.call("GET", "/readyz")
        try:
            return int(decoded["parts"]["redis"]["backlog"])
        except (TypeError, KeyError, ValueError):
            return None
