"""How a request proves which project or organization it speaks for: API keys.

Secrets are stored as HMAC-SHA256 under KEY_HASH_SECRET and looked up by that hash, so that neither the
database nor its index says anything about a secret. Answers are kept for a few seconds, which bounds
both the cost of a request and how long a revoked key lives in another process.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from django.conf import settings
from django.db import DatabaseError, close_old_connections, connection, transaction
from django.db.models import QuerySet
from django.utils import timezone

from apps.audit.models import AuditEntry
from apps.audit.services import Actor
from apps.core.errors import Forbidden, Suspended, Unauthorized, Unavailable
from apps.organizations.models import ApiKey, KeyScope, Project
from apps.organizations.scopes import TELEMETRY_WRITES, key_allows

log = logging.getLogger(__name__)

CACHE_SECONDS = 3.0  # how long a revocation may take to reach other processes
CACHE_ENTRIES = 10_000
MAX_HEADER = 1_000  # characters; ours have about 120
USE_RECORDED_EVERY = timedelta(minutes=1)
PUBLIC_PREFIX, SECRET_PREFIX = "pk-lf-", "sk-lf-"  # what clients and their users recognise
NO_CREDENTIALS = "No credentials. Send Basic auth with public key and secret key."
_EXPIRED = "This API key has expired. Create another in the settings."


@dataclass(frozen=True, slots=True)
class Access:
    """What a request's credentials open. `kind` is `public` when only the public half was shown, `default`
    for a sender on this machine who showed none, `nobody` when nothing opened anything, `admin` for the
    instance's own key."""

    key_id: str
    public_key: str
    kind: Literal["project", "organization", "admin", "public", "default", "nobody"]
    scope: str  # models.KeyScope of the key
    organization_id: str
    project_id: str | None  # None for an organization key
    suspended: str = ""  # why telemetry is refused; empty while it is taken
    plan: str = ""  # of the organization, and limits of its own: resource, count, seconds (limits)
    rates: tuple[tuple[str, int, int], ...] = ()

    @property
    def is_shown(self) -> bool:
        """Whether the sender showed a key."""
        return self.kind not in ("default", "nobody")

    def require(self, operation: str) -> str:
        """The project's id, when these credentials may do `operation` (scopes.KEY_OPERATIONS) in it."""
        if self.kind == "nobody":
            raise Unauthorized(NO_CREDENTIALS)
        if self.project_id is None:
            raise Forbidden("This is an organization key. Use a key of the project.")
        if self.kind == "public" and not key_allows("public", operation):
            raise Forbidden("A public key alone writes scores only. Use Basic auth with the secret key.")
        if not key_allows(self.scope, operation):
            raise Forbidden(f"This key's scope is '{self.scope}', which does not include '{operation}'.")
        if self.suspended and operation in TELEMETRY_WRITES:
            raise Suspended(
                f"Ingestion is suspended: {self.suspended} Nothing is stored until it is resumed; ask an"
                " owner of the organization, or whoever runs this server. What is stored stays readable."
            )
        return self.project_id

    def require_organization(self, operation: str) -> str:
        """The organization's id, when these credentials are an organization key that may do `operation`."""
        if self.kind != "organization":
            raise Forbidden("This is a project key. Use a key of the organization.")
        if not key_allows(self.scope, operation):
            raise Forbidden(f"This key's scope is '{self.scope}', which does not include '{operation}'.")
        return self.organization_id

    def actor(self, ip: str | None = None, request_id: str = "") -> Actor:
        """The key as the audit log names it."""
        return Actor(AuditEntry.Kind.KEY, self.key_id, self.public_key, ip, request_id)


NOBODY = Access("", "", "nobody", "", "", None)


@dataclass(frozen=True, slots=True)
class _Answer:
    """One remembered outcome."""

    until: float  # monotonic seconds
    access: Access | None
    expires_at: datetime | None
    refusal: str


_answers: dict[bytes, _Answer] = {}  # what opened something
_refusals: dict[bytes, _Answer] = {}  # apart: anybody can fill these, and they must not push those out


def hash_secret(secret: str) -> str:
    """The keyed hash a secret is stored under: 64 hex digits."""
    return _digest(secret).hex()


