"""The errors that a caller may get. Standard library only.

    HexavoxError
    ├── BadRequest 400 ─── ValidationFailed, MalformedJson, InvalidPhoneNumber, InvalidEmail,
    │                      InvalidDateRange, MessageTooLong, PriceMismatch
    ├── InvalidCredentials 401
    ├── InsufficientCredits 402
    ├── PolicyForbids 403 ─ Forbidden, ChannelNotAllowed, ConsentOptedOut, ConsentRequired,
    │                      RecipientSuppressed, MerchantInactive, SenderNotRegistered,
    │                      DestinationNotAllowed, NoRate, ScopeMissing
    ├── NotThere 404 ───── MerchantNotFound, MessageNotFound, RecordingNotFound, BrandNotFound,
    │                      PaymentNotFound, KeyNotFound,
    │                      CampaignNotFound, NumberNotFound, VoiceUserNotFound, NotFound
    ├── MethodNotAllowed 405
    ├── RequestTimedOut 408
    ├── WrongState 409 ─── NotCancelable, ReferenceReused, BrandNotEditable, BrandNotApproved,
    │                      CampaignNotEditable, CampaignNotApproved, NumberTaken, NumberNotActive,
    │                      NumberNotAssignable, NumberAlreadyAssigned, AssignmentPending,
    │                      SoleProprietorLimit, LastAdminKey
    ├── PayloadTooLarge 413
    ├── UnsupportedMediaType 415
    ├── IdempotencyKeyReused 422
    ├── RateLimited 429, TooManyOpen 429, DestinationLimited 429
    ├── HeadersTooLarge 431
    └── TemporarilyUnavailable 503

The code of a class never changes. `models/error_details.py` has the detail of an error that is
raised without one. Only `api.http.problems` renders them.
"""

from typing import ClassVar

from models.error_details import DEFAULT_DETAILS


class HexavoxError(Exception):
    """Base of all errors. Raised itself, it is a fault of the server; a retry is safe."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "INTERNAL_ERROR"
    title: ClassVar[str] = "Something went wrong on our side"

    def __init__(self, detail: str = "") -> None:
        self.detail = detail or self.default_detail()
        super().__init__(self.detail)

    @classmethod
    def default_detail(cls) -> str:
        """Return what is wrong and what to do next, for an error raised without a detail."""
        return DEFAULT_DETAILS.get(cls.code, cls.title)


class BadRequest(HexavoxError):
    """The body, query, path or a header is invalid; a retry does not help.

    Attributes:
        errors: field name and message pairs, so that a form can show them.
    """

    status = 400
    code = "VALIDATION_FAILED"
    title = "The request is not valid"

    def __init__(self, detail: str = "", errors: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(detail or "; ".join(map(": ".join, errors))[:500])
        self.errors = errors


class ValidationFailed(BadRequest):
    """A field is missing, unknown or out of range."""


class MalformedJson(BadRequest):
    """The body is not JSON."""

    code = "MALFORMED_JSON"
    title = "The body is not valid JSON"


class InvalidPhoneNumber(BadRequest):
    """The number is not a phone number in E.164 form."""

    code = "INVALID_PHONE_NUMBER"
    title = "Not a phone number in E.164 form"


class InvalidEmail(BadRequest):
    """The address is not an e-mail address."""

    code = "INVALID_EMAIL"
    title = "Not an e-mail address"


class InvalidDateRange(BadRequest):
    """The dates are malformed or in the wrong order."""

    code = "INVALID_DATE_RANGE"
    title = "Not a usable date range"


class MessageTooLong(BadRequest):
    """The text needs more segments than one message may have."""

    code = "MESSAGE_TOO_LONG"
    title = "The message is too long"


class PriceMismatch(BadRequest):
    """The purchase does not match the price list; the detail has the right amount."""

    code = "PRICE_MISMATCH"
    title = "Not a price of the price list"


class InvalidCredentials(HexavoxError):
    """The key or secret is missing, unknown, revoked, expired or wrong; one answer for all."""

    status = 401
    code = "INVALID_CREDENTIALS"
    title = "API key and secret are not valid"


class InsufficientCredits(HexavoxError):
    """The merchant's allowance and credits together do not cover this send."""

    status = 402
    code = "INSUFFICIENT_CREDITS"
    title = "Not enough credits"


class PolicyForbids(HexavoxError):
    """Policy forbids this; a retry does not help until the cause has changed."""

    status = 403
    code = "FORBIDDEN"
    title = "This is not allowed"


class Forbidden(PolicyForbids):
    """The key may not do this."""


class ChannelNotAllowed(PolicyForbids):
    """This type of message is not allowed on this channel."""

    code = "CHANNEL_NOT_ALLOWED"
    title = "Not allowed on this channel"


class ConsentOptedOut(PolicyForbids):
    """The recipient opted out of this merchant on this channel."""

    code = "CONSENT_OPTED_OUT"
    title = "The recipient has opted out"


class ConsentRequired(PolicyForbids):
    """MARKETING needs a recorded OPT_IN."""

    code = "CONSENT_REQUIRED"
    title = "The recipient has not opted in"


class RecipientSuppressed(PolicyForbids):
    """A hard bounce, a complaint or a carrier opt-out blocks this recipient."""

    code = "RECIPIENT_SUPPRESSED"
    title = "The recipient is suppressed"


