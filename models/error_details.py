"""Default details of errors: what is wrong, and what to do next.

They are keyed by code, because errors with the same code mean the same to a caller. Standard
library only.
"""

from collections.abc import Mapping
from typing import Final

_MESSAGING_STATUS: Final = (
    "GET /api/v1/merchants/{merchantId}/messaging/status says what is missing."
)

DEFAULT_DETAILS: Final[Mapping[str, str]] = {
    "INTERNAL_ERROR": "An unexpected error occurred. Repeat the request with the same "
    "Idempotency-Key; if it fails again, report the requestId.",
    "VALIDATION_FAILED": "A field, query parameter or header is missing, unknown or out of range.",
    "MALFORMED_JSON": "The body cannot be parsed. Send one JSON document in UTF-8.",
    "INVALID_PHONE_NUMBER": "Write the number in E.164 form: + and country code first, such as "
    "+12015550123.",
    "INVALID_EMAIL": "Write one address without a display name, such as anna@example.com.",
    "INVALID_DATE_RANGE": "Write days as 2026-04-16; the first must not be after the last.",
    "MESSAGE_TOO_LONG": "The text needs more than 10 segments. Shorten it.",
    "PRICE_MISMATCH": "No line of the operator's price list has this channel, units, amount and "
    "currency.",
    "INVALID_CREDENTIALS": "Send a valid pair of key and secret in X-API-KEY and X-API-SECRET.",
    "INSUFFICIENT_CREDITS": "This month's allowance and the credits do not cover the send. Raise "
    "the merchant's limit or buy credits; the same Idempotency-Key then works.",
    "FORBIDDEN": "This key may not do this. Use a key of the tenant.",
    "CHANNEL_NOT_ALLOWED": "Messages of this type may not be sent on this channel.",
    "CONSENT_OPTED_OUT": "The recipient opted out of this merchant's messages on this channel. Do "
    "not send again without a new OPT_IN from the recipient.",
    "CONSENT_REQUIRED": "MARKETING needs an OPT_IN of the recipient on this channel. Record it "
    "with POST /api/v1/consents first.",
    "RECIPIENT_SUPPRESSED": "A hard bounce, a complaint or a carrier's opt-out blocks this "
    "recipient. GET /api/v1/consents/history shows which.",
    "MERCHANT_INACTIVE": "The merchant is switched off. Set active to true with "
    "POST /api/v1/merchants first.",
    "SENDER_NOT_REGISTERED": "There is no number or e-mail address that this merchant may send "
    "from. Ask the operator for one, or register a number.",
    "DESTINATION_NOT_ALLOWED": "The tenant may not send to the country of this number, or the "
    "number has none. Ask the operator to allow it.",
    "NO_RATE": "No rate card says what a message to this destination costs, so it is not sent. Ask "
    "the operator to import one.",
    "SCOPE_MISSING": "This API key lacks the scope that the request requires. Use a key that has "
    "it; POST /api/v1/keys creates one.",
    "NOT_FOUND": "Nothing is at this path. Check the path.",
    "MERCHANT_NOT_FOUND": "This key has no merchant with this merchantId. Check the merchantId, or "
    "create the merchant with POST /api/v1/merchants.",
    "MESSAGE_NOT_FOUND": "This key has no message with this messageId. Check the messageId.",
    "BATCH_NOT_FOUND": "This key has no batch with this batchId. Check the batchId.",
    "PAYMENT_NOT_FOUND": "This key has no upgrade with this paymentId. Check the paymentId.",
    "KEY_NOT_FOUND": "This key sees no API key with this keyId, or it was deleted. "
    "GET /api/v1/keys lists them.",
    "RECORDING_NOT_FOUND": "Only a call with record: true that was answered and has ended has a "
    "recording. Read the message's status.",
    "VOICE_USER_NOT_FOUND": "The merchant has no SIP user with this username. "
    "GET /api/v1/voice/provisioning names it.",
    "WEBHOOK_NOT_FOUND": "This key has no webhook endpoint with this webhookId. "
    "GET /api/v1/webhooks lists them.",
    "WEBHOOK_DELIVERY_NOT_FOUND": "The webhook endpoint has no delivery with this deliveryId. "
    "Deliveries are kept for 30 days.",
    "METHOD_NOT_ALLOWED": "This path does not have this method. The header Allow lists those it "
    "has.",
    "REQUEST_TIMEOUT": "Its headers or its body took too long, and nothing was accepted. Repeat it "
    "with the same Idempotency-Key.",
    "CONFLICT": "The current state does not allow this. Read it first.",
    "NOT_CANCELABLE": "Only a QUEUED or SCHEDULED message can be canceled. Read the message's "
    "status.",
    "REFERENCE_REUSED": "The upgrade with this referenceId differs in channel, units, amount, "
    "currency, payment method or note, and has not failed. Use a new referenceId.",
    "LAST_ADMIN_KEY": "No other admin key of the tenant is valid as long as this one. Create one "
    "with POST /api/v1/keys first, without a merchantId.",
    "WEBHOOK_NOT_ACTIVE": "Nothing is sent to an inactive webhook endpoint. Set active to true "
    "with POST /api/v1/webhooks/{webhookId} first.",
    "TOO_MANY_WEBHOOKS": "The tenant itself and each merchant may have 50 webhook endpoints. "
    "Delete one first.",
    "PAYLOAD_TOO_LARGE": "The body is larger than this path accepts. Send less.",
    "UNSUPPORTED_MEDIA_TYPE": "Send Content-Type: application/json, in UTF-8, without "
    "Content-Encoding.",
    "IDEMPOTENCY_KEY_REUSED": "This Idempotency-Key was used with a different request, and nothing "
    "was done. Use a new key for a new action.",
    "RATE_LIMITED": "The header RateLimit-Policy names the exceeded limit.",
    "TOO_MANY_OPEN": "Too many messages of the tenant are open. Repeat the request with the same "
    "Idempotency-Key after Retry-After seconds.",
    "TOO_MANY_BATCHES": "Two batches of the tenant are ACCEPTING. Repeat the request with the same "
    "Idempotency-Key after Retry-After seconds.",
    "DESTINATION_LIMITED": "Too many OTPs were sent to this contact, or messages to too many new "
    "recipients with the same prefix. Send again after Retry-After seconds, or ask the operator.",
    "HEADERS_TOO_LARGE": "A request has at most 100 headers, 64 KiB with its first line, and 8 KiB "
    "in that line.",
    "TEMPORARILY_UNAVAILABLE": "The request cannot be processed now. Repeat it with the same "
    "Idempotency-Key after Retry-After seconds.",
    "BRAND_NOT_FOUND": "The merchant has no brand. Register one with "
    "POST /api/v1/merchants/{merchantId}/messaging/brand.",
    "CAMPAIGN_NOT_FOUND": "The merchant has no campaign with this campaignId. Take it from "
    "GET /api/v1/merchants/{merchantId}/messaging/campaigns.",
    "NUMBER_NOT_FOUND": "The merchant has not bought this number. "
    "GET /api/v1/merchants/{merchantId}/messaging/numbers lists its numbers.",
    "BRAND_NOT_EDITABLE": "Only a DRAFT or REJECTED brand can be changed. Wait for the decision.",
    "BRAND_NOT_APPROVED": f"A campaign needs an APPROVED brand. {_MESSAGING_STATUS}",
    "CAMPAIGN_NOT_EDITABLE": "Only a DRAFT or REJECTED campaign can be changed. Wait for the "
    "decision.",
    "CAMPAIGN_NOT_APPROVED": "A number can be assigned to an APPROVED campaign only. "
    f"{_MESSAGING_STATUS}",
    "NUMBER_TAKEN": "The number is in use or is being bought. Choose another one.",
    "NUMBER_NOT_ACTIVE": "The number is not ACTIVE. Read its state.",
    "NUMBER_NOT_ASSIGNABLE": "Only local numbers are assigned to 10DLC campaigns; toll-free "
    "numbers are not. Buy a local number.",
    "NUMBER_ALREADY_ASSIGNED": "The number has a campaign, or its assignment is changing. Read its "
    "assignment.",
    "ASSIGNMENT_PENDING": "The number can be given back once its assignment is decided.",
    "SOLE_PROPRIETOR_LIMIT": "A sole proprietor has one campaign with one number. Correct the "
    "campaign by its campaignId, or give the other number back.",
}
