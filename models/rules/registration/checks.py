"""What The Campaign Registry wants of fields together; of each alone, the request's schema says.

Fields are named as in the contract, so that a form can show what is wrong.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Final, TypeAlias

from models.rules.consent.keywords import BUILT_IN, fold
from models.rules.registration.places import COUNTRIES, US_STATES
from models.rules.registration.profiles import BrandProfile, CampaignProfile
from models.rules.registration.vocabulary import EntityType, UseCase

Wrong: TypeAlias = tuple[str, str]
"""The name of a field, and what is wrong with it."""

MOST_SUB_USE_CASES: Final = 5
_LEAST_SUB_USE_CASES: Final = {UseCase.MIXED: 2, UseCase.LOW_VOLUME: 1}
LONGEST_KEYWORDS: Final = 255

_US_EIN: Final = re.compile(r"\d{9}", re.ASCII)
_US_POSTAL_CODE: Final = re.compile(r"\d{5}", re.ASCII)

_CONTACT: Final = re.compile(
    r"[^\s@]+@[^\s@]+\.[^\s@]+|(https?://|www\.)\S+|\b[\w-]+\.(com|org|net|edu|gov|io|co|us)\b"
    r"|(?:\+?\d[\s().-]*){7,15}",
    re.IGNORECASE,
)
"""An e-mail address, a web address or a telephone number."""

_NOTHING_MORE: Final = re.compile(
    r"\b(no (more|further|longer)|not (receive|get|be sent)|won'?t (receive|get)|unsubscribed"
    r"|opted[ -]out|stopped|removed)\b",
    re.IGNORECASE,
)


def check_brand(profile: BrandProfile) -> Sequence[Wrong]:
    """Return what is wrong with a brand; nothing if it may be submitted."""
    return [*_by_entity(profile), *_by_country(profile), *_pairs(profile)]


def _by_entity(profile: BrandProfile) -> Iterator[Wrong]:
    if profile.entity_type is EntityType.SOLE_PROPRIETOR:
        wanted = ["first_name", "last_name", "mobile_phone"]
    else:
        wanted = ["legal_name", "ein"]
    if profile.entity_type is EntityType.PUBLIC_PROFIT:
        wanted += ["stock_symbol", "stock_exchange", "business_contact_email"]
    for name in wanted:
        if getattr(profile, name) is None:
            yield _camel(name), f"is required for {profile.entity_type}"


def _by_country(profile: BrandProfile) -> Iterator[Wrong]:
    if profile.country not in COUNTRIES:
        yield "country", "must be an ISO 3166-1 code of two capital letters, such as US"
    if profile.country != "US":
        return
    if profile.ein is not None and not _US_EIN.fullmatch(profile.ein):
        yield "ein", "must have 9 digits in the US, such as 12-3456789"
    if profile.state not in US_STATES:
        yield "state", "must be the two capital letters of a state or territory in the US"
    if not _US_POSTAL_CODE.fullmatch(profile.postal_code):
        yield "postalCode", "must have 5 digits in the US, such as 33602"


def _pairs(profile: BrandProfile) -> Iterator[Wrong]:
    if (profile.alt_business_id is None) != (profile.alt_business_id_type is None):
        missing = "altBusinessId" if profile.alt_business_id is None else "altBusinessIdType"
        yield missing, "is required with the other of the pair"
    if profile.entity_type is not EntityType.PUBLIC_PROFIT and (
        (profile.stock_symbol is None) != (profile.stock_exchange is None)
    ):
        yield (
            "stockExchange" if profile.stock_exchange is None else "stockSymbol",
            ("is required with the other of the pair"),
        )


def check_campaign(profile: CampaignProfile) -> Sequence[Wrong]:
    """Return what is wrong with a campaign, whoever's it is."""
    return [*_sub_use_cases(profile), *_keywords(profile)]


def _sub_use_cases(profile: CampaignProfile) -> Iterator[Wrong]:
    given = profile.sub_use_cases
    least = _LEAST_SUB_USE_CASES.get(profile.use_case, 0)
    if len(given) < least:
        yield "subUseCases", f"{profile.use_case} needs at least {least}"
    if given and not least:
        yield "subUseCases", "are allowed for MIXED and LOW_VOLUME only"
    if len(set(given)) < len(given):
        yield "subUseCases", "must each be named once"
    if set(given) & _LEAST_SUB_USE_CASES.keys():
        yield "subUseCases", "must not be MIXED or LOW_VOLUME themselves"


def _keywords(profile: CampaignProfile) -> Iterator[Wrong]:
    for name in ("opt_in_keywords", "opt_out_keywords", "help_keywords"):
        if len(",".join(getattr(profile, name))) > LONGEST_KEYWORDS:
            yield (
                _camel(name),
                f"must have at most {LONGEST_KEYWORDS} characters together, commas included",
            )
    if profile.opt_in_keywords and profile.opt_in_message is None:
        yield "optInMessage", "is required with optInKeywords"
    yield from _meanings(profile)


def _meanings(profile: CampaignProfile) -> Iterator[Wrong]:
    """Find lists without STOP, and words that would ask for two things at once."""
    out, into, help = (
        set(map(fold, words))
        for words in (profile.opt_out_keywords, profile.opt_in_keywords, profile.help_keywords)
    )
    if "stop" not in out:
        yield "optOutKeywords", "must contain STOP"
    if out & (BUILT_IN.opt_in | BUILT_IN.help):
        yield "optOutKeywords", "must contain no word that opts in or asks for help"
    if into & (out | BUILT_IN.opt_out):
        yield "optInKeywords", "must contain no word that opts out"
    if into & BUILT_IN.help:
        yield "optInKeywords", "must contain no word that asks for help"
    if help & (out | BUILT_IN.opt_out):
        yield "helpKeywords", "must contain no word that opts out"
    if help & (into - BUILT_IN.help | BUILT_IN.opt_in):
        yield "helpKeywords", "must contain no word that opts in"


def check_texts(profile: CampaignProfile, brand: BrandProfile) -> Sequence[Wrong]:
    """Return what carriers would miss in the answers to STOP, HELP and opt-in (CTIA 2023).

    All name the brand; that to STOP says that nothing more will come, that to HELP whom to ask.
    """
    names = [name for name in (brand.display_name, brand.legal_name) if name]
    wrong: list[Wrong] = []
    for field, text in (
        ("optInMessage", profile.opt_in_message),
        ("optOutMessage", profile.opt_out_message),
        ("helpMessage", profile.help_message),
    ):
        if text is not None and not any(name.lower() in text.lower() for name in names):
            wrong.append((field, "must name the brand as it is displayed"))
    if not _NOTHING_MORE.search(profile.opt_out_message):
        wrong.append(("optOutMessage", "must say that no more messages will come"))
    if not _CONTACT.search(profile.help_message):
        wrong.append(("helpMessage", "must hold a contact: an e-mail, phone or web address"))
    return wrong


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
