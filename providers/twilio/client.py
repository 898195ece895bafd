"""Client of Twilio's REST APIs: authentication, forms, pagination, classification of responses.

A step of an adapter makes several requests, so a failure is raised inside this package and
converted to one of the port's answers in `registry.py` and `sip.py`.

| response | meaning |
|---|---|
| 2xx | the document |
| 404 to a GET | does not exist |
| 400, 404, 409, 422 | `RequestRejected` with Twilio's code: a retry would fail again |
| 401, 403 | `NotProcessedError`: the account is the cause, not the request; needs an operator |
| 429 | `NotProcessedError`, with its Retry-After |
| a failure before the first byte | `NotProcessedError` |
| 5xx, other statuses, timeout, reset, unreadable body | `AmbiguousError`: may have been done |

A failed GET changed nothing, so it is never `AmbiguousError`, but `NotProcessedError`.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeAlias

import httpx

from providers import http
from providers.ports.messages import Ambiguous, NotProcessed

Form: TypeAlias = Mapping[str, str | bool | int | Sequence[str]]

_PAGE_SIZE: Final = 500
_MOST_PAGES: Final = 200
"""Maximum pages of one list, in case a server always returns a next page."""
_CODE: Final = 64
_MESSAGE: Final = 500
"""Characters of Twilio's error message that are kept."""

_WRONG: Final = frozenset({400, 404, 409, 422})
_OURS: Final = frozenset({401, 403})


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """The Twilio account, and the URLs of Twilio's three APIs."""

    sid: str
    token: str = field(repr=False)
    previous_token: str | None = field(default=None, repr=False)
    """The secret until it was changed: webhooks may still be signed with it."""
    name: str = "twilio"
    """The account's name in this installation: in rows, task queues and webhook addresses."""
    numbers: frozenset[str] = frozenset()
    """Numbers of this account that messages are sent from."""
    answers_keywords: bool = True
    """Twilio answers STOP, START and HELP itself, which is its default."""
    label: str | None = None
    """Distinguishes installations that share the account."""
    api_url: str = "https://api.twilio.com"
    messaging_url: str = "https://messaging.twilio.com"
    trusthub_url: str = "https://trusthub.twilio.com"

    @property
    def tokens(self) -> Sequence[str]:
        """The secrets that a webhook may be signed with."""
        return [token for token in (self.token, self.previous_token) if token is not None]


class TwilioError(Exception):
    """Twilio did not do what was requested; caught by the caller. Subclasses:

    ├── RequestRejected      nothing was done, and the same request will fail again
    ├── NotProcessedError    nothing was done; the request may be repeated
    └── AmbiguousError       it may have been done: look up before repeating it
    """


class RequestRejected(TwilioError):
    """The request is wrong. `message` is Twilio's own, for a form only; it must not be logged."""

    def __init__(self, *, status: int, code: str, message: str) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.message = message


