"""As much of HTTP/1.1 as a load generator needs: answers with a Content-Length on kept connections.
A general client would cost several times the CPU, on the machine that is being measured."""

from __future__ import annotations

import msgspec

SWITCHING_PROTOCOLS = 101
MAX_HEAD = 16_384
MAX_BODY = 16 * 1024 * 1024
_END = b"\r\n\r\n"
_LENGTH = b"\r\ncontent-length:"
_CLOSES = b"\r\nconnection: close"


class ProtocolError(Exception):
    """What came is not an answer that this client understands."""


class Answer(msgspec.Struct, frozen=True, gc=False):
    """``closes``: the server will take no further request on this connection."""

    status: int
    body: bytes
    closes: bool = False


class AnswerParser:
    """Cuts a stream of bytes into answers, however the bytes are split."""

    def __init__(self) -> None:
        self._buffer = b""

    def feed(self, data: bytes) -> list[Answer]:
        """The answers completed by ``data``. Raises ProtocolError."""
        if self._buffer:
            data = self._buffer + data
        answers = []
        start = 0
        while start < len(data):
            end = data.find(_END, start)
            if end < 0:
                if len(data) - start > MAX_HEAD:
                    raise ProtocolError("the head of an answer has no end")
                break
            head = data[start:end].lower()
            status = _status(head)
            body_at = end + len(_END)
            body_end = body_at + _length(head, status)
            if body_end > len(data):
                break
            answers.append(Answer(status, data[body_at:body_end], _CLOSES in head))
            start = body_end
            if status == SWITCHING_PROTOCOLS:
                break
        self._buffer = data[start:]
        return answers

    def rest(self) -> bytes:
        """What was read beyond the last answer: after an upgrade, the other protocol's bytes."""
        rest, self._buffer = self._buffer, b""
        return rest


def _status(head: bytes) -> int:
    if not head.startswith(b"http/1.1 ") or not head[9:12].isdigit():
        raise ProtocolError(f"not an HTTP/1.1 answer: {head[:40]!r}")
    return int(head[9:12])


def _length(head: bytes, status: int) -> int:
    if status < 200 or status in (204, 304):
        return 0
    at = head.find(_LENGTH)
    if at < 0:
        raise ProtocolError(f"an answer {status} without Content-Length")
    text = head[at + len(_LENGTH) :].partition(b"\r\n")[0].strip()
    if not text.isdigit() or (length := int(text)) > MAX_BODY:
        raise ProtocolError(f"a Content-Length of {text[:20]!r}")
    return length
