"""Routes of usage reports."""

from fastapi.responses import Response, StreamingResponse

from api.deps import Authenticated, ReportReads
from api.http import problems, usage_csv
from api.http.bodies.exact_json import ExactJson
from api.http.filters import WantedUsage
from api.http.public import public_router
from api.schemas.reports import V1UsageReportResponse
from models.errors import InvalidDateRange, MerchantNotFound

router = public_router("/reports", tag="Reports")

_ERRORS = problems.of(*problems.ANY, InvalidDateRange, MerchantNotFound)
_CSV = {
    "description": "The report as CSV.",
    "content": {
        usage_csv.MEDIA_TYPE: {
            "schema": {"type": "string"},
            "example": "day,merchantId,channel,messages,units,awsCost,providerCost,carrierFees,"
            "markup,charge,state\r\n"
            "2026-04-15,gym-a,SMS,1482,1490,0.00,64.18,4.47,27.14,91.32,FINAL\r\n",
        }
    },
}


@router.get(
    "/usage",
    summary="Retrieve the usage report",
    response_model=V1UsageReportResponse,
    responses=_ERRORS,
)
async def read_usage(caller: Authenticated, wanted: WantedUsage, reports: ReportReads) -> Response:
    """Retrieve usage, cost, markup and freshness state of a range of UTC days.

    A message counts on the UTC day on which the attempt that reached a provider was requested.
    Amounts are rounded once, half to even, per day, merchant and channel, and then added. The sum
    of FINAL days therefore equals the FINAL month to the cent. A merchant-scoped key reads the
    usage of its merchant.
    """
    return ExactJson(await reports.usage(caller, wanted))


@router.get(
    "/usage.csv",
    summary="Download the usage report as CSV",
    response_class=StreamingResponse,
    responses={200: _CSV, **_ERRORS},
)
async def read_usage_csv(
    caller: Authenticated, wanted: WantedUsage, reports: ReportReads
) -> StreamingResponse:
    """Download usage as CSV (RFC 4180), one row per day, merchant and channel.

    `awsCost` is the cost of AWS and `providerCost` that of all other providers; `carrierFees` is
    included in both. charge = awsCost + providerCost + markup. The sums of the columns of a FINAL
    range equal its report. Direct e-mail without a merchant has an empty `merchantId`.
    """
    lines = await reports.lines(caller, wanted)
    name = f"usage_{wanted.first}_{wanted.last}.csv"
    return StreamingResponse(
        usage_csv.write(lines),
        media_type=usage_csv.MEDIA_TYPE,
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )
