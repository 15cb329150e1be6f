"""The OpenAPI description: valid, complete, and true for generated calls too."""

from __future__ import annotations

import asyncio
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

import asyncpg
import pytest
from jsonschema import Draft202012Validator, ValidationError
from openapi_spec_validator import validate

from scoreboard.assembly.application import application
from scoreboard.settings import Settings
from tests.integration.api.conftest import StartApi
from tests.integration.api.described_api import Answer, Api
from tests.support.extent import further
from tests.support.waiting import PATIENCE, wait_until

CALLS = {
    *("POST /api/score", "POST /api/scores", "GET /api/score/top", "GET /ws/leaderboard"),
    *("POST /api/boards/{board}/score", "POST /api/boards/{board}/scores"),
    *("GET /api/boards", "GET /api/boards/{board}"),
    *("GET /api/boards/{board}/top", "GET /ws/boards/{board}", "POST /api/ws-ticket"),
    *("GET /api/boards/{board}/users/{user}", "GET /api/boards/{board}/users/{user}/around"),
    *("GET /api/score/standings", "GET /api/boards/{board}/standings"),
    *("GET /api/score/rank", "GET /api/boards/{board}/rank"),
    *("POST /api/boards/{board}/users:lookup", "GET /healthz", "GET /readyz", "GET /metrics"),
    *("GET /openapi.json", "GET /asyncapi.json", "GET /docs", "GET /"),
}


# A malformed item of a batch gets its own 400 within the answer. Who asks for a board while it is
# cleared is told to come again.
CONFIGURATION = """
[checks.not_a_server_error]
expected-statuses = ["2xx", "3xx", "4xx", 503]

[checks.negative_data_rejection]
expected-statuses = [400, 401, 403, 404, 405, 406, 409, 413, 415, 422, 428, 429, "5xx"]

[[operations]]
include-path-regex = "/scores$"
[operations.checks.negative_data_rejection]
expected-statuses = [200, 202, 400, 404, 415]
"""


