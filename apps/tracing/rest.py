"""What endpoints that read telemetry have in common."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request

from apps.organizations.rest import KeyView, project_id
from apps.tracing import receipts

RECEIPT_HEADER = "x-litefuse-min-receipt"


class TelemetryView(KeyView):
    """Base of endpoints over telemetry: a read waits for the receipt it names (`minReceipt`, or the header),
    so that it sees what was written by then."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """After everything else is allowed."""
        super().initial(request, *args, **kwargs)
        receipt = request.query_params.get("minReceipt") or request.headers.get(RECEIPT_HEADER)
        if receipt and request.method in ("GET", "HEAD"):
            receipts.verify(project_id(request), receipt)
