"""Maps the error code that forbids a send to the API error at its acceptance."""

from models.enums import ErrorCode
from models.errors import (
    ChannelNotAllowed,
    ConsentOptedOut,
    ConsentRequired,
    MerchantInactive,
    PolicyForbids,
    RecipientSuppressed,
)

_REFUSALS: dict[ErrorCode, type[PolicyForbids]] = {
    ErrorCode.CONSENT_OPTED_OUT: ConsentOptedOut,
    ErrorCode.CONSENT_REQUIRED: ConsentRequired,
    ErrorCode.MERCHANT_INACTIVE: MerchantInactive,
    ErrorCode.RECIPIENT_SUPPRESSED: RecipientSuppressed,
}


def refusal(code: ErrorCode) -> PolicyForbids:
    """Return the API error at acceptance for a code that would later end the message."""
    if code is ErrorCode.OUTSIDE_HOURS:
        return ChannelNotAllowed(
            "MARKETING by SMS needs an hour within the merchant's marketing hours that is allowed "
            "in every time zone the recipient may be in. Widen marketingFrom and marketingUntil, "
            "or name in marketingTimezones one of the zones in which they shall apply; 08:00 to "
            "21:00 holds in the others."
        )
    return _REFUSALS[code]()
