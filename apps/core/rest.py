"""The public API's manners, in one place: JSON out, errors in their shapes, method before credentials, CORS.

Views derive from PublicView, declare their `scope` (organizations.scopes.DECLARABLE) and answer plain
structures; whatever they raise becomes an answer in `answer_error`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

import orjson
from django.core.exceptions import ObjectDoesNotExist, PermissionDenied
from django.db import OperationalError
from django.http import Http404, HttpRequest
from django.utils.cache import patch_vary_headers
from rest_framework import exceptions
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.core import errors
from apps.core.errors import (
    ApiError,
    Forbidden,
    InvalidRequest,
    MethodNotAllowed,
    NotFound,
    Unavailable,
)
from apps.core.json_body import MAX_BODY, JsonBody

logger = logging.getLogger(__name__)

# What programs in browsers may see of an answer's headers.
EXPOSED = "Retry-After, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset, x-litefuse-receipt"


class JsonRenderer(BaseRenderer):
    """Plain structures to JSON, twenty times faster than the framework's own."""

    media_type = "application/json"
    format = "json"
    charset = None

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        """UTF-8 JSON; None is an empty body."""
        return b"" if data is None else orjson.dumps(data, default=_plain, option=orjson.OPT_NON_STR_KEYS)


def _plain(value: Any) -> Any:
    """Decimals are JSON numbers in this API."""
    return float(value)


class AnyContentNegotiation:
    """JSON whatever the Accept header says: clients send all kinds."""

    def select_parser(self, request: Request, parsers: list[Any]) -> Any:
        """The JSON parser, whatever the content type says."""
        return parsers[0]

    def select_renderer(
        self, request: Request, renderers: list[Any], format_suffix: str | None = None
    ) -> tuple[Any, str]:
        """The JSON renderer."""
        return renderers[0], renderers[0].media_type


class PublicView(APIView):
    """An endpoint of the public API; without credentials unless a subclass asks for them.

    `shape`: the body of its errors (core.errors); `max_body`: bytes of a request, as sent and unpacked.
    """

    scope: str
    security: tuple[str, ...] = ()  # kinds of credentials, for the API's documentation
    shape: errors.Shape = staticmethod(errors.standard)
    max_body = MAX_BODY
    admitted = False  # past method, credentials and limits: what is refused now is the handler's own
    renderer_classes = [JsonRenderer]
    parser_classes = [JsonBody]
    content_negotiation_class = AnyContentNegotiation  # type: ignore[assignment]
    authentication_classes: Any = []
    permission_classes: Any = []

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """A wrong method is told before credentials are looked at, as clients expect."""
        handler = getattr(self, (request.method or "").lower(), None)
        if handler is None or request.method not in self.allowed_methods:
            raise MethodNotAllowed(
                f"{request.method} is not answered here; {', '.join(self.allowed_methods)} is."
            )
        if request.method != "OPTIONS":
            super().initial(request, *args, **kwargs)
        self.admitted = True

    def initialize_request(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Request:
        """A body sent in chunks has no length until here, and the framework ignores bodies without one."""
        if "Transfer-Encoding" in request.headers:
            request.META["CONTENT_LENGTH"] = str(len(request.body))
        return super().initialize_request(request, *args, **kwargs)

    def options(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        """A browser's preflight."""
        wanted = request.headers.get("Access-Control-Request-Headers", "authorization, content-type")
        return Response(
            status=204,
            headers={
                "Access-Control-Allow-Methods": ", ".join(self.allowed_methods),
                "Access-Control-Allow-Headers": wanted,
                "Access-Control-Max-Age": "86400",
                "Allow": ", ".join(self.allowed_methods),
            },
        )

    def get_exception_handler(self) -> Callable[[Exception, dict[str, Any]], Response]:
        """All errors go through one function."""
        return answer_error

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        """Any origin may call, without the browser's credentials."""
        response = super().finalize_response(request, response, *args, **kwargs)
        response["X-Content-Type-Options"] = "nosniff"
        origin = request.headers.get("Origin")
        if origin is not None:
            response["Access-Control-Allow-Origin"] = origin
            response["Access-Control-Expose-Headers"] = EXPOSED
            patch_vary_headers(response, ["Origin"])
        return response


def answer_error(error: Exception, context: Mapping[str, Any]) -> Response:
    """The answer to whatever an endpoint raised."""
    known = _as_api_error(error)
    if known is None:
        logger.error("api request failed", exc_info=error)
        known = ApiError("Internal Server Error")
    view: PublicView = context["view"]
    body = view.shape(known)
    if view.admitted:
        body.setdefault("error", known.error)  # refusals of credentials alone go without
    response = Response(body, status=known.status, headers=known.headers())
    if known.status == 405:
        response["Allow"] = ", ".join(view.allowed_methods)
    return response


def _as_api_error(error: Exception) -> ApiError | None:
    """The framework's own errors as ours; None for what nobody foresaw."""
    match error:
        case ApiError():
            return error
        case Http404() | ObjectDoesNotExist():
            return NotFound("There is nothing here.")
        case PermissionDenied() | exceptions.PermissionDenied():
            return Forbidden("These credentials do not allow this.")
        case exceptions.ParseError() | exceptions.UnsupportedMediaType():
            return InvalidRequest(str(error.detail))
        case exceptions.MethodNotAllowed():
            return MethodNotAllowed(str(error.detail))
        case OperationalError():
            logger.error("the database does not answer", exc_info=error)
            return Unavailable("The database does not answer. Try again.", retry_after=5)
    return None


class UnknownEndpoint(PublicView):
    """Whatever is under the API's path and is no endpoint."""

    scope = "public"

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """No method is right here; a browser that asks first is told so by the request that follows."""
        if request.method == "OPTIONS":
            return
        raise NotFound(f"There is no endpoint {request.path}.")
