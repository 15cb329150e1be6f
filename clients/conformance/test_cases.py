"""Every client does what the cases say, step by step, on a server that answers as they say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from clients.conformance.drivers import Driver
from clients.conformance.scripted_server import ScriptedServer
from clients.conformance.steps import Run, Step

CASES = [
    case
    for file in sorted((Path(__file__).parent / "cases").glob("*.json"))
    for case in json.loads(file.read_text(encoding="utf-8"))
]


def steps_of(case: dict[str, Any]) -> list[Step]:
    """The steps; a case of one answer stands for an action that gets it."""
    if "steps" in case:
        steps: list[Step] = case["steps"]
        return steps
    given = case["answer"]
    code = case.get("code", given.get("code"))
    answer = given if "code" not in given else {"status": given["status"], "body": given}
    action = {"userId": "ada", "actionId": "a", "points": 15}
    steps = [
        {"do": "open"},
        {"do": "submit", **action},
        {"request": {"body": action}, "answer": answer},
    ]
    if not case["transient"]:
        return [*steps, {"expect": {"event": "refused", "code": code, "status": given["status"]}}]
    counted = {"status": 200, "body": {"userId": "ada", "actionId": "a", "score": 15, "rank": 1}}
    return [
        *steps,
        {"expect": {"event": "retry", "code": code, "seconds": 0.25}},
        {"do": "advance", "seconds": 0.25},
        {"request": {"body": action}, "answer": counted},
        {"expect": {"event": "settled", "actionId": "a"}},
    ]


@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case["case"])
async def test_case(
    driver: Driver, server: ScriptedServer, case: dict[str, Any], tmp_path: Path
) -> None:
    await Run(driver, tmp_path, server.url, server).steps(steps_of(case))
