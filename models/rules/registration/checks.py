"""Checks across fields by the rules of The Campaign Registry; schemas check single fields.

Fields have the names of the API contract, so that a form can show the errors.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Final, TypeAlias

from models.rules.consent.folding import fold
from models.rules.consent.keywords import BUILT_IN
from models.rules.registration.places import COUNTRIES, US_STATES, required_of
from models.rules.registration.profiles import BrandProfile, CampaignProfile
from models.rules.registration.vocabulary import EntityType, UseCase

Wrong: TypeAlias = tuple[str, str]
"""Field name and error."""

MOST_SUB_USE_CASES: Final = 5
_LEAST_SUB_USE_CASES: Final = {UseCase.MIXED: 2, UseCase.LOW_VOLUME: 1}
LONGEST_KEYWORDS: Final = 255

_US_EIN: Final = re.compile(r"\d{9}", re.ASCII)
_US_POSTAL_CODE: Final = re.compile(r"\d{5}([ -]?\d{4})?", re.ASCII)


def check_brand(profile: BrandProfile) -> Sequence[Wrong]:
    """Return the errors of a brand; none if it may be submitted."""
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
        return
    for name in sorted(required_of(profile.country)):
        if getattr(profile, name) is None:
            yield _camel(name), f"is required in addresses of {profile.country}"
    if profile.country != "US":
        return
    if profile.ein is not None and not _US_EIN.fullmatch(profile.ein):
        yield "ein", "must have 9 digits in the US, such as 12-3456789"
    if profile.state is not None and profile.state not in US_STATES:
        yield "state", "must be the two capital letters of a state or territory in the US"
    if profile.postal_code is not None and not _US_POSTAL_CODE.fullmatch(profile.postal_code):
        yield "postalCode", "must have 5 digits, or 9 (ZIP+4), in the US, such as 33602"


def _pairs(profile: BrandProfile) -> Iterator[Wrong]:
    if (profile.alt_business_id is None) != (profile.alt_business_id_type is None):
        yield _missing_of("altBusinessId", "altBusinessIdType", profile.alt_business_id is None)
    if profile.entity_type is not EntityType.PUBLIC_PROFIT and (
        (profile.stock_symbol is None) != (profile.stock_exchange is None)
    ):
        yield _missing_of("stockSymbol", "stockExchange", profile.stock_symbol is None)


def _missing_of(one: str, other: str, one_is_missing: bool) -> Wrong:
    """Return the error of a pair of fields of which only one was given."""
    missing, given = (one, other) if one_is_missing else (other, one)
    return missing, f"is required with {given}"


def check_campaign(profile: CampaignProfile) -> Sequence[Wrong]:
    """Return the errors of a campaign that do not depend on its brand."""
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
    """Find lists without STOP, and keywords with two meanings."""
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


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
