"""Frames: what we build is read by others (the WebSocket tests), what we take apart is random."""

from __future__ import annotations

from contextlib import suppress
from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoreboard.api.live import frames

LIMIT = 1024
MANY = 10_000  # frames; more than any of these tests sends


def masked(opcode: int, payload: bytes, *, mask: bytes = b"\x01\x02\x03\x04") -> bytes:
    """A client's frame."""
    size = len(payload)
    header = pack("!BB", 0x80 | opcode, 0x80 | size) if size < 126 else b""
    if 126 <= size < 65536:
        header = pack("!BBH", 0x80 | opcode, 0x80 | 126, size)
    elif size >= 65536:
        header = pack("!BBQ", 0x80 | opcode, 0x80 | 127, size)
    return header + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(payload))


opcodes = st.sampled_from([frames.TEXT, frames.BINARY, frames.CONTINUATION])
client_frames = st.tuples(opcodes, st.binary(max_size=LIMIT)) | st.tuples(
    st.sampled_from([frames.PING, frames.PONG, frames.CLOSE]), st.binary(max_size=125)
)


@pytest.mark.parametrize(
    ("size", "header"),
    [
        (0, b"\x81\x00"),
        (125, b"\x81\x7d"),
        (126, b"\x81\x7e\x00\x7e"),
        (65_535, b"\x81\x7e\xff\xff"),
        (65_536, b"\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x00"),
    ],
)
def test_the_header_of_each_length_is_the_one_of_the_standard(size: int, header: bytes) -> None:
    payload = b"x" * size

    assert frames.frame(frames.TEXT, payload) == header + payload


def test_a_close_frame_is_cut_to_what_fits_a_control_frame() -> None:
    frame = frames.close(4404, "ü" * 100)

    assert frame[0] == 0x88
    assert frame[1] == len(frame) - 2 <= 125
    assert frame[2:4] == pack("!H", 4404)
    assert frame[4:].decode() == "ü" * 61


@given(sent=st.lists(client_frames, max_size=8), data=st.data())
def test_frames_arrive_whole_however_the_network_cuts_them(
    sent: list[tuple[int, bytes]], data: st.DataObject
) -> None:
    stream = b"".join(masked(opcode, payload) for opcode, payload in sent)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]

    received: list[frames.Received] = []
    rest = b""
    for piece in pieces:
        found, rest = frames.split(rest + piece, limit=LIMIT, most=MANY)
        received += found

    assert received == [(*each, True) for each in sent]
    assert rest == b""


@given(noise=st.binary(max_size=4096))
def test_noise_is_refused_or_waits_for_its_end_within_the_limit(noise: bytes) -> None:
    rest = b""
    with suppress(frames.FrameError):
        _, rest = frames.split(noise, limit=LIMIT, most=MANY)

    assert len(rest) < LIMIT + 14  # the longest header


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (b"\x81\x01x", frames.PROTOCOL_ERROR),  # not masked
        (b"\xc1\x80" + bytes(4), frames.PROTOCOL_ERROR),  # reserved bit
        (b"\x83\x80" + bytes(4), frames.PROTOCOL_ERROR),  # unknown opcode
        (b"\x09\x80" + bytes(4), frames.PROTOCOL_ERROR),  # a ping in pieces
        (b"\x89\xfe\x00\x7e" + bytes(130), frames.PROTOCOL_ERROR),  # too long a ping
        (masked(frames.TEXT, bytes(LIMIT + 1)), frames.MESSAGE_TOO_BIG),
        (b"\x81\xff" + b"\xff" * 8, frames.MESSAGE_TOO_BIG),  # refused before it arrives
    ],
)
def test_a_frame_that_breaks_the_protocol_is_refused(frame: bytes, code: int) -> None:
    with pytest.raises(frames.FrameError) as refusal:
        frames.split(frame, limit=LIMIT, most=MANY)

    assert refusal.value.code == code


def test_of_a_burst_no_more_frames_are_looked_at_than_are_asked_for() -> None:
    noise = b"\xff" * 6000  # no frame: whoever looks at it refuses it
    found, rest = frames.split(masked(frames.PING, b"") * 10 + noise, limit=LIMIT, most=10)

    assert found == [(frames.PING, b"", True)] * 10
    assert rest == noise


@given(text=st.text(), data=st.data())
def test_text_is_valid_however_its_message_is_cut_into_frames(
    text: str, data: st.DataObject
) -> None:
    payload = text.encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(payload)), max_size=4)))
    begun = None
    for place, (start, end) in enumerate(zip([0, *cuts], [*cuts, len(payload)], strict=True)):
        opcode = frames.CONTINUATION if place else frames.TEXT
        part = frames.Received(opcode, payload[start:end], place == len(cuts))
        begun = frames.follow(begun, part)
        assert (begun is None) == part.last
