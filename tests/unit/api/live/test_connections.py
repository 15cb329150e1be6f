"""What a client may send, without a network."""

from __future__ import annotations

from unittest.mock import Mock

from scoreboard.api.live import frames
from scoreboard.api.live.connections import MAX_MESSAGES, Connection
from scoreboard.api.live.feeds import Feed

PING = b"\x89\x80" + bytes(4)  # empty, masked


def connection() -> tuple[Connection, Mock]:
    """A connection and its transport, to which all goes at once."""
    opened = Connection(Mock(), Feed("global", now=0.0), None)
    opened.transport = transport = Mock()
    transport.get_write_buffer_size.return_value = 0
    return opened, transport


def test_a_burst_of_pings_ends_the_connection_before_any_is_answered() -> None:
    flooded, transport = connection()
    flooded.data_received(PING * 10_000)

    transport.abort.assert_called_once_with()
    transport.write.assert_not_called()
    assert flooded.messages == 2 * MAX_MESSAGES + 1, "the others were never looked at"


def test_a_ping_too_many_is_answered_by_a_close_frame_and_the_next_ones_by_nothing() -> None:
    chatty, transport = connection()
    chatty.data_received(PING * MAX_MESSAGES)
    answered = transport.write.call_count
    chatty.data_received(PING)
    chatty.data_received(PING)

    assert answered == MAX_MESSAGES
    [too_many] = transport.write.call_args_list[MAX_MESSAGES:]
    assert too_many.args[0] == frames.close(1008, "too many messages")
    transport.abort.assert_not_called()