def operations(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        f"{method.upper()} {path}": operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


async def test_it_is_valid(api: Api) -> None:
    validate(api.description.document)


async def test_every_call_of_the_design_is_in_it(api: Api) -> None:
    assert operations(api.description.document).keys() >= CALLS


async def test_every_route_of_the_application_is_in_it(api: Api, settings: Settings) -> None:
    app = await application(settings)
    routes = {
        f"{route.method} {route.resource.canonical}"
        for route in app.router.routes()
        if route.resource is not None and route.method != "HEAD"
    }

    all_else = "* /"
    assert routes - {all_else} == operations(api.description.document).keys()


async def test_calls_that_need_a_token_say_which_scopes_will_do(api: Api) -> None:
    scopes = {
        call: {s for alternative in operation.get("security", ()) for s in alternative["bearer"]}
        for call, operation in operations(api.description.document).items()
        if call in CALLS and call.startswith("POST")
    }

    writing = {"score:write", "score:submit"}
    assert scopes == {
        "POST /api/score": writing,
        "POST /api/scores": writing,
        "POST /api/boards/{board}/score": writing,
        "POST /api/boards/{board}/scores": writing,
        "POST /api/boards/{board}/users:lookup": {"board:read", "admin"},
        "POST /api/ws-ticket": {"board:read"},
    }


async def test_a_body_is_required_where_it_is(api: Api) -> None:
    required = {
        call: operation["requestBody"]["required"]
        for call, operation in operations(api.description.document).items()
        if "requestBody" in operation
    }

    optional = {call for call, needed in required.items() if not needed}
    assert optional == {
        "POST /api/admin/reviews/{id}/approve",
        "POST /api/admin/reviews/{id}/confirm",
        "POST /api/admin/boards/{board}/users/{user}/hide",
        "POST /api/admin/boards/{board}/users/{user}/show",
        "POST /api/admin/webhooks/{id}/retry",
        "POST /api/admin/dead-letters/retry",
    }
    for call in required.keys() - optional:
        method, path = call.split()
        answer = await api.bearing(api.service.token("score:write board:read admin")).call(
            method, path.format(board="arena", user="ada", id=1), data=b""
        )
        assert answer.status in (400, 415), call


def samples(document: dict[str, Any]) -> list[tuple[str, str]]:
    """Each call that has a line for a shell, and the line."""
    return [
        (call, sample["source"])
        for call, operation in operations(document).items()
        for sample in operation.get("x-codeSamples", ())
        if sample["lang"] == "curl"
    ]


async def pasted(line: str, api: Api, token: str) -> Answer:
    """What a curl line gets, pasted into a shell where URL and TOKEN are set."""
    said = line.replace("$URL", api.service.url).replace("$TOKEN", token)
    words = shlex.split(said.replace("\\\n", " "))
    assert words[:2] == ["curl", "-s"], line
    url, method, headers, data = words[2], "GET", {}, None
    assert not set("{}[]") & set(url), "curl would make several addresses of it"
    for option, value in zip(words[3::2], words[4::2], strict=True):
        match option:
            case "-X":
                method = value
            case "-H":
                name, _, content = value.partition(": ")
                headers[name] = content
            case "-d":
                data, method = value.encode(), "POST" if method == "GET" else method
            case _:
                raise AssertionError(option)
    path = url.removeprefix(api.service.url)
    return await api.bearing(None).call(method, path, headers=headers, data=data)


async def test_every_line_to_paste_does_what_its_call_says(
    start_api: StartApi, database: asyncpg.Connection
) -> None:
    api = await start_api()
    token = api.service.token("score:write board:read admin")
    lines = samples(api.description.document)
    described = operations(api.description.document)
    assert [call for call in described if "/api/" in call] == [
        call for call, _ in lines if "/api/" in call
    ]
    async with api.service.persisting():
        await api.service.make_board("arena", mode="reject", min_points=0)
        # What is asked about the past is in Postgres when case 1, a refused action, is.
        assert (await api.score("ada", 1, board="arena")).status == 200
        future = {"occurredAt": "2199-01-01T00:00:00Z"}
        action = {"userId": "ada", "actionId": "k0", "points": 1, "context": future}
        assert (await api.post("/api/boards/arena/score", action)).status == 403

        async def recorded() -> bool:
            return bool(await database.fetchval("SELECT EXISTS (SELECT FROM review)"))

        await wait_until(recorded, description="the case in the queue")
        lines.sort(key=lambda sample: sample[0].startswith("DELETE"))  # the others need the board
        answers = {call: await pasted(line, api, token) for call, line in lines}

    refused = {call: answer.outcome for call, answer in answers.items() if answer.status >= 400}
    assert refused == {
        "POST /api/admin/reviews/{id}/confirm": (409, "already_decided"),  # just approved
        # The board has no periods, which the PUT would have to name.
        "GET /api/boards/{board}/periods/{period}/occurrences": (404, "unknown_period"),
        "GET /api/erasures/{erasure}": (404, "not_found"),
        "POST /api/users/{user}/admit": (404, "not_found"),  # nobody was erased yet
        "POST /api/admin/models/{version}/activate": (404, "not_found"),  # none was trained
        "POST /api/admin/models/{version}/hold-back": (404, "not_found"),
        "POST /api/admin/boards/{board}/import": (409, "gate_is_on"),
    }
    boards = await database.fetch("SELECT board FROM board ORDER BY board")
    assert [row["board"] for row in boards] == ["global"], "none was made, and arena is deleted"
    rules = answers["PATCH /api/admin/boards/{board}"].json
    assert (rules["mode"], rules["maxPoints"]) == ("flag", 100), "PATCH kept what PUT had set"


def with_a_nul(line: str, parameters: list[dict[str, Any]]) -> Iterator[str]:
    """A curl line with U+0000, which Postgres can't store, in one place after the other."""
    words = shlex.split(line.replace("\\\n", " "))
    path, _, query = words[2].removeprefix("$URL").partition("?")
    paths = [
        f"{path[: part.start()]}{part[0][:1]}%00{part[0][1:]}{path[part.end() :]}?{query}"
        for part in re.finditer("[^/:]+", path)
    ]
    given = dict(parse_qsl(query))
    names = [one["name"] for one in parameters if one["in"] == "query"]
    paths += [f"{path}?{urlencode({**given, name: chr(0)})}" for name in names]
    for changed in paths:
        yield shlex.join([*words[:2], f"$URL{changed}", *words[3:]])
    if "-d" in words:
        at = words.index("-d") + 1
        for text in re.finditer(r'": ?"', words[at]):
            body = words[at][: text.end()] + r"\u0000" + words[at][text.end() :]
            yield shlex.join([*words[:at], body, *words[at + 1 :]])


async def test_a_nul_is_no_failure_wherever_it_is(api: Api) -> None:
    token = api.service.token("score:write board:read admin")
    described = operations(api.description.document)
    failed, made = [], 0
    for call, line in samples(api.description.document):
        for changed in with_a_nul(line, described[call].get("parameters", [])):
            answer = await pasted(changed, api, token)
            made += 1
            if answer.status >= 500:
                failed.append((changed, answer.status))
    assert failed == []
    assert made > 2 * len(described)


async def test_the_websockets_messages_are_as_its_description_says(api: Api) -> None:
    described = (await api.get("/asyncapi.json")).json
    assert described["asyncapi"] == "3.0.0"
    assert {channel["address"] for channel in described["channels"].values()} == {
        path for path in api.description.document["paths"] if path.startswith("/ws/")
    }
    messages = described["components"]["messages"]

    def check(message: Any) -> str:
        name = str(message["type"])
        schema = {**messages[name]["payload"], "components": described["components"]}
        Draft202012Validator(schema).validate(message)
        return name

    for name, message in messages.items():
        assert [check(example["payload"]) for example in message["examples"]] == [name]
    api = api.bearing(api.service.token())
    await api.score("ann", 5)
    async with api.http.ws_connect(f"{api.service.url}/ws/leaderboard") as socket:
        assert check(await socket.receive_json(timeout=PATIENCE)) == "snapshot"
        await api.score("ann", 5, "a2")
        assert check(await socket.receive_json(timeout=PATIENCE)) == "update"
    with pytest.raises(ValidationError):
        check({"type": "heartbeat", "board": "global"})


@further
async def test_generated_calls_get_no_answer_that_is_not_described(
    start_api: StartApi, tmp_path: Path
) -> None:
    api = await start_api(durability_timeout=0.01)  # many of them ask for Postgres
    checks = (
        *("not_a_server_error", "status_code_conformance", "content_type_conformance"),
        *("response_schema_conformance", "negative_data_rejection"),
    )
    scopes = "score:write score:submit board:read admin"
    tmp_path.joinpath("schemathesis.toml").write_text(CONFIGURATION)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "schemathesis.cli", "run", f"{api.service.url}/openapi.json"),
        *("--header", f"Authorization: Bearer {api.service.token(scopes)}"),
        *("--checks", ",".join(checks), "--phases", "examples,coverage,fuzzing"),
        *("--max-examples", "2", "--seed", "1", "--max-failures", "5"),
        *("--exclude-path-regex", "^/(ws/|static/)", "--generation-database", "none"),
        cwd=tmp_path,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()

    assert process.returncode == 0, said.decode()
