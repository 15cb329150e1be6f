"""Revoked tokens: single ones by their ``jti``, and all of a subject that were issued before a
moment."""

from __future__ import annotations

from typing import Protocol

import msgspec

MAX_TOKEN_ID = 512  # characters of a jti that can be revoked
NEVER = 253_402_300_799.0  # the end of the year 9999, in Unix seconds


class Revocation(msgspec.Struct, frozen=True, omit_defaults=True):
    """Either ``token`` (a ``jti``) or ``subject`` is set; ``before`` belongs to a subject. Both
    times in Unix seconds; from ``until`` on none of these tokens is good anyway, so the revocation
    may be forgotten."""

    token: str | None = None
    subject: str | None = None
    before: float = 0.0
    until: float = NEVER


class Bearer(Protocol):
    """Whose token it is. Here because the domain, which has no ports.py, decides by it."""

    @property
    def subject(self) -> str:
        """The token's ``sub``."""

    @property
    def token_id(self) -> str | None:
        """Its ``jti``, if it has one."""

    @property
    def issued_at(self) -> float | None:
        """Its ``iat`` in Unix seconds, if it has one."""


class RevokedTokens:
    """The revocations in force, as one process knows them."""

    def __init__(self) -> None:
        self._tokens: dict[str, float] = {}  # until when, by jti
        self._subjects: dict[str, tuple[float, float]] = {}  # before when, until when

    def add(self, revocation: Revocation) -> bool:
        """Takes note; returns False when nothing new was said. Of two that say the same of other
        times, the later ones count."""
        if revocation.token is not None:
            known = self._tokens.get(revocation.token, 0.0)
            self._tokens[revocation.token] = max(known, revocation.until)
            return not known
        assert revocation.subject is not None
        before, until = self._subjects.get(revocation.subject, (0.0, 0.0))
        self._subjects[revocation.subject] = (
            max(before, revocation.before),
            max(until, revocation.until),
        )
        return revocation.before > before

    def forget(self, now: float) -> None:
        """Drops what is over at the Unix time ``now``."""
        for token in [token for token, until in self._tokens.items() if until <= now]:
            del self._tokens[token]
        for subject in [name for name, (_, until) in self._subjects.items() if until <= now]:
            del self._subjects[subject]

    def covers(self, bearer: Bearer) -> bool:
        """True when this token is revoked. A token that does not tell when it was issued counts as
        issued before."""
        if bearer.token_id is not None and bearer.token_id in self._tokens:
            return True
        before, _ = self._subjects.get(bearer.subject, (0.0, 0.0))
        return before > 0 and (bearer.issued_at is None or bearer.issued_at < before)

    def __len__(self) -> int:
        return len(self._tokens) + len(self._subjects)
