"""Contacts as integrators write them: checked, and in the two forms that are kept."""

from email_validator import EmailNotValidError, validate_email

from models.enums import Channel
from models.errors import InvalidEmail
from models.rules.consent.contacts import contact_key, e164

_LONGEST_KEY = 320


def read_contact(channel: Channel, given: str) -> tuple[str, str]:
    """Return a contact as it is answered and as it is compared.

    Phone numbers are answered in E.164 form, addresses as they were given.
    """
    if channel is not Channel.EMAIL:
        number = e164(given)
        return number, number
    _check_email(given)
    return given, contact_key(Channel.EMAIL, given)


def key_of_any(given: str) -> str:
    """Return the form to look for, whatever channel the contact belongs to.

    An unencoded plus sign in a query arrives as a space; what is meant is plain.
    """
    if "@" in given:
        return contact_key(Channel.EMAIL, given)
    return e164("+" + given[1:] if given.startswith(" ") else given)


def _check_email(address: str) -> None:
    try:
        # Special-use domains (example.com, *.test) are what integrators try things out with.
        read = validate_email(address, check_deliverability=False, globally_deliverable=False)
    except EmailNotValidError as error:
        raise InvalidEmail from error
    if "." not in read.domain or len(contact_key(Channel.EMAIL, address)) > _LONGEST_KEY:
        raise InvalidEmail
