"""A client that holds every answer against the service's own OpenAPI description."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import ClientSession
from jsonschema import Draft202012Validator
from yarl import URL

from tests.support.raw_http import Raw
from tests.support.whole_service import Service

PROBLEM = "application/problem+json"


@dataclass(frozen=True)
class Answer:
    """An HTTP response, read to its end."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The code of a problem document."""
        assert self.headers["Content-Type"].partition(";")[0] == PROBLEM, self
        return str(self.json["code"])

    @property
    def outcome(self) -> tuple[int, str | None]:
        """The status, with the code of a problem (which the answer to a HEAD has not)."""
        return self.status, self.code if self.status >= 400 and self.body else None


class Description:
    """``/openapi.json`` as a judge of answers."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        self._validators: dict[int, Draft202012Validator] = {}
        self._paths = [
            (re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path))), methods)
            for path, methods in document["paths"].items()
        ]

    def check(self, method: str, path: str, answer: Answer) -> None:
        """Fails unless the description promises such an answer to this call."""
        methods = next((m for pattern, m in self._paths if pattern.fullmatch(path)), None)
        operation = (methods or {}).get("get" if method == "HEAD" else method.lower())
        if methods is None:
            assert answer.status == 404, answer
        elif operation is None:
            assert answer.status == 405, answer
        else:
            promised = operation["responses"].get(str(answer.status))
            assert promised is not None, f"{method} {path} never says it answers {answer}"
            self._check_body(method, promised, answer)
        if answer.status >= 400 and method != "HEAD":
            _check_problem(answer)

    def _check_body(self, method: str, promised: dict[str, Any], answer: Answer) -> None:
        if not (content := promised.get("content")) or method == "HEAD":
            assert answer.body == b"", answer
            return
        [(media_type, described)] = content.items()
        assert media_type in ("*/*", answer.headers["Content-Type"].partition(";")[0]), answer
        if media_type.endswith("json"):
            self._validator(described["schema"]).validate(answer.json)

    def _validator(self, schema: dict[str, Any]) -> Draft202012Validator:
        """Of a schema of the document; made once."""
        if (made := self._validators.get(id(schema))) is None:
            # With the components beside the schema, its references lead somewhere.
            components = {"components": self.document["components"]}
            made = self._validators[id(schema)] = Draft202012Validator({**schema, **components})
        return made


def _check_problem(answer: Answer) -> None:
    if answer.headers["Content-Type"].partition(";")[0] != PROBLEM:
        assert answer.status == 503, answer  # /readyz, which lists its parts
        return
    problem = answer.json
    assert problem["status"] == answer.status
    assert problem["type"] == f"urn:scoreboard:problem:{answer.code}"
    if answer.status == 401:
        assert answer.headers["WWW-Authenticate"].startswith("Bearer ")
    if answer.status in (429, 503):
        assert 1 <= int(answer.headers["Retry-After"]) <= 60
    if answer.status == 405:
        methods = answer.headers["Allow"].split(",")
        assert problem["detail"] == f"Allowed here: {', '.join(methods)}."


class Api:
    """Calls a service. ``token`` stands in where a call names none; None sends none."""

    def __init__(
        self, service: Service, http: ClientSession, description: Description, token: str | None
    ) -> None:
        self.service = service
        self.http = http
        self.description = description
        self._token = token
        self._raw: list[Raw] = []

    async def connect(self, *, receive_buffer: int | None = None) -> Raw:
        """A connection for bytes, open until ``hang_up`` at the latest; see ``Raw.to``."""
        raw = await Raw.to(self.service.url, receive_buffer=receive_buffer)
        self._raw.append(raw)
        return raw

    async def hang_up(self) -> None:
        """Ends the connections for bytes."""
        while self._raw:
            await self._raw.pop().end()

    def bearing(self, token: str | None) -> Api:
        """The same service for the bearer of another token."""
        return Api(self.service, self.http, self.description, token)

    async def call(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, **body: Any
    ) -> Answer:
        """The checked answer; ``path`` goes out as it is, ``body`` is ``json`` or ``data``."""
        sent = {} if self._token is None else {"Authorization": f"Bearer {self._token}"}
        url = URL(self.service.url + path, encoded=True)
        async with self.http.request(
            method, url, headers={**sent, **(headers or {})}, allow_redirects=False, **body
        ) as response:
            answer = Answer(response.status, response.headers, await response.read())
        self.description.check(method, path.partition("?")[0], answer)
        return answer

    async def get(self, path: str, **headers: str) -> Answer:
        return await self.call(
            "GET", path, headers={name.replace("_", "-"): v for name, v in headers.items()}
        )

    async def post(self, path: str, body: Any, **headers: str) -> Answer:
        """``body`` is sent as JSON, bytes as they are."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.call(
            "POST", path, data=raw, headers={"Content-Type": "application/json", **named}
        )

    async def score(
        self, user: str, points: int, action: str = "a1", *, board: str = "global"
    ) -> Answer:
        """Posts an action."""
        return await self.post(
            f"/api/boards/{board}/score", {"userId": user, "actionId": action, "points": points}
        )

    async def top(self, board: str = "global") -> dict[str, int]:
        """The top 10, best first."""
        answer = await self.get(f"/api/boards/{board}/top")
        assert answer.status == 200, answer
        return {entry["userId"]: entry["score"] for entry in answer.json["topScores"]}


_descriptions: dict[bool, Description] = {}


async def described(service: Service, http: ClientSession) -> Api:
    """A client that bears the token of a game server. The description is asked for once: it
    depends on one setting alone, and to make it takes longer than many a test."""
    observed_here = not service.settings.serve_metrics_port
    if observed_here not in _descriptions:
        async with http.get(f"{service.url}/openapi.json") as response:
            _descriptions[observed_here] = Description(await response.json())
    return Api(service, http, _descriptions[observed_here], service.token())
