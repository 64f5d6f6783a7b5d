"""Errors of pages: what a service refused becomes a page that says what happened and what to do.

Answers of the public API are shaped by their own handlers and never come through here.
"""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from apps.core.errors import ApiError


class ErrorPages:
    """Turns an ApiError that left a page's view into an HTML page with its status."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Django calls this when a view raised."""
        if not isinstance(error, ApiError) or request.path.startswith("/api/"):
            return None
        template = "404.html" if error.status == 404 else "503.html" if error.status >= 429 else "400.html"
        response = render(request, template, {"message": error.message}, status=error.status)
        if error.retry_after is not None:
            response["Retry-After"] = str(error.retry_after)
        return response
