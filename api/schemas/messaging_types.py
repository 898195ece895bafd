"""Types of fields that the schemas of 10DLC brands, campaigns and numbers share."""

from typing import Annotated, Final
from urllib.parse import urlsplit

import idna
from pydantic import AfterValidator, Field, StringConstraints

from api.schemas import patterns
from api.schemas.base import View
from api.schemas.text_types import OneLine, has_invisible, visible_length
from api.services.consent.contacts import read_contact
from models.enums import Channel
from models.errors import InvalidEmail, InvalidPhoneNumber

_LONGEST_TAX_NUMBER: Final = 20
_NO_SITE: Final = "must be a web address, such as https://gym-a.example.com/about"
_HIDDEN: Final = (
    "must be a web address without invisible characters, such as https://gym-a.example.com/about"
)


def _number(given: str) -> str:
    try:
        return read_contact(Channel.SMS, given)
    except InvalidPhoneNumber as error:
        raise ValueError("must be a phone number in E.164 form, such as +12015550123") from error


def _address(given: str) -> str:
    try:
        return read_contact(Channel.EMAIL, given)
    except InvalidEmail as error:
        raise ValueError("must be an e-mail address, such as anna@example.com") from error


def _tax_number(given: str) -> str:
    """Remove what tax numbers are grouped with: spaces, dots and hyphens."""
    plain = "".join(character for character in given if character not in " .-")
    if len(plain) > _LONGEST_TAX_NUMBER:
        raise ValueError(f"must have at most {_LONGEST_TAX_NUMBER} letters and digits")
    return plain


def _site(given: str) -> str:
    """Check a web address, with or without its scheme; it is kept as given.

    Invisible characters and changes of direction are refused: they show another address to a person
    than to a program.
    """
    if has_invisible(given):
        raise ValueError(_HIDDEN)
    _, scheme, rest = given.rpartition("://") if "://" in given.split("?")[0] else ("", "", given)
    try:
        parts = urlsplit(f"https://{rest if scheme else given}")
        host, port = parts.hostname or "", parts.port
        labels = idna.encode(host, uts46=True).decode("ascii").split(".")
    except (ValueError, idna.IDNAError) as error:
        raise ValueError(_NO_SITE) from error
    if port == 0 or "@" in parts.netloc or len(labels) < 2 or labels[-1].isdecimal():
        raise ValueError(_NO_SITE)
    return given


def _each_once(keywords: list[str]) -> list[str]:
    """Remove keywords that differ from an earlier one in case only: recipients may write either."""
    first: dict[str, str] = {}
    for word in keywords:
        first.setdefault(word.lower(), word)
    return list(first.values())


Line = Annotated[OneLine, StringConstraints(max_length=100)]
StockExchange = Annotated[str, StringConstraints(pattern=patterns.STOCK_EXCHANGE)]
Phone = Annotated[str, StringConstraints(max_length=32), AfterValidator(_number)]
Email = Annotated[str, StringConstraints(max_length=100), AfterValidator(_address)]
Site = Annotated[
    str, StringConstraints(max_length=100, pattern=patterns.SITE), AfterValidator(_site)
]
Page = Annotated[
    str, StringConstraints(max_length=255, pattern=patterns.SITE), AfterValidator(_site)
]
TaxNumber = Annotated[
    str,
    StringConstraints(max_length=30, pattern=patterns.TAX_NUMBER),
    AfterValidator(_tax_number),
]
Keyword = Annotated[str, StringConstraints(pattern=patterns.KEYWORD)]
Keywords = Annotated[list[Keyword], Field(max_length=50), AfterValidator(_each_once)]
Answer = Annotated[str, StringConstraints(min_length=20, max_length=320), visible_length(20)]
Sample = Annotated[str, StringConstraints(min_length=20, max_length=1024), visible_length(20)]
Description = Annotated[str, StringConstraints(min_length=40, max_length=4096), visible_length(40)]
MessageFlow = Annotated[str, StringConstraints(min_length=40, max_length=2048), visible_length(40)]


class MessagingReason(View):
    """Why the registry rejected a request, in a form that can be shown next to a field."""

    code: str = Field(description="The registry's own code.", examples=["30794"])
    field: str | None = Field(
        description="Name of the request field that was rejected. Null if no single field was.",
        examples=["ein"],
    )
    message: str = Field(
        description="Human-readable description.",
        examples=["The EIN does not belong to this legal name."],
    )


class MessagingWarning(View):
    """What a registry may reject and what cannot be checked here, such as a text's meaning."""

    code: str = Field(description="Stable code of the warning.", examples=["HELP_CONTACT_UNCLEAR"])
    field: str = Field(description="Name of the request field.", examples=["helpMessage"])
    message: str = Field(
        description="Human-readable description.",
        examples=["No e-mail, phone or web address was recognised."],
    )
