"""The address that Stripe's webhooks are sent to."""

from __future__ import annotations

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from apps.core.errors import ApiError
from apps.organizations.access import public


@csrf_exempt  # signed instead
@public
@require_POST
def stripe_webhook(request: HttpRequest) -> HttpResponse:
    """Take one event. The signature covers the body as it came, so it is not parsed before."""
    if not (settings.STRIPE_SECRET_KEY and settings.STRIPE_WEBHOOK_SECRET):
        raise Http404
    from apps.billing import stripe_billing  # here: half a second that only those with Stripe wait for

    try:
        stripe_billing.receive(request.body, request.headers.get("Stripe-Signature", ""))
    except ApiError as error:
        return JsonResponse(error.body(), status=error.status, headers=error.headers())
    return JsonResponse({"received": True})
