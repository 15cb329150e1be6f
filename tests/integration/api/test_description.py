"""The OpenAPI description: valid, complete, and true for generated calls too."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

from openapi_spec_validator import validate

from scoreboard.assembly.service import application
from scoreboard.settings import Settings
from tests.integration.api.conftest import StartApi
from tests.integration.api.described_api import Api

CALLS = {
    *("POST /api/score", "POST /api/scores", "GET /api/score/top", "GET /ws/leaderboard"),
    *("POST /api/boards/{board}/score", "POST /api/boards/{board}/scores"),
    *("GET /api/boards/{board}/top", "GET /ws/boards/{board}", "POST /api/ws-ticket"),
    *("GET /api/boards/{board}/users/{user}", "GET /api/boards/{board}/users/{user}/around"),
    *("POST /api/boards/{board}/users:lookup", "GET /healthz", "GET /readyz", "GET /metrics"),
    *("GET /openapi.json", "GET /docs", "GET /"),
}


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
        "POST /api/boards/{board}/users:lookup": {"board:read"},
        "POST /api/ws-ticket": {"board:read"},
    }


async def test_generated_calls_get_no_answer_that_is_not_described(
    start_api: StartApi, tmp_path: Path
) -> None:
    api = await start_api(durability_timeout=0.01)  # many of them ask for Postgres
    checks = (
        *("not_a_server_error", "status_code_conformance", "content_type_conformance"),
        *("response_schema_conformance", "negative_data_rejection"),
    )
    scopes = "score:write score:submit board:read"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "schemathesis.cli", "run", f"{api.service.url}/openapi.json"),
        *("--header", f"Authorization: Bearer {api.service.token(scopes)}"),
        *("--checks", ",".join(checks), "--phases", "examples,coverage,fuzzing"),
        *("--max-examples", "10", "--seed", "1", "--max-failures", "5"),
        *("--exclude-path-regex", "^/(ws/|static/)", "--generation-database", "none"),
        cwd=tmp_path,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()

    assert process.returncode == 0, said.decode()
