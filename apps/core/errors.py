"""The errors a request can end in: raised in services, turned into an answer in one place per protocol.

Shapes and names are those clients of the public API expect (public API reference, error shapes).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


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


class Unavailable(ApiError):
    """503: a store that should be there is not; nothing was written."""

    status = 503
    error = "ServiceUnavailableError"
