"""The way from a page to a file: membership is checked, then a signed address is given."""

from __future__ import annotations

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from apps.core.errors import NotFound
from apps.organizations.access import project_page
from apps.tracing.media import services


@require_safe
@never_cache
@project_page("traces:readContent")
def media(request: HttpRequest, project_id: str, media_id: str) -> HttpResponse:
    """On to the file; `?download` to keep it instead of looking at it."""
    try:
        found = services.get(project_id, media_id)
    except NotFound:
        raise Http404 from None
    url = services.download_url(found, settings.BASE_PATH, attachment="download" in request.GET)
    return HttpResponseRedirect(url)