class MerchantInactive(PolicyForbids):
    """The merchant is inactive."""

    code = "MERCHANT_INACTIVE"
    title = "The merchant is inactive"


class SenderNotRegistered(PolicyForbids):
    """The merchant has no usable sender."""

    code = "SENDER_NOT_REGISTERED"
    title = "No registered sender"


class DestinationNotAllowed(PolicyForbids):
    """The tenant may not send to the recipient's country."""

    code = "DESTINATION_NOT_ALLOWED"
    title = "The destination is not allowed"


class NoRate(PolicyForbids):
    """No rate card says what a real message to this destination costs."""

    code = "NO_RATE"
    title = "No rate for this destination"


class NotThere(HexavoxError):
    """It does not exist, or it belongs to another tenant: the answer is the same."""

    status = 404
    code = "NOT_FOUND"
    title = "Not found"


class NotFound(NotThere):
    """No such path."""


class MerchantNotFound(NotThere):
    """No merchant of this key has that id."""

    code = "MERCHANT_NOT_FOUND"
    title = "No such merchant"


class MessageNotFound(NotThere):
    """No message of this key has that id."""

    code = "MESSAGE_NOT_FOUND"
    title = "No such message"


class PaymentNotFound(NotThere):
    """No upgrade of this key has that id."""

    code = "PAYMENT_NOT_FOUND"
    title = "No such upgrade"


class RecordingNotFound(NotThere):
    """The message is not a call that was recorded, answered and has ended."""

    code = "RECORDING_NOT_FOUND"
    title = "No recording"


class VoiceUserNotFound(NotThere):
    """The merchant has no SIP user of that name; the first provisioning creates it."""

    code = "VOICE_USER_NOT_FOUND"
    title = "No such SIP user"


class MethodNotAllowed(HexavoxError):
    """The path exists, the method does not."""

    status = 405
    code = "METHOD_NOT_ALLOWED"
    title = "Method not allowed"


class RequestTimedOut(HexavoxError):
    """The rest of the request did not arrive in time; nothing was accepted."""

    status = 408
    code = "REQUEST_TIMEOUT"
    title = "The request did not arrive in time"


class WrongState(HexavoxError):
    """The resource is in a state that does not allow this."""

    status = 409
    code = "CONFLICT"
    title = "Not possible in the current state"


class NotCancelable(WrongState):
    """The message is no longer waiting."""

    code = "NOT_CANCELABLE"
    title = "The message can no longer be canceled"


class ReferenceReused(WrongState):
    """The merchant's referenceId belongs to a different upgrade that has not failed."""

    code = "REFERENCE_REUSED"
    title = "The referenceId belongs to a different upgrade"


class PayloadTooLarge(HexavoxError):
    """The body exceeds the limit of its route."""

    status = 413
    code = "PAYLOAD_TOO_LARGE"
    title = "The body is too large"


class UnsupportedMediaType(HexavoxError):
    """The body is not sent as JSON, or it is compressed.

    Attributes:
        coding: whether the Content-Encoding is not supported.
    """

    status = 415
    code = "UNSUPPORTED_MEDIA_TYPE"
    title = "The body must be application/json, not compressed"

    def __init__(self, detail: str = "", *, coding: bool = False) -> None:
        super().__init__(detail)
        self.coding = coding


class IdempotencyKeyReused(HexavoxError):
    """The key was used before with a different request; nothing happened."""

    status = 422
    code = "IDEMPOTENCY_KEY_REUSED"
    title = "The Idempotency-Key belongs to a different request"


class RateLimited(HexavoxError):
    """Too many requests of this key or tenant, or too many wrong credentials from this address.

    Attributes:
        retry_after: seconds until the next request may pass.
    """

    status = 429
    code = "RATE_LIMITED"
    title = "Too many requests"

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"{self.default_detail()} Try again in {retry_after} s.")
        self.retry_after = retry_after


class TooManyOpen(HexavoxError):
    """Too many messages of the tenant are open, or wait while the workers are behind.

    Attributes:
        retry_after: seconds until the next send may be accepted.
    """

    status = 429
    code = "TOO_MANY_OPEN"
    title = "Too many open messages"

    def __init__(self, detail: str = "", retry_after: int = 1) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class DestinationLimited(HexavoxError):
    """Too many OTPs to this contact, or too many new recipients behind one prefix.

    Attributes:
        retry_after: seconds until one more is within the limit.
    """

    status = 429
    code = "DESTINATION_LIMITED"
    title = "Too many messages to this destination"

    def __init__(self, detail: str = "", retry_after: int = 1) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class HeadersTooLarge(HexavoxError):
    """The request line is over 8 KiB, or with the headers over 64 KiB, or there are over 100."""

    status = 431
    code = "HEADERS_TOO_LARGE"
    title = "The headers are too large"


class TemporarilyUnavailable(HexavoxError):
    """Nothing was accepted; the same request with the same key is safe to repeat.

    Attributes:
        retry_after: seconds to wait before the next try.
    """

    status = 503
    code = "TEMPORARILY_UNAVAILABLE"
    title = "Temporarily unavailable"

    def __init__(self, detail: str = "", retry_after: int = 2) -> None:
        super().__init__(detail)
        self.retry_after = retry_after
