"""One attempt at a delivery: a POST to an address that was checked, of which only the status of the
answer is read.

Every attempt looks the name up and connects anew. The check is made where the socket is: whatever a
name led to a moment ago, the address that is connected to is the one that was looked at."""

from __future__ import annotations

import asyncio
import socket
import ssl
from http import HTTPStatus
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from aiohttp import (
    ClientConnectorCertificateError,
    ClientConnectorDNSError,
    ClientConnectorError,
    ClientError,
    ClientSession,
    ClientSSLError,
    ClientTimeout,
    DummyCookieJar,
    TCPConnector,
)

from scoreboard.domain.webhook_signatures import signatures
from scoreboard.domain.webhook_targets import WebhookTargets
from scoreboard.domain.webhooks import MAX_WEBHOOKS, DueDelivery
from scoreboard.webhooks.names import Names

TIMEOUT = 15.0  # seconds for an attempt, from looking the name up to the head of the answer
BUFFER = 4096  # bytes of an answer that are held at most before it is hung up on


class Sender:
    """``encryption`` is how certificates are checked; None: by the machine's authorities."""

    def __init__(
        self,
        targets: WebhookTargets,
        *,
        timeout: float = TIMEOUT,
        encryption: ssl.SSLContext | None = None,
    ) -> None:
        self._targets = targets
        self._timeout = timeout
        self._encryption = encryption or ssl.create_default_context()
        self._names = Names(MAX_WEBHOOKS)

    async def send(self, due: DueDelivery) -> str:
        """Makes one attempt. Returns why it failed, in words that tell nothing secret; empty when
        the receiver took the event."""
        way = _Way(self._targets, encrypted=urlsplit(due.url).scheme == "https")
        try:
            status = await self._post(due, way)
        except TimeoutError:
            return f"no answer within {self._timeout:g} s"
        except (ClientConnectorCertificateError, ClientSSLError):
            return "no trusted connection (TLS)"
        except ClientConnectorDNSError:
            return "the host's name is not known"
        except ClientConnectorError:
            return "the host's address is not allowed" if way.refused else "no connection"
        except (ClientError, OSError, ValueError):
            return "no valid answer"
        if 200 <= status < 300:
            return ""
        if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
            return f"answered {status}; redirects are not followed"
        return f"answered {status}"

    async def _post(self, due: DueDelivery, way: _Way) -> int:
        timestamp = int(due.taken.timestamp())  # this machine's clock may be wrong
        body = due.body
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "scoreboard",
            "webhook-id": due.message,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": signatures(
                due.secret, due.former, message=due.message, timestamp=timestamp, body=body
            ),
        }
        async with (
            asyncio.timeout(self._timeout),
            ClientSession(
                connector=TCPConnector(
                    resolver=self._names,
                    use_dns_cache=False,
                    force_close=True,
                    ssl=self._encryption,
                    socket_factory=way.socket,
                ),
                timeout=ClientTimeout(total=self._timeout),
                cookie_jar=DummyCookieJar(),
                auto_decompress=False,
                read_bufsize=BUFFER,
            ) as session,
            session.post(due.url, data=body, headers=headers, allow_redirects=False) as response,
        ):
            response.close()  # what follows the head is of no interest
            return response.status


class _Way:
    """Makes the sockets of an attempt, each for an address to which it may go."""

    def __init__(self, targets: WebhookTargets, *, encrypted: bool) -> None:
        self._targets = targets
        self._encrypted = encrypted
        self.refused = False

    def socket(self, info: Any) -> socket.socket:
        family, kind, protocol, _, address = info
        if not self._targets.allows(
            ip_address(address[0].partition("%")[0]), encrypted=self._encrypted
        ):
            self.refused = True
            raise PermissionError("not allowed")
        made = socket.socket(family, kind, protocol)
        made.setblocking(False)
        return made
