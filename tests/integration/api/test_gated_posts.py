"""The gate in the running service, with a model that was trained on a small honest season."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from scoreboard.anomaly.memory.records import decode_device
from scoreboard.assembly import model_gates
from scoreboard.domain.announced import AnnouncedEvent
from scoreboard.domain.boards import GateMode, Rate
from scoreboard.errors import Unavailable
from scoreboard.pg.cases import LedgerCases
from scoreboard.write_path.judged_calls import JudgedCalls
from tests.integration.api.conftest import StartApi
from tests.integration.api.described_api import Answer, Api
from tests.integration.api.gated_service import USUAL, action, add_model, play, post, set_board
from tests.support.honest_season import EVENING, SYDNEY
from tests.support.waiting import wait_until

LATER = USUAL[-1] + 600


async def burst(apis: list[Api], board: str, user: str, *, at: float = LATER) -> list[Answer]:
    """50 actions of one moment, at once, spread over the servers."""
    return list(
        await asyncio.gather(
            *(post(apis[i % len(apis)], board, user, f"burst-{i}", at) for i in range(50))
        )
    )


def accepted(answers: list[Answer]) -> int:
    assert {answer.status for answer in answers} <= {200, 403}, answers
    return sum(answer.status == 200 for answer in answers)


async def test_without_a_model_a_board_learns_and_readiness_says_so(api: Api) -> None:
    await set_board(api, "arena", mode="reject")
    await play(api, "arena", "ann")
    assert accepted(await burst([api], "arena", "ann")) == 50
    gate = (await api.get("/readyz")).json["parts"]["gate"]
    assert gate == {"up": True, "used": True, "models": {}, "boards": 0, "learning": True}


async def test_a_learning_board_keeps_the_hard_rules(api: Api) -> None:
    await set_board(api, "arena", mode="reject", allow_history=False)
    answer = await post(api, "arena", "ann", "long-ago", 0)
    assert answer.outcome == (403, "anomaly_rejected")
    assert answer.json["agents"] == ["time"]


async def test_a_refusal_names_its_agents_and_a_retry_gets_the_same(
    api: Api, pool: asyncpg.Pool
) -> None:
    await add_model(pool)
    await set_board(api, "arena", mode="reject")
    await play(api, "arena", "ann")
    too_many = {"after": LATER, "points": 50, **SYDNEY, "deviceId": "another"}
    first = await post(api, "arena", "ann", "k1", **too_many)
    assert first.outcome == (403, "anomaly_rejected")
    assert first.json["agents"] == ["location", "behavior"]
    assert "1000" not in first.body.decode()  # no threshold
    again = await post(api, "arena", "ann", "k1", **too_many)
    assert (again.status, again.json) == (403, first.json)
    assert await api.top("arena") == {"ann": 2 * len(USUAL)}
    # Whatever the retry says of itself: the receipt answers.
    honest = await post(api, "arena", "ann", "k1", LATER, points=50)
    assert honest.json == first.json


async def test_a_retry_of_an_accepted_action_is_never_judged_again(
    api: Api, pool: asyncpg.Pool
) -> None:
    await add_model(pool)
    await set_board(api, "arena", mode="reject")
    await play(api, "arena", "ann")
    for _ in range(5):
        retry = await post(api, "arena", "ann", "usual-0", LATER, **SYDNEY)
        assert retry.outcome == (409, "duplicate_action")
        assert retry.json["score"] == 2
    # The retries left no trace in the agents' memory either.
    assert (await post(api, "arena", "ann", "k1", LATER)).status == 200


async def test_what_an_announced_event_makes_of_points_is_usual_while_it_lasts(
    api: Api, pool: asyncpg.Pool
) -> None:
    await add_model(pool)
    begins, ends = (datetime.fromtimestamp(EVENING / 1000 + at, UTC) for at in (0, LATER + 60))
    await set_board(api, "arena", mode="reject", events=(AnnouncedEvent(begins, ends, 3.0),))
    await play(api, "arena", "ann")
    assert (await post(api, "arena", "ann", "triple", LATER, points=9)).status == 200
    after = await post(api, "arena", "ann", "no more", LATER + 300, points=9)
    assert (after.outcome, after.json["agents"]) == ((403, "anomaly_rejected"), ["behavior"])


async def test_in_mode_flag_all_counts_and_the_queue_says_why(api: Api, pool: asyncpg.Pool) -> None:
    await add_model(pool)
    await set_board(api, "arena", mode="flag")
    await play(api, "arena", "ann")
    assert (await post(api, "arena", "ann", "k1", LATER, points=3, **SYDNEY)).status == 200
    assert await api.top("arena") == {"ann": 2 * len(USUAL) + 3}
    admin = api.bearing(api.service.token("admin"))

    async def queued() -> list[dict[str, object]]:
        reviews: list[dict[str, object]] = (await admin.get("/api/admin/reviews")).json["reviews"]
        return reviews

    async with api.service.persisting():
        (case,) = await wait_until(queued, description="the case in the queue")
    assert (case["kind"], case["actionId"]) == ("flagged", "k1")
    assert isinstance(case["findings"], list)
    finding = next(f for f in case["findings"] if f["feature"] == "speed")
    assert (finding["agent"], finding["unit"]) == ("location", "km/h")
    assert finding["value"] > finding["high"] >= finding["low"]


@pytest.mark.parametrize("mode", ["off", "flag", "reject"])
async def test_the_boards_own_bounds_and_rate_hold_in_every_mode(
    api: Api, pool: asyncpg.Pool, mode: GateMode
) -> None:
    await add_model(pool)
    rate = Rate(actions=2, seconds=60)
    await set_board(api, "arena", mode=mode, max_points=2, rate=rate)
    for _ in range(2):
        answer = await post(api, "arena", "ann", "k1", 0, points=3)
        assert answer.outcome == (422, "points_out_of_bounds")
    for i, after in enumerate(USUAL[:2]):
        assert (await post(api, "arena", "ann", f"a{i}", after)).status == 200
    answer = await post(api, "arena", "ann", "a2", USUAL[2])
    assert answer.outcome == (429, "rate_limited")
    assert await api.top("arena") == {"ann": 4}


async def test_a_model_that_is_activated_judges_without_a_restart(
    start_api: StartApi, pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_gates, "POLL", 0.02)
    api = await start_api()
    await set_board(api, "arena", mode="reject")
    await play(api, "arena", "ann")
    assert (await post(api, "arena", "ann", "k1", LATER, points=50)).status == 200

    version = await add_model(pool)

    async def changed_over() -> bool:
        state = (await api.get("/readyz")).json["parts"]["gate"]
        return bool(state["models"] == {"": version} and state["learning"] is False)

    await wait_until(changed_over, description="the model is in force")
    assert (await post(api, "arena", "ann", "k2", LATER, points=50)).status == 403


async def test_a_board_may_have_a_model_of_its_own(api: Api, pool: asyncpg.Pool) -> None:
    await add_model(pool, "arena")
    for board in ("arena", "other"):
        await set_board(api, board, mode="reject")
    assert (await post(api, "arena", "ann", "k1", 0, points=50)).status == 403
    assert (await post(api, "other", "ann", "k1", 0, points=50)).status == 200


async def test_a_model_that_cannot_be_used_stops_only_its_own_board(
    api: Api, pool: asyncpg.Pool
) -> None:
    await add_model(pool)
    await add_model(pool, "arena", content=b"not a model")
    for board in ("arena", "other"):
        await set_board(api, board, mode="reject")
    refused = await post(api, "arena", "ann", "k1", 0)
    assert refused.outcome == (503, "unavailable")
    assert refused.headers["Retry-After"] == "1"
    assert (await post(api, "other", "ann", "k1", 0)).status == 200


async def test_a_board_keeps_its_model_when_the_next_one_cannot_be_used(
    start_api: StartApi, pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_gates, "POLL", 0.02)
    await add_model(pool)
    api = await start_api()
    await set_board(api, "arena", mode="reject")
    assert (await post(api, "arena", "ann", "k1", 0)).status == 200
    broken = await add_model(pool, content=b"not a model")

    async def noticed() -> bool:
        state = (await api.get("/readyz")).json["parts"]["gate"]
        return bool(state["models"] == {"": broken})

    await wait_until(noticed, description="the next model is known")
    assert (await post(api, "arena", "ann", "k2", LATER, points=50)).status == 403


class Loading:
    """Stands before the loading of gates, which fails as long as memory is ``short``."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.short = True
        self.tries = 0
        self._load = model_gates._build
        monkeypatch.setattr(model_gates, "_build", self)

    def __call__(self, content: bytes | None) -> Any:
        self.tries += 1
        if self.short:
            raise ImportError("numpy: failed to map segment from shared object")
        return self._load(content)


