"""Validates contacts and normalizes them for storage and comparison."""

from collections.abc import Iterator
from contextlib import contextmanager

from email_validator import EmailNotValidError, validate_email

from models.enums import Channel
from models.errors import InvalidEmail, InvalidPhoneNumber, MessageTooLong
from models.rules.consent.contact_keys import ContactKeys
from models.rules.consent.contacts import e164, merged_contact

_LONGEST = 320
"""Maximum characters of a merged address."""


@contextmanager
def errors_name(field: str) -> Iterator[None]:
    """Name the field in errors about a contact or a text that the block raises."""
    try:
        yield
    except (InvalidPhoneNumber, InvalidEmail, MessageTooLong) as error:
        raise type(error)(f"{field}: {error.detail}", ((field, error.detail),)) from error


def read_contact(channel: Channel, given: str) -> str:
    """Return the normalized contact; raises InvalidEmail, InvalidPhoneNumber.

    Phone numbers are returned in E.164 form, addresses as given.
    """
    if channel is not Channel.EMAIL:
        return e164(given)
    _check_email(given)
    return given


def contact_to_find(given: str) -> str:
    """Return the merged form of a contact in a query, for any channel.

    An unencoded plus sign in a query is decoded as a space. Raises InvalidPhoneNumber.
    """
    if "@" in given:
        return merged_contact(Channel.EMAIL, given)
    return e164(_with_plus(given))


def sender_to_find(given: str) -> str:
    """Return the sender of a text in a query: a phone number, or another name that a vendor
    reported.
    """
    number = _with_plus(given)
    try:
        return e164(number)
    except InvalidPhoneNumber:
        return given


def _with_plus(given: str) -> str:
    return "+" + given[1:] if given.startswith(" ") else given


def key_to_find(given: str, keys: ContactKeys) -> str:
    """Return the contact key of a contact in a query; raises InvalidPhoneNumber."""
    return keys.key_of_any(contact_to_find(given))


def _check_email(address: str) -> None:
    try:
        # Special-use domains (example.com, *.test) are allowed, because integrators test with them.
        read = validate_email(address, check_deliverability=False, globally_deliverable=False)
    except EmailNotValidError as error:
        raise InvalidEmail from error
    # A mail program could interpret a leading hyphen as an option.
    if "." not in read.domain or read.local_part.startswith("-"):
        raise InvalidEmail
    if len(merged_contact(Channel.EMAIL, address)) > _LONGEST:
        raise InvalidEmail
