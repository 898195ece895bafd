"""Decides by consent and suppression whether a merchant may send to a recipient."""

from models.enums import ConsentStatus, ErrorCode, MessageType
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


def consent_forbids(
    message_type: MessageType, consent: ConsentStatus | None, *, suppressed: bool = False
) -> ErrorCode | None:
    """Return the error code that forbids this send; None if it is allowed.

    OPT_OUT and suppression always block (47 CFR 64.1200(a)(10)). MARKETING needs a recorded OPT_IN;
    the other types need no record.
    """
    if consent is ConsentStatus.OPT_OUT:
        return ErrorCode.CONSENT_OPTED_OUT
    if suppressed:
        return ErrorCode.RECIPIENT_SUPPRESSED
    if message_type is MessageType.MARKETING and consent is not ConsentStatus.OPT_IN:
        return ErrorCode.CONSENT_REQUIRED
    return None


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
