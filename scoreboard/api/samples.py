"""Lines to paste into a shell, one for each call. ``URL`` is the service's address, ``TOKEN`` a
token with every scope, such as ``scoreboard up`` prints."""

from __future__ import annotations

from typing import Any

import msgspec

from scoreboard.api.operations import Operation

_PATH = {
    "board": "arena",
    "user": "ada",
    "id": "1",
    "period": "week",
    "erasure": "era_1",
    "version": "1",
}
_QUERY = {
    "radius": "2",
    "status": "open",
    "limit": "100",
    "score": "1234",
    "name": "ada",
    "confirm": _PATH["board"],
}

_WATCH = {
    "Python": """import asyncio, aiohttp

async def watch():
    async with aiohttp.ClientSession() as session:
        async with session.ws_connect("{url}") as socket:
            async for message in socket:
                print(message.data)

asyncio.run(watch())
""",
    "JavaScript": """const socket = new WebSocket("{url}");
socket.onmessage = ({{ data }}) => console.log(JSON.parse(data));
""",
}


def samples(operation: Operation) -> list[dict[str, str]]:
    """The samples of a call, in the form of the extension x-codeSamples."""
    if operation.tag == "pages":
        return []
    if operation.path.startswith("/ws/"):
        url = f"ws://127.0.0.1:8080{_target(operation)}"
        return [_sample(language, text.format(url=url)) for language, text in _WATCH.items()]
    return [_sample("curl", _curl(operation))]


def _sample(language: str, source: str) -> dict[str, str]:
    return {"lang": language, "label": language, "source": source}


def _target(operation: Operation) -> str:
    """The path with values for its parameters, and a query where the call has one to show."""
    shown = [
        f"{one.name}={_QUERY[one.name]}"
        for one in operation.parameters
        if one.where == "query" and one.name in _QUERY
    ]
    return operation.path.format_map(_PATH) + ("?" + "&".join(shown) if shown else "")


def _curl(operation: Operation) -> str:
    parts = [f'curl -s "$URL{_target(operation)}"']
    if operation.method not in ("GET", "POST"):
        parts.append(f"-X {operation.method}")
    elif operation.method == "POST" and operation.example is None:
        parts.append("-X POST")
    if operation.scopes:
        parts.append('-H "Authorization: Bearer $TOKEN"')
    if operation.example is not None:
        parts += ["-H 'Content-Type: application/json'", f"-d '{_json(operation.example)}'"]
    return " \\\n  ".join(parts)


def _json(example: Any) -> str:
    return msgspec.json.encode(example).decode()