async def test_without_memory_to_load_the_gate_its_boards_get_503_and_then_it_is_loaded(
    start_api: StartApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    loading = Loading(monkeypatch)
    monkeypatch.setattr(model_gates, "LOAD_AGAIN", 3600)
    monkeypatch.setattr(model_gates, "POLL", 3600)
    api = await start_api()
    await set_board(api, "arena", mode="flag")
    await set_board(api, "plain", mode="off")
    with capture_logs() as logs:
        for _ in range(9):
            refused = await post(api, "arena", "ann", "k1", 0)
            assert refused.outcome == (503, "unavailable")
            assert refused.headers["Retry-After"] == "1"
    assert [entry["event"] for entry in logs if entry["log_level"] == "error"] == [
        "gate_not_loaded"
    ]
    assert loading.tries == 1, "not by every post"
    assert (await api.get("/readyz")).json["parts"]["gate"]["up"] is False
    assert (await post(api, "plain", "ann", "k1", 0)).status == 200

    loading.short = False
    monkeypatch.setattr(model_gates, "LOAD_AGAIN", 0)
    assert (await post(api, "arena", "ann", "k1", 0)).status == 200
    assert (await api.get("/readyz")).json["parts"]["gate"]["up"] is True


async def test_a_gate_that_could_not_be_loaded_is_loaded_later_though_nobody_posts(
    start_api: StartApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    loading = Loading(monkeypatch)
    monkeypatch.setattr(model_gates, "POLL", 0.02)
    api = await start_api()
    await set_board(api, "arena", mode="flag")
    assert (await post(api, "arena", "ann", "k1", 0)).outcome == (503, "unavailable")
    loading.short = False

    async def loaded() -> bool:
        return bool((await api.get("/readyz")).json["parts"]["gate"].get("used"))

    await wait_until(loaded, description="the gate is loaded")


@pytest.fixture
def four_at_once(monkeypatch: pytest.MonkeyPatch) -> asyncio.Barrier:
    """Lets no server judge before four have read the memories, as long as the barrier stands."""
    barrier = asyncio.Barrier(4)
    read = JudgedCalls._read

    async def read_together(self: JudgedCalls, *args: Any) -> Any:
        memories = await read(self, *args)
        with suppress(asyncio.BrokenBarrierError):
            await barrier.wait()
            await barrier.abort()
        return memories

    monkeypatch.setattr(JudgedCalls, "_read", read_together)
    return barrier


async def test_a_burst_over_four_servers_is_judged_as_one(
    start_api: StartApi, pool: asyncpg.Pool, four_at_once: asyncio.Barrier
) -> None:
    await four_at_once.abort()
    await add_model(pool)
    servers = [await start_api() for _ in range(4)]
    for board in ("one-server", "four-servers"):
        await set_board(servers[0], board, mode="reject")
        await play(servers[0], board, "ann")
    in_order = [await post(servers[0], "one-server", "ann", f"burst-{i}", LATER) for i in range(50)]
    await four_at_once.reset()
    spread = await burst(servers, "four-servers", "ann")
    assert four_at_once.broken  # they did read together
    assert 0 < accepted(spread) == accepted(in_order) < 5
    top = await servers[0].top("four-servers")
    assert top == await servers[0].top("one-server")


async def test_a_board_whose_redis_lost_everything_still_knows_its_users(
    api: Api, pool: asyncpg.Pool, redis: Redis
) -> None:
    await set_board(api, "arena", mode="reject")
    await play(api, "arena", "ann")
    async with api.service.persisting():

        async def persisted() -> bool:
            count: int = await pool.fetchval("SELECT count(*) FROM score_action")
            return count == len(USUAL)

        await wait_until(persisted, description="the ledger has the actions")
    await redis.flushall()
    # Ten minutes after London: only who knows the last place sees that it is too far.
    answer = await post(api, "arena", "ann", "k1", LATER, **SYDNEY)
    assert answer.json.get("agents") == ["location"], answer
    assert (await post(api, "arena", "bob", "k1", LATER, **SYDNEY)).status == 200


async def test_a_device_is_remembered_by_what_its_users_did_on_it(
    api: Api, pool: asyncpg.Pool, redis: Redis
) -> None:
    await set_board(api, "arena", mode="reject")
    await play(api, "arena", "ann")
    async with api.service.persisting():

        async def persisted() -> bool:
            count: int = await pool.fetchval("SELECT count(*) FROM score_action")
            return count == len(USUAL)

        await wait_until(persisted, description="the ledger has the actions")
    await redis.flushall()
    assert (await post(api, "arena", "ann", "k1", LATER)).status == 200
    (key,) = [key async for key in redis.scan_iter("sb:*:device:*")]
    stored = await redis.get(key)
    assert isinstance(stored, bytes)
    record = decode_device(stored.partition(b":")[2])
    assert record.played == [pytest.approx(len(USUAL) + 1, rel=0.01)]


async def test_a_batch_is_judged_in_order_within_itself(api: Api, pool: asyncpg.Pool) -> None:
    await add_model(pool)
    await set_board(api, "arena", mode="reject")
    await play(api, "arena", "ann")
    actions = [action("ann", f"burst-{i}", LATER) for i in range(50)]
    answer = await api.post("/api/boards/arena/scores", {"actions": actions})
    statuses = [result["status"] for result in answer.json["results"]]
    assert statuses[0] == 200
    assert set(statuses[5:]) == {403}


async def test_a_user_whom_nobody_can_judge_now_is_told_to_come_again(
    api: Api, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    await set_board(api, "arena", mode="reject")
    await play(api, "arena", "ann")
    await redis.delete(*[key async for key in redis.scan_iter("sb:*:profile:*")])

    async def away(*_: object) -> None:
        raise Unavailable("Postgres can't be reached.")

    monkeypatch.setattr(LedgerCases, "recent", away)
    answer = await post(api, "arena", "ann", "k1", LATER)
    assert answer.outcome == (503, "unavailable")
    assert answer.headers["Retry-After"] == "1"
    assert (await post(api, "arena", "bob", "k1", LATER)).status == 200
