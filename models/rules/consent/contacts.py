"""Phone numbers and e-mail addresses: what is valid, and what counts as the same contact."""

import contextlib
import re
import string
import unicodedata

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat

from models.enums import Channel
from models.errors import InvalidPhoneNumber

_WRITTEN = re.compile(r"\+[0-9 ().\-/]+")
_E164_LONGEST = 16
"""A plus sign and 15 digits (ITU-T E.164)."""


def e164(given: str) -> str:
    """Return the number in E.164 form, or raise InvalidPhoneNumber.

    Separators are dropped: spaces, parentheses, dots, hyphens and slashes, as ASCII has them.

    A number must be *possible*, not *valid*: numbering plans change faster than libraries, fiction
    ranges such as +44 7700 900xxx are used in tests, and the carrier has the last word.
    """
    text = given.strip(string.whitespace)
    # The library would also read vanity letters (+1800FLOWERS) and extensions.
    if not _WRITTEN.fullmatch(text) or len(text) > 2 * _E164_LONGEST:
        raise InvalidPhoneNumber(
            "must be in E.164 form, + and country code first, such as +12015550123"
        )
    try:
        number = phonenumbers.parse(text, None)
    except NumberParseException as error:
        raise InvalidPhoneNumber(
            "must begin with + and an existing country code, such as +12015550123"
        ) from error
    if number.extension or not phonenumbers.is_possible_number(number):
        raise InvalidPhoneNumber("has too many or too few digits for its country")
    formatted = phonenumbers.format_number(number, PhoneNumberFormat.E164)
    if len(formatted) > _E164_LONGEST:  # some numbering plans of the library know longer ones
        raise InvalidPhoneNumber("must have at most 15 digits")
    return formatted


def merged_contact(channel: Channel, contact: str) -> str:
    """Return the form in which two ways of writing the same contact are equal.

    Of an address neither case counts, nor how an accented letter is composed (Unicode NFC), nor
    how an international domain is written (RFC 5890).
    """
    if channel is not Channel.EMAIL:
        return e164(contact)
    local, at, domain = unicodedata.normalize("NFC", contact.strip()).rpartition("@")
    with contextlib.suppress(UnicodeError):  # longer than a name may be: compared as written
        domain = domain.encode("idna").decode("ascii")
    return unicodedata.normalize("NFC", f"{local}{at}{domain}".casefold())
