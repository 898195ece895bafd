"""Texts at the head of the specification."""

from typing import Final

DESCRIPTION: Final = """\
Send SMS, calls and e-mail for merchants; manage consent, credits and 10DLC registration.

**Authentication.** Every request needs the headers `X-API-KEY` and `X-API-SECRET`. A key belongs to
a tenant or to one merchant of it. With a merchant-scoped key, other merchants are 404. A key has
one or more of the scopes `send`, `read`, `billing` and `admin`; each operation names the one that
it requires, and refuses other keys with 403 `SCOPE_MISSING`.

**Idempotency.** Send an `Idempotency-Key` with every write. The same key with the same request is
executed once; a replayed response has the header `Idempotency-Replayed: true`. The same key with a
different request is refused with 422. A refused request (4xx) stores nothing. After a 5xx or a
broken connection it is safe to retry with the same key.

**Errors** are `application/problem+json` (RFC 9457). `code` is stable; use it in programs. Each
operation lists the codes that it may answer.

**Limits.** The maximum size of a body is 384 KiB for SMS and calls, 4 MiB for e-mail and quotes,
10 MiB for batches, and 64 KiB otherwise. `Content-Encoding` is not supported. Rate limits apply per
key and per tenant, to requests per second and to concurrent requests. `RateLimit-Policy` and
`RateLimit` describe the limit that is closest to being reached; a 429 response has `Retry-After`. A
body counts as one more request per 256 KiB; a batch counts as one request.

**Pagination.** Lists are arrays. While there may be more items, the header `Link: <…>; rel="next"`
holds the URL of the next page. A page may hold fewer items than `limit`, even none, while there is
a next one: continue until a page has no link.

**Formats.** Times are ISO 8601 in UTC with milliseconds and `Z`. Phone numbers are E.164; in
requests, spaces and `( ) . - /` between the digits are ignored.

**Versions.** `v1` in the path is the version of the contract; `info.version` is that of this
installation. Within `v1`, only additions are made: operations, optional fields and parameters of
requests, fields and headers of responses, types of events, and values of enumerations such as
`status`, `type`, `errorCode` and the `code` of an error. So ignore fields that you do not know, and
be prepared for values that you do not know: treat an unknown status as one that is not final, and
an unknown `code` by its HTTP status. A client that is generated from this document may refuse
unknown values; generate it again when the installation is updated. Anything else that changes gets
a new version in the path, and `v1` stays beside it: at least 12 months before an operation of `v1`
ends, its responses have the headers `Deprecation` (RFC 9745) and `Sunset` (RFC 8594).
"""

CONTACT: Final = {"name": "The operator of this installation"}
LICENSE: Final = {
    "name": "Terms of the operator of this installation",
    "identifier": "LicenseRef-Operator",
}
"""Who runs an installation decides who may use it; the operator's address is not a setting."""

TAGS: Final = [
    {"name": "Merchants", "description": "The businesses that messages are sent for."},
    {"name": "Consents", "description": "Consent of recipients, per merchant and channel."},
    {"name": "Messages", "description": "Send, quote, list and cancel messages."},
    {"name": "Email", "description": "Direct e-mail, with or without a merchant."},
    {"name": "Billing", "description": "Upgrades (purchases of credits) and the ledger of units."},
    {"name": "Alerts", "description": "Alerts on usage, credits, providers and compliance."},
    {
        "name": "Webhooks",
        "description": "Your endpoints, their deliveries, and the events that are posted to them, "
        "signed by [Standard Webhooks](https://www.standardwebhooks.com).",
    },
    {"name": "Reports", "description": "Usage and cost per day."},
    {"name": "Voice", "description": "Labeled calls, SIP and browser configuration, presence."},
    {
        "name": "Messaging",
        "description": "10DLC registration: brand, campaigns, numbers and their assignment.",
    },
    {"name": "Keys", "description": "API keys, their scopes and expiry."},
]
