"""Validates phone numbers and e-mail addresses, and merges spellings of the same contact."""

import re
import string
import unicodedata
from typing import Final

import idna
import phonenumbers
from phonenumbers import NumberParseException, PhoneNumber, PhoneNumberFormat, ValidationResult

from models.enums import Channel
from models.errors import InvalidPhoneNumber
from models.rules.consent.numbering_plans import current_form, one_form

_WRITTEN = re.compile(r"\+[0-9 ().\-/]+")
_E164_LONGEST = 16
"""A plus sign and 15 digits (ITU-T E.164)."""
_NORTH_AMERICA: Final = 1
_NANP: Final = re.compile(r"\+1([2-9][0-9]{2}){2}[0-9]{4}")
"""Area code, exchange, line (North American Numbering Plan: NPA and NXX begin with 2 to 9)."""
_LONGEST_DOMAIN: Final = 253
"""Characters of a domain as text (RFC 1035, section 2.3.4)."""
_PUNYCODE: Final = "xn--"
_ASCII_LOWER: Final = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)


def e164(given: str) -> str:
    """Return the number in E.164 form; raises InvalidPhoneNumber.

    ASCII spaces, parentheses, dots, hyphens and slashes are dropped. A number must be *possible*,
    not *valid*: numbering plans change faster than libraries, tests use fictional ranges such as
    +44 7700 900xxx, and the carrier decides in the end. It must be possible from abroad, so the
    area code is required. A form that was withdrawn by its numbering plan is returned in the form
    that replaced it (`numbering_plans`).
    """
    text = given.strip(string.whitespace)
    # The library also accepts vanity letters (+1800FLOWERS) and extensions.
    if not _WRITTEN.fullmatch(text) or len(text) > 2 * _E164_LONGEST:
        raise InvalidPhoneNumber(
            "must be in E.164 form, + and country code first, such as +12015550123"
        )
    if _NANP.fullmatch(text):  # the library, which is slow, would return the same
        return text
    number = _parsed(text)
    formatted = phonenumbers.format_number(number, PhoneNumberFormat.E164)
    if (current := current_form(formatted)) != formatted:
        number = _parsed(current)
        formatted = phonenumbers.format_number(number, PhoneNumberFormat.E164)
    possible = phonenumbers.is_possible_number_with_reason(number)
    if possible == ValidationResult.IS_POSSIBLE_LOCAL_ONLY:
        raise InvalidPhoneNumber("lacks its area code")
    if number.extension or possible != ValidationResult.IS_POSSIBLE:
        raise InvalidPhoneNumber("has too many or too few digits for its country")
    if number.country_code == _NORTH_AMERICA and not _NANP.fullmatch(formatted):
        raise InvalidPhoneNumber(
            "has an area code or exchange that begins with 0 or 1, which +1 does not have"
        )
    if len(formatted) > _E164_LONGEST:  # some numbering plans of the library allow longer ones
        raise InvalidPhoneNumber("must have at most 15 digits")
    if formatted == text:  # parsing it again would change nothing
        return formatted
    # The library drops one trunk prefix at a time: +54 0 0… is read again until none is left.
    again = phonenumbers.format_number(_parsed(formatted), PhoneNumberFormat.E164)
    return e164(again) if len(again) < len(formatted) else formatted


def _parsed(text: str) -> PhoneNumber:
    try:
        return phonenumbers.parse(text, None)
    except NumberParseException as error:
        raise InvalidPhoneNumber(
            "must begin with + and an existing country code, such as +12015550123"
        ) from error


def merged_contact(channel: Channel, contact: str) -> str:
    """Return the form that is equal for all spellings of the same contact.

    Raises InvalidPhoneNumber.
    """
    return one_form(e164(contact)) if channel is not Channel.EMAIL else _merged_address(contact)


def _merged_address(address: str) -> str:
    """Return an e-mail address with its domain in ASCII and its local part in lower case.

    In the local part only the case of ASCII letters and the composition of accents (Unicode NFC)
    are ignored: only the receiving mail system knows other equivalences (RFC 5321, section 2.4).
    Text that is not an address is merged in the same way.
    """
    local, at, domain = unicodedata.normalize("NFC", address.strip()).rpartition("@")
    return f"{local.translate(_ASCII_LOWER)}{at}{_ascii_domain(domain)}"


def _ascii_domain(domain: str) -> str:
    """Return a domain in its DNS form: UTS #46, non-transitional, then IDNA 2008 (RFC 5891).

    So ß, final sigma and the joiners stay distinct: straße.example is not strasse.example. An
    invalid domain is compared as written, except for the case of ASCII letters.
    """
    written = domain.translate(_ASCII_LOWER)
    # IDNA takes time quadratic in the length of a label.
    if len(domain) > _LONGEST_DOMAIN or (domain.isascii() and _PUNYCODE not in written):
        return written
    try:
        mapped = idna.uts46_remap(domain, std3_rules=False, transitional=False)
        return ".".join(idna.alabel(label).decode("ascii") for label in mapped.split("."))
    except UnicodeError:  # IDNAError is a subclass
        return written
