"""Routes of alerts."""

from fastapi import Response

from api.deps import AlertReads, Authenticated, Paged
from api.http import problems
from api.http.filters import WantedAlerts
from api.http.public import public_router
from api.schemas.alerts import AlertView
from models.errors import MerchantNotFound

router = public_router("/alerts", tag="Alerts")


@router.get("", summary="List alerts", responses=problems.of(*problems.ANY, MerchantNotFound))
async def list_alerts(
    caller: Authenticated,
    wanted: WantedAlerts,
    page: Paged,
    alerts: AlertReads,
    response: Response,
) -> list[AlertView]:
    """List open and resolved alerts, newest first.

    An alert is resolved automatically when its cause no longer exists. A merchant-scoped key sees
    the alerts of its merchant only.
    """
    return page.show(await alerts.list(caller, wanted, page), response)