class NotProcessedError(TwilioError):
    """Nothing was done. `reason` may be logged."""

    def __init__(self, reason: str, retry_after: timedelta | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after = retry_after


class AmbiguousError(TwilioError):
    """The request may have been carried out. `reason` may be logged."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Twilio:
    """Twilio's REST APIs, one request at a time. Never retries; raises `TwilioError`."""

    def __init__(self, http: httpx.AsyncClient, account: Account, *, timeout: timedelta) -> None:
        self._http = http
        self._account = account
        self._auth = httpx.BasicAuth(account.sid, account.token)
        self._timeout = timeout

    @property
    def account(self) -> Account:
        """The account whose credentials are used."""
        return self._account

    @property
    def account_url(self) -> str:
        """The URL of the account itself, which only valid credentials can read."""
        base = self._account.api_url.rstrip("/")
        return f"{base}/2010-04-01/Accounts/{self._account.sid}.json"

    def named(self, name: str) -> str:
        """Return a friendly name, with the label as prefix if there is one.

        References are unique in one database only.
        """
        return f"{self._account.label} {name}" if self._account.label else name

    def api(self, path: str) -> str:
        """Return a URL of the account's own API (numbers, addresses, SIP)."""
        base = self._account.api_url.rstrip("/")
        return f"{base}/2010-04-01/Accounts/{self._account.sid}/{path}.json"

    def messaging(self, path: str) -> str:
        """Return a URL of the messaging API (services, brands, campaigns)."""
        return f"{self._account.messaging_url.rstrip('/')}/v1/{path}"

    def trusthub(self, path: str) -> str:
        """Return a URL of the Trust Hub (profiles, end users, evaluations)."""
        return f"{self._account.trusthub_url.rstrip('/')}/v1/{path}"

    async def create(self, url: str, form: Form, *, not_after: datetime) -> dict[str, Any]:
        """Post a form; return the document that was created or changed."""
        return _document(await self._ask("POST", url, not_after, data=_encoded(form)))

    async def post(
        self, url: str, form: Form, *, not_after: datetime
    ) -> httpx.Response | NotProcessed | Ambiguous:
        """Post a form; return the response unclassified, or why there is none."""
        return await self._exchange("POST", url, not_after, data=_encoded(form))

    async def find(self, url: str) -> dict[str, Any] | None:
        """Return the document at a URL; None if it does not exist."""
        try:
            return await self._get(url)
        except RequestRejected as refusal:
            if refusal.status == httpx.codes.NOT_FOUND:
                return None
            raise

    async def remove(self, url: str, *, not_after: datetime) -> None:
        """Delete the document at a URL; it is no error if it does not exist."""
        try:
            await self._ask("DELETE", url, not_after)
        except RequestRejected as refusal:
            if refusal.status != httpx.codes.NOT_FOUND:
                raise

    async def list_items(
        self, url: str, key: str, wanted: Form | None = None, *, page: int = _PAGE_SIZE
    ) -> AsyncIterator[dict[str, Any]]:
        """Yield the items of a list, `page` per request; `key` is its name in the document."""
        async for items in self.list_pages(url, key, wanted, page=page):
            for item in items:
                if isinstance(item, dict):
                    yield item

    async def list_pages(
        self,
        url: str,
        key: str,
        wanted: Form | None = None,
        *,
        page: int = _PAGE_SIZE,
        most: int = _MOST_PAGES,
    ) -> AsyncIterator[list[Any]]:
        """Yield the pages of a list, at most `most` of them; raises NotProcessedError if more."""
        query = httpx.QueryParams(_encoded({**(wanted or {}), "PageSize": page}))
        for _ in range(most):
            shown = await self._get(url, params=query)
            items = shown.get(key)
            if not isinstance(items, list):
                raise NotProcessedError("no list")
            yield items
            following = _next_page(shown)
            if following is None:
                return
            query = following
        raise NotProcessedError("a list without end")

    async def _get(self, url: str, **content: Any) -> dict[str, Any]:
        try:
            return _document(await self._ask("GET", url, **content))
        except AmbiguousError as lost:
            raise NotProcessedError(lost.reason) from lost

    async def _ask(
        self, method: str, url: str, not_after: datetime | None = None, **content: Any
    ) -> httpx.Response:
        answer = await self._exchange(method, url, not_after, **content)
        match answer:
            case NotProcessed():
                raise NotProcessedError(answer.reason, answer.retry_after)
            case Ambiguous():
                raise AmbiguousError(answer.reason)
        return _accepted(answer)

    async def _exchange(
        self, method: str, url: str, not_after: datetime | None = None, **content: Any
    ) -> httpx.Response | NotProcessed | Ambiguous:
        request = self._http.build_request(method, url, **content)
        request.headers["Accept"] = "application/json"
        next(self._auth.auth_flow(request))  # sets the authorization header
        return await http.deliver(
            self._http,
            request,
            not_after=not_after or datetime.now(UTC) + self._timeout,
            timeout=self._timeout,
        )


def text(document: Mapping[str, Any], key: str) -> str:
    """Return a required string of a document.

    Raises:
        AmbiguousError: it is missing, so the response cannot be interpreted.
    """
    word = document.get(key)
    if not isinstance(word, str) or not word:
        raise AmbiguousError(f"no {key}")
    return word


def _encoded(form: Form) -> dict[str, str | list[str]]:
    return {
        name: _text(value) if isinstance(value, str | bool | int) else list(value)
        for name, value in form.items()
    }


def _text(value: str | bool | int) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _next_page(page: Mapping[str, Any]) -> httpx.QueryParams | None:
    """Return the query of the next page; the host and path in the response are not used."""
    meta = page.get("meta")
    address = page.get("next_page_uri") or (isinstance(meta, dict) and meta.get("next_page_url"))
    if not isinstance(address, str) or not address:
        return None
    try:
        return httpx.URL(address).params
    except httpx.InvalidURL as error:
        raise NotProcessedError("no next page") from error


def _document(response: httpx.Response) -> dict[str, Any]:
    try:
        document = response.json()
    except (ValueError, RecursionError) as error:
        raise AmbiguousError("not JSON") from error
    if not isinstance(document, dict):
        raise AmbiguousError("not a document")
    return document


def _accepted(response: httpx.Response) -> httpx.Response:
    status = response.status_code
    if response.is_success:
        return response
    if status == httpx.codes.TOO_MANY_REQUESTS:
        raise NotProcessedError(str(status), http.retry_after(response))
    if status in _OURS:
        raise NotProcessedError(f"{status} {_error(response)[0]}")
    if status in _WRONG:
        code, message = _error(response)
        raise RequestRejected(status=status, code=code, message=message)
    raise AmbiguousError(str(status))


def _error(response: httpx.Response) -> tuple[str, str]:
    """Return Twilio's own code and message; the status if there is no code."""
    try:
        told = response.json()
        code, message = told.get("code"), told.get("message")
    except (ValueError, AttributeError, RecursionError):
        code = message = None
    word = str(code) if isinstance(code, int | str) and str(code).isalnum() else ""
    return (word or str(response.status_code))[:_CODE], str(message or "")[:_MESSAGE]
