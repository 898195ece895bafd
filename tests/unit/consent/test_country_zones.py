"""Outside North America a recipient may be in any zone that tzdata lists for the country."""

from datetime import UTC, datetime, time, timedelta
from importlib.resources import files
from zoneinfo import ZoneInfo

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.rules.consent.marketing_hours import MarketingHours
from models.rules.consent.quiet_hours import FEDERAL, NoSuchHour, narrowed, next_allowed, zones_of

MERCHANT = "America/Denver"
NOON = narrowed(FEDERAL, time(12), time(13))
NOT_LISTED = {
    "AC": ["Africa/Abidjan"],  # Ascension and Tristan da Cunha use Saint Helena's zone
    "TA": ["Africa/Abidjan"],
    "XK": ["Europe/Belgrade"],  # Kosovo
}


def listed() -> dict[str, list[str]]:
    """Parse the table independently of the code under test."""
    zones: dict[str, list[str]] = dict(NOT_LISTED)
    table = (files("tzdata") / "zoneinfo" / "zone1970.tab").read_text("utf-8")
    for line in table.splitlines():
        if not line.startswith("#"):
            countries, _, zone, *_ = line.split("\t")
            for country in countries.split(","):
                zones.setdefault(country, []).append(zone)
    return zones


def examples(region: str) -> list[str]:
    """Return a number of every type of the country."""
    kinds = [
        phonenumbers.PhoneNumberType.MOBILE,
        phonenumbers.PhoneNumberType.FIXED_LINE,
        phonenumbers.PhoneNumberType.TOLL_FREE,
    ]
    found = [phonenumbers.example_number_for_type(region, kind) for kind in kinds]
    return [
        phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
        for number in found
        if number is not None and phonenumbers.region_code_for_number(number) == region
    ]


NEVER_NAMED = {"EH": "MA", "MF": "GP"}
"""Countries whose numbers the numbering plans assign to another one, and that one."""
ABROAD = sorted(
    region
    for region in phonenumbers.SUPPORTED_REGIONS - NEVER_NAMED.keys()
    if phonenumbers.country_code_for_region(region) != 1
)


@pytest.mark.parametrize("region", ABROAD)
def test_every_country_has_the_zones_of_the_table(region: str) -> None:
    numbers = examples(region)
    assert numbers
    assert {zones_of(number, MERCHANT) for number in numbers} == {tuple(sorted(listed()[region]))}


@pytest.mark.parametrize(("country", "named"), NEVER_NAMED.items())
def test_a_country_that_is_taken_for_another_one_keeps_its_clocks(country: str, named: str) -> None:
    def clocks(region: str) -> set[timedelta | None]:
        days = [datetime(2027, month, 1, tzinfo=UTC) for month in range(1, 13)]
        zones = [ZoneInfo(zone) for zone in listed()[region]]
        return {day.astimezone(zone).utcoffset() for day in days for zone in zones}

    assert examples(country) == []
    assert clocks(country) == clocks(named)


def test_the_countries_are_many() -> None:
    assert len(ABROAD) > 200


@pytest.mark.parametrize(
    ("number", "zone"),
    [
        ("+212661234567", "Africa/Casablanca"),
        ("+77011234567", "Asia/Almaty"),
        ("+5212221234567", "America/Tijuana"),
        ("+56221234567", "Pacific/Easter"),
        ("+351912345678", "Atlantic/Azores"),
        ("+34612345678", "Atlantic/Canary"),
        ("+59355123456", "Pacific/Galapagos"),
        ("+74951234567", "Asia/Kamchatka"),
        ("+6281234567890", "Asia/Jayapura"),
        ("+5511961234567", "America/Noronha"),
        ("+6421123456", "Pacific/Chatham"),
    ],
)
def test_a_number_may_be_at_the_far_end_of_its_country(number: str, zone: str) -> None:
    assert zone in zones_of(number, MERCHANT)


def test_a_number_of_no_country_yet_may_be_in_all_that_share_its_code() -> None:
    assert {"Europe/Moscow", "Asia/Almaty"} <= set(zones_of("+72001234567", MERCHANT))


@pytest.mark.parametrize("number", ["+80012345678", "+870773111632", "+881612345678", "+882131234"])
def test_a_code_of_no_country_follows_the_merchant(number: str) -> None:
    assert zones_of(number, MERCHANT) == (MERCHANT,)


def test_marketing_to_morocco_waits_for_the_morning_there() -> None:
    evening = datetime(2026, 6, 10, 20, 30, tzinfo=UTC)
    zone = ZoneInfo("Africa/Casablanca")
    assert evening.astimezone(zone).hour == 21
    answer = next_allowed(evening, zones_of("+212661234567", MERCHANT), FEDERAL)
    assert answer.astimezone(zone) == datetime(2026, 6, 11, 8, tzinfo=zone)


def hours(to: str, *named: str, opens: int = 12, closes: int = 13) -> MarketingHours:
    return MarketingHours(
        to=to, merchant_zone=MERCHANT, opens=time(opens), closes=time(closes), named_zones=named
    )


RUSSIAN = "+79161234567"
MONDAY = datetime(2027, 6, 7, 3, tzinfo=UTC)
MOSCOW = "Europe/Moscow"


