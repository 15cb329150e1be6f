"""What administrators and operators did, for whoever has to account for it."""

from __future__ import annotations

import re

import msgspec
from aiohttp import web

from scoreboard.api.admin import DEFAULT_LIMIT, MAX_ID, MAX_LIMIT
from scoreboard.api.admin_queries import moderated_board
from scoreboard.api.auth import Authenticator
from scoreboard.api.parameters import identifier, number, span
from scoreboard.api.ports import AuditReader
from scoreboard.api.written import for_caller
from scoreboard.domain.admin_audit import AuditEntry, AuditFilter
from scoreboard.domain.moments import moment_of
from scoreboard.errors import InvalidRequest

DECISION = "[a-z_]{1,64}"


class AuditPage(msgspec.Struct, frozen=True):
    """Lines of the audit, newest first; ``next`` is the cursor of the page after, null on the last
    one."""

    entries: list[AuditEntry]
    next: str | None


class AuditHandlers:
    """The call that reads the audit."""

    def __init__(self, audit: AuditReader, authenticator: Authenticator) -> None:
        self._audit = audit
        self._authenticator = authenticator

    async def list(self, request: web.Request) -> web.Response:
        """A page of the audit. A token for some boards sees the lines that are about these."""
        principal = await self._authenticator.administrator(request)
        query = request.query
        board, decision = moderated_board(query, principal), query.get("decision")
        if decision is not None and not re.fullmatch(DECISION, decision):
            raise InvalidRequest("decision is a word such as board_set.", path="decision")
        actor, user = (
            None if (text := query.get(name)) is None else identifier(text, name)
            for name in ("actor", "user")
        )
        limit = number(query.get("limit", str(DEFAULT_LIMIT)), "limit", least=1, most=MAX_LIMIT)
        before = number(query.get("cursor", str(MAX_ID)), "cursor", least=1, most=MAX_ID)
        since, until = map(moment_of, span(query))
        wanted = AuditFilter(actor, decision, board, user, principal.boards, since, until)
        found = await self._audit.page(wanted, before=before, limit=limit + 1)
        following = str(found[limit - 1].id) if len(found) > limit else None
        return for_caller(AuditPage(found[:limit], following))
