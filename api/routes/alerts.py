"""What a tenant is warned of."""

from fastapi import Response

from api.deps import AlertReads, Authenticated, Paged
from api.http import problems
from api.http.filters import WantedAlerts
from api.http.public import public_router
from api.schemas.alerts import AlertView
from models.errors import MerchantNotFound

router = public_router("/alerts", tag="Alerts")


@router.get("", responses=problems.of(*problems.ANY, MerchantNotFound))
async def list_alerts(
    caller: Authenticated,
    wanted: WantedAlerts,
    page: Paged,
    alerts: AlertReads,
    response: Response,
) -> list[AlertView]:
    """List merchant usage and provider alerts for the tenant, the newest first.

    Open and resolved ones; an alert resolves itself once its cause is gone. A merchant's own key
    sees that merchant's only.
    """
    return page.show(await alerts.list(caller, wanted, page), response)