def test_where_no_hour_fits_a_country_the_merchant_may_name_one_of_its_zones() -> None:
    with pytest.raises(NoSuchHour):
        hours(RUSSIAN).next_allowed(MONDAY)
    zone = ZoneInfo(MOSCOW)
    answer = hours(RUSSIAN, MOSCOW, opens=11, closes=14).next_allowed(MONDAY)
    # 08:00 to 21:00 everywhere else still applies: at 11:00 in Moscow it is 20:00 in Kamchatka.
    assert answer.astimezone(zone) == datetime(2027, 6, 7, 11, tzinfo=zone)
    assert answer.astimezone(ZoneInfo("Asia/Kamchatka")).hour == 20


def test_the_lawful_hours_of_all_zones_hold_also_where_one_is_named() -> None:
    # Noon in Moscow is 21:00 in Kamchatka; in Yekaterinburg it is 19:00 there.
    named = hours(RUSSIAN, "Asia/Yekaterinburg")
    answer = named.next_allowed(MONDAY)
    for zone in zones_of(RUSSIAN, MERCHANT):
        assert FEDERAL.admits(answer, ZoneInfo(zone)), zone
    assert NOON.admits(answer, ZoneInfo("Asia/Yekaterinburg"))


@pytest.mark.parametrize(
    ("to", "named", "opens", "closes"),
    [
        ("+61412345678", "Australia/Sydney", 8, 10),  # 05:00 in Perth
        ("+61412345678", "Australia/Perth", 19, 21),  # 21:00 in Sydney
        (RUSSIAN, MOSCOW, 18, 20),  # 03:00 in Kamchatka
        (RUSSIAN, "Asia/Kamchatka", 8, 16),
        (RUSSIAN, "Europe/Kaliningrad", 12, 21),
        ("+5511961234567", "America/Noronha", 8, 10),
        ("+5212221234567", "America/Tijuana", 20, 21),
        ("+6281234567890", "Asia/Jayapura", 8, 10),
        ("+351912345678", "Atlantic/Azores", 20, 21),
        ("+56221234567", "Pacific/Easter", 19, 21),
        ("+12965550123", "Pacific/Honolulu", 16, 21),
        ("+19075550123", "America/Adak", 20, 21),
    ],
)
def test_a_narrower_window_never_sends_at_an_unlawful_hour(
    to: str, named: str, opens: int, closes: int
) -> None:
    assert named in zones_of(to, MERCHANT)
    with pytest.raises(NoSuchHour):
        hours(to, named, opens=opens, closes=closes).next_allowed(MONDAY)


NUMBERS = sorted(
    {number for region in ABROAD for number in examples(region)}
    | {f"+1{area_code}5550123" for area_code in range(200, 1000)}
    | {"+72001234567", "+80012345678"}
)

SPREAD = [number for number in NUMBERS if len(zones_of(number, MERCHANT)) > 4]


@st.composite
def narrow_hours(draw: st.DrawFn) -> MarketingHours:
    to = draw(st.sampled_from(NUMBERS) | st.sampled_from(SPREAD))
    opens = draw(st.integers(8, 20))
    closes = draw(st.integers(opens + 1, 21))
    named = draw(st.lists(st.sampled_from(zones_of(to, MERCHANT)), max_size=3))
    return hours(to, *named, opens=opens, closes=closes)


@given(
    sent=narrow_hours(),
    now=st.datetimes(datetime(2025, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
)
def test_every_hour_is_lawful_in_every_zone_of_the_number(
    sent: MarketingHours, now: datetime
) -> None:
    zones = [ZoneInfo(zone) for zone in zones_of(sent.to, MERCHANT)]
    # An hour fits all zones of every number: so no other one may be chosen.
    assert next_allowed(now, [zone.key for zone in zones], FEDERAL) < now + timedelta(days=2)
    try:
        answer = sent.next_allowed(now)
    except NoSuchHour:
        return
    assert answer >= now
    assert all(FEDERAL.admits(answer, zone) for zone in zones)
    window = narrowed(FEDERAL, sent.opens, sent.closes)
    assert any(window.admits(answer, zone) for zone in zones)


@pytest.mark.parametrize("named", ["Europe/Berlin", "America/New_York", "Asia/Almaty"])
def test_a_zone_of_another_country_helps_nothing(named: str) -> None:
    with pytest.raises(NoSuchHour):
        hours(RUSSIAN, named).next_allowed(MONDAY)


def test_a_named_zone_changes_nothing_where_an_hour_fits_all() -> None:
    wide = hours(RUSSIAN, MOSCOW, opens=8, closes=21)
    assert wide.next_allowed(MONDAY) == next_allowed(MONDAY, zones_of(RUSSIAN, MERCHANT), FEDERAL)


def test_a_zone_may_be_named_for_each_country_and_area_code() -> None:
    named = ("Asia/Yekaterinburg", "America/Sao_Paulo", "America/Chicago")
    for to, zone in (
        (RUSSIAN, named[0]),
        ("+5511961234567", named[1]),
        ("+12195550123", named[2]),
    ):
        answer = hours(to, *named).next_allowed(MONDAY)
        assert NOON.admits(answer, ZoneInfo(zone))
