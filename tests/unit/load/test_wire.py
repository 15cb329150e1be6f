"""The parsers of answers and of frames, on whatever pieces the kernel hands over."""

from __future__ import annotations

import itertools
from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.load.http1 import AnswerParser, ProtocolError
from scripts.load.websocket import FrameParser

answer = st.tuples(
    st.sampled_from([200, 202, 403, 409, 422, 503]),
    st.binary(max_size=300),
    st.sampled_from([b"Content-Length", b"content-length", b"CONTENT-LENGTH"]),
    st.booleans(),
)


def _encoded(status: int, body: bytes, name: bytes, closes: bool) -> bytes:
    connection = b"Connection: close\r\n" if closes else b""
    return b"HTTP/1.1 %d Some Reason\r\nServer: x\r\n%b: %d\r\n%b\r\n%b" % (
        status, name, len(body), connection, body,
    )  # fmt: skip


def _frame(payload: bytes) -> bytes:
    size = len(payload)
    if size < 126:
        return pack("!BB", 0x81, size) + payload
    if size < 65_536:
        return pack("!BBH", 0x81, 126, size) + payload
    return pack("!BBQ", 0x81, 127, size) + payload


def _pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    places = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[a:b] for a, b in itertools.pairwise(places)]


@given(st.lists(answer, max_size=5), st.lists(st.integers(0, 10_000), max_size=12))
def test_answers_come_out_whole_however_their_bytes_are_split(
    answers: list[tuple[int, bytes, bytes, bool]], cuts: list[int]
) -> None:
    stream = b"".join(_encoded(*one) for one in answers)
    parser = AnswerParser()
    found = [one for piece in _pieces(stream, cuts) for one in parser.feed(piece)]

    assert [(one.status, one.body, one.closes) for one in found] == [
        (status, body, closes) for status, body, _, closes in answers
    ]


@given(
    st.lists(st.binary(max_size=70_000), max_size=3), st.lists(st.integers(0, 10**6), max_size=9)
)
def test_frames_come_out_whole_however_their_bytes_are_split(
    payloads: list[bytes], cuts: list[int]
) -> None:
    stream = b"".join(map(_frame, payloads))
    parser = FrameParser()
    found = [frame for piece in _pieces(stream, cuts) for frame in parser.feed(piece)]

    assert [frame.payload for frame in found] == payloads


def test_what_follows_an_upgrade_is_kept_for_the_other_protocol() -> None:
    parser = AnswerParser()
    (upgrade,) = parser.feed(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n\x81\x00"
    )

    assert upgrade.status == 101
    assert parser.rest() == b"\x81\x00"


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"garbage\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 20_000,
    ],
)
def test_what_is_no_such_answer_is_refused(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        AnswerParser().feed(data)
