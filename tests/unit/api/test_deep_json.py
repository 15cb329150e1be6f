"""JSON that is nested deeper than anybody needs."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoreboard.api.bodies import decode
from scoreboard.api.deep_json import MAX_DEPTH, MAX_PRUNED, pruned
from scoreboard.domain.actions import RawActionBatch, ScoreAction, UserList
from scoreboard.domain.boards import BoardSettings
from scoreboard.errors import InvalidRequest

documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


@given(documents)
def test_what_is_not_deep_stays_as_it_is(document: object) -> None:
    text = json.dumps(document).encode()

    assert pruned(text) == text


@pytest.mark.parametrize("depth", [MAX_DEPTH + 1, 100, 984, 5_000, 20_000])
@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"[":', "}")])
def test_what_is_deep_becomes_a_null_and_the_rest_stays(
    depth: int, opening: str, closing: str
) -> None:
    deep = opening * depth + '"]"' + closing * depth
    text = f'[1, {deep}, {{"a": [2, "\\\\"]}}]'.encode()
    shallow = pruned(text)

    assert shallow is not None
    if opening == "[":
        expected: object = None
        for _ in range(MAX_DEPTH - 1):
            expected = [expected]
        assert json.loads(shallow) == [1, expected, {"a": [2, "\\"]}]
    assert json.loads(shallow)[0::2] == [1, {"a": [2, "\\"]}]


def test_a_large_body_is_not_looked_through() -> None:
    assert pruned(b"[" * (MAX_PRUNED + 1)) is None


@given(st.binary(max_size=200))
def test_noise_does_no_harm(noise: bytes) -> None:
    pruned(noise)
    pruned(b"[" * 100 + noise)


@pytest.mark.parametrize("depth", [33, 984, 1_200, 60_000])
@pytest.mark.parametrize("kind", [RawActionBatch, ScoreAction, UserList, BoardSettings])
@pytest.mark.parametrize("field", ["actions", "userIds", "context", "rate", "mode", "other"])
def test_every_body_that_is_too_deep_is_an_invalid_request(
    depth: int, kind: type, field: str
) -> None:
    body = f'{{"{field}":{"[" * depth}{"]" * depth}}}'.encode()

    def read() -> None:
        decoded: object = decode(msgspec.json.Decoder(kind), body)
        if isinstance(decoded, RawActionBatch):
            decode(msgspec.json.Decoder(ScoreAction), decoded.actions[0])

    with pytest.raises(InvalidRequest):
        read()


def test_of_many_actions_only_the_one_that_is_too_deep_is_at_fault() -> None:
    good = '{"userId":"ann","actionId":"a1","points":1}'
    deep = '{"userId":"ann","actionId":"a2","points":' + "[" * 5_000 + "]" * 5_000 + "}"
    body = f'{{"actions":[{good},{deep},{good}]}}'.encode()
    first, second, third = decode(msgspec.json.Decoder(RawActionBatch), body).actions
    one = msgspec.json.Decoder(ScoreAction)

    assert decode(one, first) == decode(one, third) == ScoreAction("ann", "a1", 1)
    with pytest.raises(InvalidRequest) as refused:
        decode(one, second, "actions[1]")
    assert refused.value.extra["path"] == "actions[1].points"


def test_a_large_body_that_is_too_deep_is_refused_whole() -> None:
    body = b'{"actions":[' + b"[" * MAX_PRUNED
    with pytest.raises(InvalidRequest, match="Nested too deeply"):
        decode(msgspec.json.Decoder(RawActionBatch), body)
