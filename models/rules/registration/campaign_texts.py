"""Checks a campaign's answers to STOP, HELP and opt-in by the rules of carriers (CTIA 2023).

Each answer must name the brand. The answer to STOP must say that no more messages come, the answer
to HELP must contain a contact. Only checks that work in every language reject a campaign; the rest
are warnings.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from models.rules.registration.checks import Wrong
from models.rules.registration.profiles import BrandProfile, CampaignProfile

_CONTACT: Final = re.compile(
    r"[^\s@]+@[^\s@]+\.[^\s@]+"
    r"|https?://\S+|\bwww\.\S+"
    r"|\b(?:[^\W_]{1,63}(?:-+[^\W_]+)*\.)+[^\W\d_]{2,63}\b"
    r"|(?:\+?\d[\s().-]*){7,15}",
    re.IGNORECASE,
)
"""Matches an e-mail address, a web address (any domain, any script) or a telephone number."""

_MAYBE_CONTACT: Final = re.compile(r"@|\d{3}|\w\.\w|\w/\w")
"""Matches text that may be a contact: the digits of a short code, or a sign of an address."""

_NOTHING_MORE: Final = re.compile(
    r"\b(no (more|further|longer)|not (receive|get|be sent)|won'?t (receive|get)|unsubscribed"
    r"|opted[ -]out|stopped|removed)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TextWarning:
    """A field that a registry may reject, and that cannot be checked reliably here."""

    code: str
    field: str
    message: str


def check_texts(profile: CampaignProfile, brand: BrandProfile) -> Sequence[Wrong]:
    """Return the errors of the answers that are certain in any language; none if there are none."""
    names = [_plain(name) for name in (brand.display_name, brand.legal_name) if name]
    wrong: list[Wrong] = []
    for field, text in (
        ("optInMessage", profile.opt_in_message),
        ("optOutMessage", profile.opt_out_message),
        ("helpMessage", profile.help_message),
    ):
        if text is not None and not any(name in _plain(text) for name in names):
            wrong.append((field, "must name the brand as it is displayed"))
    if not (_CONTACT.search(profile.help_message) or _MAYBE_CONTACT.search(profile.help_message)):
        wrong.append(("helpMessage", "must hold a contact: an e-mail, phone or web address"))
    return wrong


def warnings_of(profile: CampaignProfile) -> Iterator[TextWarning]:
    """Return warnings about the answers: unclear texts, and text that may not be a contact."""
    if not _NOTHING_MORE.search(profile.opt_out_message):
        yield TextWarning(
            code="OPT_OUT_TEXT_UNCLEAR",
            field="optOutMessage",
            message="Carriers want it to say that no more messages will come. Only English texts "
            "are recognised; the registry reads this one itself.",
        )
    if not _CONTACT.search(profile.help_message):
        yield TextWarning(
            code="HELP_CONTACT_UNCLEAR",
            field="helpMessage",
            message="Carriers want an e-mail, phone or web address in it. None was recognised.",
        )


def _plain(text: str) -> str:
    """Return a text for comparison: NFKC, case-folded, without white space."""
    return "".join(unicodedata.normalize("NFKC", text).casefold().split())
