"""Middleware of pages: built files, the reader's time zone, and the errors that services raise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import unquote
from zoneinfo import ZoneInfo

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.response import SimpleTemplateResponse
from django.urls import resolve
from django.utils import timezone, translation
from whitenoise.middleware import WhiteNoiseMiddleware

from apps.core.errors import ApiError

API = "/api/"


class ApiRequests:
    """First of all: requests of the API go straight to their views, past everything that only pages need
    (sessions, languages, forms). Their credentials, errors and headers are the views' own (`rest`)."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.pages = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not request.path_info.startswith(API):
            return self.pages(request)
        request.get_host()  # raises for one that ALLOWED_HOSTS does not name
        match = request.resolver_match = resolve(request.path_info)
        with translation.override(settings.LANGUAGE_CODE):
            response: HttpResponse = match.func(request, *match.args, **match.kwargs)
            if isinstance(response, SimpleTemplateResponse):
                response.render()
        _untie(response)
        response.setdefault("Content-Length", str(len(response.content)))
        return response


def _untie(response: HttpResponse) -> None:
    """Undo the circles that the framework makes of view, request and response. Each answer would outlive
    itself with all of its data until the garbage collector looks: every second of busy reading, and all
    requests stand still for 40 ms meanwhile (docs/performance.md)."""
    context: dict[str, Any] = getattr(response, "renderer_context", {})
    if "request" in context:
        context["request"].parser_context.clear()
        vars(context["view"]).clear()
    context.clear()


class StaticFiles(WhiteNoiseMiddleware):
    """Whitenoise, answering with whole contents.

    Its own file responses are read by a blocking iterator, which Django under ASGI warns about and gathers
    whole anyway; ours are small.
    """

    @staticmethod
    def serve(static_file: Any, request: HttpRequest) -> HttpResponse:
        """The file, or 304, or a range of it."""
        found = static_file.get_response(request.method, request.META)
        content = b""
        if found.file is not None:
            with found.file as file:
                content = file.read()
        response = HttpResponse(content, status=int(found.status))
        del response["content-type"]
        for name, value in found.headers:
            response[name] = value
        return response


class ReaderTimeZone:
    """Writes a page's times in the zone that the browser named in a cookie (ui.js); UTC until it has."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        with timezone.override(_zone(unquote(request.COOKIES.get("time_zone", "")))):
            return self.get_response(request)


def _zone(name: str) -> ZoneInfo | None:
    """The zone of that name; None when there is none. ZoneInfo keeps to its own folder by itself."""
    try:
        return ZoneInfo(name) if 0 < len(name) <= 64 else None
    except (KeyError, OSError, ValueError):  # unknown; a folder; a path that leads elsewhere
        return None


class ErrorPages:
    """Turns an ApiError that left a page's view into an HTML page with its status.

    Answers of the public API are shaped by their own handlers and never come through here.
    """

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