def authenticate(authorization: str | None) -> Access:
    """What the `Authorization` header opens. Raises Unauthorized, with what to do, when nothing, and
    Unavailable when the database cannot say.

    Synchronous and safe from any thread; asks the database once in CACHE_SECONDS for each header.
    """
    access = authenticate_cached(authorization)
    if access is not None:
        return access
    assert authorization is not None  # authenticate_cached refuses that
    return _remember(_digest(authorization), _answer(lambda: _by_header(authorization)))


def default_access(project_id: str) -> Access:
    """What LITEFUSE_OTLP_DEFAULT_PROJECT opens to a sender on this machine. Raises Unauthorized when there is
    no such project, Unavailable when the database cannot say. As `authenticate`, it may take a while."""
    place = b"default:" + project_id.encode()  # no digest is as this
    answer = _known(place)
    if answer is not None and answer.until >= time.monotonic():
        return _opened(answer)
    return _remember(place, _answer(lambda: _by_default(project_id)))


def _known(place: bytes) -> _Answer | None:
    return _answers.get(place) or _refusals.get(place)


def _remember(place: bytes, answer: _Answer) -> Access:
    answers, others = (_refusals, _answers) if answer.access is None else (_answers, _refusals)
    others.pop(place, None)
    if len(answers) >= CACHE_ENTRIES:
        answers.clear()
    answers[place] = answer
    return _opened(answer)


def authenticate_cached(authorization: str | None) -> Access | None:
    """Like `authenticate`, from memory alone, for event loops: None means "ask in a thread"."""
    if not authorization:
        raise Unauthorized(NO_CREDENTIALS)
    if len(authorization) > MAX_HEADER:
        raise Unauthorized("The Authorization header is too long to be one of ours.")
    answer = _known(_digest(authorization))
    if answer is None or answer.until < time.monotonic():
        return None
    return _opened(answer)


def was_opened(authorization: str) -> bool:
    """Whether the header opened something when it was looked up last, as far as is remembered."""
    return _digest(authorization) in _answers


def forget_answers() -> None:
    """Drop what is remembered here; called when a key is made or revoked in this process."""
    _answers.clear()
    _refusals.clear()


def _digest(text: str) -> bytes:
    """HMAC-SHA256 under KEY_HASH_SECRET; odd surrogates of a header are kept apart, never an error."""
    return hmac.digest(settings.KEY_HASH_SECRET.encode(), text.encode("utf-8", "surrogatepass"), "sha256")


def _opened(answer: _Answer) -> Access:
    """The access of an answer, unless it is a refusal or the key has expired since."""
    if answer.access is None:
        raise Unauthorized(answer.refusal)
    if answer.expires_at is not None and answer.expires_at <= timezone.now():
        raise Unauthorized(_EXPIRED)
    return answer.access


def _answer(ask: Callable[[], tuple[Access, datetime | None]]) -> _Answer:
    """Ask the database: what is opened, and until when."""
    until = time.monotonic() + CACHE_SECONDS
    if not connection.in_atomic_block:  # whose owner needs the connection as it is
        close_old_connections()  # threads of the ingestion path have no request that would
    try:
        access, expires_at = ask()
    except Unauthorized as refusal:
        return _Answer(until, None, None, refusal.message)
    except DatabaseError as error:
        raise Unavailable("API keys cannot be checked just now. Try again.", retry_after=5) from error
    return _Answer(until, access, expires_at, "")


def _by_header(authorization: str) -> tuple[Access, datetime | None]:
    key, kind = _find(authorization)
    _record_use(key)
    owner = key.organization
    suspended = key.project.suspension if key.project else owner.suspension
    limits = owner.plan, owner.rates()
    access = Access(key.id, key.public_key, kind, key.scope, owner.id, key.project_id, suspended, *limits)
    return access, key.expires_at


def _by_default(project_id: str) -> tuple[Access, None]:
    project = Project.objects.select_related("organization").filter(id=project_id).first()
    if project is None:
        raise Unauthorized("LITEFUSE_OTLP_DEFAULT_PROJECT names a project that does not exist.")
    owner, suspended = project.organization, project.suspension
    access = Access(
        "", "", "default", KeyScope.INGEST, owner.id, project.id, suspended, owner.plan, owner.rates()
    )  # fmt: skip
    return access, None


