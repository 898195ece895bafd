"""Phone numbers and e-mail addresses: what is valid, and what counts as the same contact."""

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat

from models.enums import Channel
from models.errors import InvalidPhoneNumber

_E164_LONGEST = 16
"""A plus sign and 15 digits (ITU-T E.164)."""


def e164(given: str) -> str:
    """Return the number in E.164 form, or raise InvalidPhoneNumber.

    A number must be *possible*, not *valid*: numbering plans change faster than libraries, fiction
    ranges such as +44 7700 900xxx are used in tests, and the carrier has the last word.
    """
    text = given.strip()
    if not text.startswith("+") or len(text) > 2 * _E164_LONGEST:
        raise InvalidPhoneNumber("A phone number is written in E.164: + and country code first.")
    try:
        number = phonenumbers.parse(text, None)
    except NumberParseException as error:
        raise InvalidPhoneNumber("The phone number cannot be read.") from error
    if number.extension or not phonenumbers.is_possible_number(number):
        raise InvalidPhoneNumber("No such phone number is possible in that country.")
    return phonenumbers.format_number(number, PhoneNumberFormat.E164)


def contact_key(channel: Channel, contact: str) -> str:
    """Return the form in which two ways of writing the same contact are equal."""
    return contact.strip().casefold() if channel is Channel.EMAIL else e164(contact)
