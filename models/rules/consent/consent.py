"""Decides by consent and suppression whether a merchant may send to a recipient."""

from models.enums import ConsentStatus, ErrorCode, MessageType


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
