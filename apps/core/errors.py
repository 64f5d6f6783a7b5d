"""The errors a request can end in: raised in services, turned into an answer in one place per protocol.

Shapes and names are those clients of the public API expect (public API reference, error shapes).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime


class ApiError(Exception):
    """An error with an HTTP status; `message` says what was wrong and what to do about it."""

    status = 500
    error = "InternalServerError"

    def __init__(self, message: str, *, error: str | None = None, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        if error is not None:
            self.error = error
        self.retry_after = retry_after  # seconds; becomes the Retry-After header

    def body(self) -> dict[str, object]:
        """JSON body of the answer."""
        return {"message": self.message, "error": self.error}

    def headers(self) -> dict[str, str]:
        """Headers of the answer."""
        return {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}


class InvalidRequest(ApiError):
    """400: understood as a request, but not a valid one."""

    status = 400
    error = "InvalidRequestError"


@dataclass(frozen=True, slots=True)
class Issue:
    """One thing that is wrong with a body or a query; `path` leads to the field."""

    code: str
    path: tuple[str | int, ...]
    message: str


class InvalidBody(ApiError):
    """400: a body that is not of the endpoint's shape; says everything that is wrong with it."""

    status = 400

    def __init__(self, issues: Sequence[Issue]) -> None:
        super().__init__("Invalid request data")
        self.issues = issues

    def body(self) -> dict[str, object]:
        """With the issues in place of an error's name."""
        issues = [
            {"code": issue.code, "path": list(issue.path), "message": issue.message} for issue in self.issues
        ]
        return {"message": self.message, "error": issues}


class Unauthorized(ApiError):
    """401: no credentials, or credentials that are not ours. Body is `{message}` alone."""

    status = 401
    error = "UnauthorizedError"

    def body(self) -> dict[str, object]:
        """Authentication failures carry no error name on standard routes."""
        return {"message": self.message}

    def headers(self) -> dict[str, str]:
        """With the challenge."""
        return super().headers() | {"WWW-Authenticate": 'Basic realm="api"'}


class Forbidden(ApiError):
    """403: known, but not allowed this. Body is `{message}` alone."""

    status = 403
    error = "ForbiddenError"

    def body(self) -> dict[str, object]:
        """Authorization failures carry no error name on standard routes."""
        return {"message": self.message}


class Suspended(Forbidden):
    """403: this project's, or organization's, telemetry is refused for the time being."""


class NotFound(ApiError):
    """404: not there, or another tenant's."""

    status = 404
    error = "LangfuseNotFoundError"


class MethodNotAllowed(ApiError):
    """405."""

    status = 405
    error = "MethodNotAllowedError"


class AnswerTooLarge(ApiError):
    """422: what was asked for is more than one answer holds."""

    status = 422
    error = "PayloadTooLargeError"


class Conflict(ApiError):
    """409."""

    status = 409
    error = "LangfuseConflictError"


class TooLarge(ApiError):
    """413: a body over its limit."""

    status = 413
    error = "PayloadTooLargeError"


class TooBusy(ApiError):
    """429: more at once than this process takes; the client should come back."""

    status = 429
    error = "TooManyRequestsError"


class RateLimited(ApiError):
    """429: more requests in a window of time than the organization's plan holds. One shape on all routes."""

    status = 429

    def __init__(self, message: str, *, limit: int, seconds: int, reset: datetime) -> None:
        """`seconds` until `reset`, when the window ends."""
        super().__init__(message, retry_after=seconds)
        self.limit = limit
        self.reset = reset

    def body(self) -> dict[str, object]:
        """With what a client needs to wait by itself."""
        reset = self.reset.strftime("%Y-%m-%dT%H:%M:%S.000Z")
        details = {
            "retryAfterSeconds": self.retry_after, "limit": self.limit, "remaining": 0, "resetAt": reset,
        }  # fmt: skip
        return {"message": self.message, "code": "rate_limited", "details": details}

    def headers(self) -> dict[str, str]:
        """The same as headers."""
        return super().headers() | {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": "0",
            "X-RateLimit-Reset": self.reset.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
        }


class Unavailable(ApiError):
    """503: a store that should be there is not; nothing was written."""

    status = 503
    error = "ServiceUnavailableError"


Shape = Callable[[ApiError], dict[str, object]]  # the body of an error, for a family of routes


def standard(error: ApiError) -> dict[str, object]:
    """On most routes."""
    return error.body()


def named(error: ApiError) -> dict[str, object]:
    """On prompts: credentials that fail are told with the error's name too."""
    if error.status in (401, 403):
        return {"error": error.error, "message": error.message}
    return error.body()


def bare(error: ApiError) -> dict[str, object]:
    """On routes of organizations: a single text."""
    return {"error": error.message} if error.status in (401, 403, 404, 405) else error.body()
