"""The errors a request can end in: raised in services, turned into an answer in one place per protocol.

Shapes and names are those clients of the public API expect (public API reference, error shapes).
"""

from __future__ import annotations


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
