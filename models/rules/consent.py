"""Whether a merchant may send to a recipient, by what the recipient said."""

from models.enums import ConsentStatus, ErrorCode, MessageType
from models.errors import ConsentOptedOut, ConsentRequired, MerchantInactive, PolicyForbids

_REFUSALS: dict[ErrorCode, type[PolicyForbids]] = {
    ErrorCode.CONSENT_OPTED_OUT: ConsentOptedOut,
    ErrorCode.CONSENT_REQUIRED: ConsentRequired,
    ErrorCode.MERCHANT_INACTIVE: MerchantInactive,
}


def consent_forbids(message_type: MessageType, consent: ConsentStatus | None) -> ErrorCode | None:
    """Say what forbids this send, if anything does.

    OPT_OUT always blocks (47 CFR 64.1200(a)(10)); MARKETING needs an OPT_IN on record; the other
    types need no record.
    """
    if consent is ConsentStatus.OPT_OUT:
        return ErrorCode.CONSENT_OPTED_OUT
    if message_type is MessageType.MARKETING and consent is not ConsentStatus.OPT_IN:
        return ErrorCode.CONSENT_REQUIRED
    return None


def refusal(code: ErrorCode) -> PolicyForbids:
    """Return the error that tells a caller at acceptance what later would end a message."""
    return _REFUSALS[code]()