def _find(authorization: str) -> tuple[ApiKey, Literal["project", "organization", "public"]]:
    """The living key that a header names, or Unauthorized."""
    # OTEL_EXPORTER_OTLP_HEADERS has "%20" for the blank, which some programs (LiteLLM) send as it stands.
    scheme, _, value = authorization.replace("%20", " ", 1).partition(" ")
    if scheme.lower() == "basic":
        key = _by_secret(*_basic(value.strip()))
    elif scheme.lower() == "bearer":
        public_key, colon, secret = _plain(value.strip()).rpartition(":")
        if not colon and not secret.startswith(SECRET_PREFIX):
            return _by_public_key(secret), "public"
        key = _by_secret(public_key or None, secret)
    else:
        raise Unauthorized("Unknown kind of credentials. Send Basic auth with public key and secret key.")
    return key, "project" if key.project_id else "organization"


def _keys() -> QuerySet[ApiKey]:
    """Keys with whom they speak for, in one query."""
    return ApiKey.objects.select_related("organization", "project__organization")


def _by_public_key(public_key: str) -> ApiKey:
    """The living project key with this public half."""
    key = _keys().filter(public_key=public_key, project__isnull=False).first()
    if key is None:
        raise Unauthorized(
            "Unknown key. Bearer auth takes 'public key:secret key', the secret key, or, for scores alone,"
            " the public key of a project."
        )
    return _alive(key)


def _basic(encoded: str) -> tuple[str, str]:
    """Public key and secret out of a Basic header's value."""
    try:
        decoded = base64.b64decode(encoded, validate=True).decode("utf-8")
    except (binascii.Error, ValueError):
        raise Unauthorized("The Basic credentials are not base64 of 'public key:secret key'.") from None
    public_key, colon, secret = decoded.partition(":")
    if not colon or not secret:
        raise Unauthorized("The Basic credentials have no secret key. Send 'public key:secret key'.")
    return _plain(public_key), secret


def _plain(text: str) -> str:
    """Text that a database can look up: NUL, which PostgreSQL refuses, is nobody's key."""
    if "\0" in text or not text.isprintable():
        raise Unauthorized("Unknown API key.")
    return text


def _by_secret(public_key: str | None, secret: str) -> ApiKey:
    """The living key with this secret. Another public key is let pass when it is, or was, one of the same
    project (a half-finished rotation works); a stranger's or an unknown one is not. None: it was not sent."""
    key = _keys().filter(secret_hash=hash_secret(secret)).first()
    if key is None:
        raise Unauthorized(
            "Unknown API key. Check the keys, and that the base URL is that of the instance they come from."
        )
    _alive(key)
    if public_key is None or hmac.compare_digest(key.public_key.encode(), public_key.encode()):
        return key
    sibling = ApiKey.objects.filter(
        public_key=public_key, organization=key.organization_id, project=key.project_id
    )
    if not sibling.exists():
        raise Unauthorized("The secret key does not belong to this public key. Copy both from one key.")
    log.info("api key %s used with another public key of its project", key.id)
    return key


def _alive(key: ApiKey) -> ApiKey:
    """The key, unless revoked or expired."""
    if key.revoked_at is not None:
        raise Unauthorized("This API key was revoked. Create another in the settings.")
    if key.project is not None and key.project.deleted_at is not None:
        raise Unauthorized("The project of this API key was deleted.")
    if key.has_expired():
        raise Unauthorized(_EXPIRED)
    return key


def _record_use(key: ApiKey) -> None:
    """Write down that the key is in use, at most once a minute; failing to is no reason to refuse."""
    now = timezone.now()
    if key.last_used_at is not None and key.last_used_at > now - USE_RECORDED_EVERY:
        return
    try:
        with transaction.atomic():
            ApiKey.objects.filter(pk=key.pk).update(last_used_at=now)
    except DatabaseError:
        log.warning("could not record the use of api key %s", key.id, exc_info=True)
