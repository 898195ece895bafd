"""Marketing is never sent at a forbidden hour in any zone of the recipient's area code."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st
from phonenumbers.tzdata import TIMEZONE_DATA

from models.rules.consent.area_codes import zones_of_area_code
from models.rules.consent.quiet_hours import (
    FEDERAL,
    NoSuchHour,
    Window,
    narrowed,
    next_allowed,
    zones_of,
)

MERCHANT = "America/Denver"
SPLIT = [
    208, 219, 250, 270, 308, 418, 423, 541, 574, 605, 606, 620, 701, 709, 775, 785, 807,
    812, 850, 867, 879, 906, 907, 928, 986,
]  # fmt: skip
"""FIELD.md §3.3: the area codes that the table itself lists in several zones."""


def at(zone: str, year: int, month: int, day: int, hour: int = 0, *finer: int) -> datetime:
    minute, second, microsecond = (*finer, 0, 0, 0)[:3]
    return datetime(year, month, day, hour, minute, second, microsecond, ZoneInfo(zone))


def inside(moment: datetime, zones: tuple[str, ...], window: Window) -> bool:
    return all(
        window.opens <= moment.astimezone(ZoneInfo(zone)).time() < window.closes for zone in zones
    )


@pytest.mark.parametrize(
    ("number", "zones"),
    [
        ("+12125550123", "America/New_York"),
        ("+12195550123", "America/Chicago America/New_York"),
        ("+15745550123", "America/Chicago America/New_York"),
        ("+18125550123", "America/Chicago America/New_York"),
        ("+19305550123", "America/Chicago America/New_York"),
        ("+16025550123", "America/Phoenix"),
        ("+19285550123", "America/Denver America/Phoenix"),
        ("+18085550123", "Pacific/Honolulu"),
        ("+19075550123", "America/Adak America/Anchorage America/Juneau Pacific/Honolulu"),
        ("+12085550123", "America/Boise America/Denver America/Los_Angeles"),
        ("+19865550123", "America/Boise America/Denver America/Los_Angeles"),
        ("+19155550123", "America/Denver"),
        ("+14325550123", "America/Chicago America/Denver"),
        ("+13345550123", "America/Chicago America/New_York"),
        ("+14835550123", "America/Chicago America/New_York"),
        ("+16895550123", "America/Chicago America/New_York"),
        ("+17295550123", "America/Chicago America/New_York"),
        ("+18375550123", "America/Los_Angeles"),
        ("+17875550123", "America/Puerto_Rico"),
        ("+16715550123", "Pacific/Guam"),
        (
            "+18675550123",
            "America/Edmonton America/Fort_Nelson America/Toronto America/Vancouver "
            "America/Winnipeg",
        ),
        ("+18795550123", "America/Halifax America/Puerto_Rico America/St_Johns"),
        ("+15815550123", "America/Halifax America/Toronto"),
        ("+17785550123", "America/Edmonton America/Vancouver"),
        ("+14745550123", "America/Edmonton America/Regina America/Winnipeg"),
        ("+442071838750", "Europe/London"),
        ("+447700900123", "Europe/London"),
        ("+493012345678", "Europe/Berlin Europe/Zurich"),
        ("+59352345678", "America/Guayaquil Pacific/Galapagos"),
    ],
)
def test_a_recipient_may_be_in_every_zone_of_the_area(number: str, zones: str) -> None:
    assert zones_of(number, MERCHANT) == tuple(zones.split())


@pytest.mark.parametrize(
    "number",
    [
        *("+18005550123", "+18885550123", "+18445550123", "+15005550006", "+15335550123"),
        *("+15215550123", "+19005550123", "+17105550123", "+16225550123", "+80012345678"),
    ],
)
def test_a_number_that_names_no_place_follows_the_merchant(number: str) -> None:
    assert zones_of(number, MERCHANT) == (MERCHANT,)


def test_an_unknown_area_code_may_be_anywhere_on_the_continent() -> None:
    assert zones_of("+12965550123", MERCHANT) == ("America/St_Johns", "Pacific/Honolulu")


def test_a_mobile_number_abroad_may_be_anywhere_in_its_country() -> None:
    # The table alone yields Sydney, where it is two hours later than in Perth.
    assert {"Australia/Perth", "Australia/Sydney"} <= set(zones_of("+61412345678", MERCHANT))


@pytest.mark.parametrize("area_code", SPLIT)
def test_a_split_area_code_spans_zones(area_code: int) -> None:
    assert len(zones_of_area_code(str(area_code))) > 1


@pytest.mark.parametrize(
    ("overlay", "base"),
    [
        (364, 270),
        (448, 850),
        (930, 812),
        (458, 541),
        (236, 250),
        (729, 423),
        (986, 208),
        (639, 306),
    ],
)
def test_an_overlay_spans_what_its_base_spans(overlay: int, base: int) -> None:
    assert zones_of_area_code(str(overlay)) == zones_of_area_code(str(base)) != frozenset()


def test_the_zones_of_a_number_hold_those_the_table_names_for_its_block() -> None:
    blocks = [block for block in TIMEZONE_DATA if block[0] == "1" and len(block) >= 4]
    missing = [
        block
        for block in blocks
        if not set(TIMEZONE_DATA[block]) <= set(zones_of(f"+{block:2<11}", MERCHANT))
    ]
    assert (len(blocks) > 300, missing) == (True, [])


def test_every_country_has_an_hour_for_all_its_zones() -> None:
    now = at("UTC", 2027, 1, 1)
    for code in set(phonenumbers.COUNTRY_CODE_TO_REGION_CODE) - {1}:
        example = phonenumbers.PhoneNumber(country_code=code, national_number=900000000)
        number = phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164)
        assert next_allowed(now, zones_of(number, MERCHANT), FEDERAL) < now + timedelta(days=2)


@pytest.mark.parametrize(
    ("clock", "following"),
    [
        ((7, 59, 59, 999_999), (10, 8)),
        ((8,), (10, 8)),
        ((20, 59, 59, 999_999), (10, 20, 59, 59, 999_999)),
        ((21,), (11, 8)),
        ((0,), (10, 8)),
    ],
)
def test_eight_is_allowed_and_nine_in_the_evening_is_not(
    clock: tuple[int, ...], following: tuple[int, ...]
) -> None:
    now = at("America/New_York", 2027, 6, 10, *clock)
    answer = next_allowed(now, ("America/New_York",), FEDERAL)
    assert answer == at("America/New_York", 2027, 6, *following)
    assert answer.tzinfo is UTC


def test_two_zones_open_with_the_western_and_close_with_the_eastern() -> None:
    zones = zones_of("+12195550123", MERCHANT)
    early = next_allowed(at("America/New_York", 2027, 6, 10, 8, 30), zones, FEDERAL)
    late = next_allowed(at("America/Chicago", 2027, 6, 10, 20), zones, FEDERAL)
    assert early == at("America/Chicago", 2027, 6, 10, 8)
    assert late == at("America/Chicago", 2027, 6, 11, 8)


@pytest.mark.parametrize(
    ("evening", "hours"),
    [((2027, 3, 13), 10), ((2027, 11, 6), 12), ((2027, 6, 10), 11)],
    ids=["spring forward", "fall back", "any night"],
)
def test_a_night_of_a_clock_change_is_shorter_or_longer(
    evening: tuple[int, int, int], hours: int
) -> None:
    now = at("America/New_York", *evening, 21).astimezone(UTC)
    assert next_allowed(now, ("America/New_York",), FEDERAL) == now + timedelta(hours=hours)


def test_navajo_summers_start_later_than_the_rest_of_arizona_thinks() -> None:
    zones = zones_of("+19285550123", MERCHANT)
    winter, summer = at("UTC", 2027, 3, 13, 8), at("UTC", 2027, 3, 15, 3)
    assert next_allowed(winter, zones, FEDERAL) == at("America/Phoenix", 2027, 3, 13, 8)
    # 20:00 in Phoenix, but 21:00 on the reservation.
    assert next_allowed(summer, zones, FEDERAL) == at("America/Phoenix", 2027, 3, 15, 8)


def test_an_opening_the_clocks_skip_is_the_moment_they_are_changed() -> None:
    window = Window(time(2, 30), time(5))
    answer = next_allowed(at("UTC", 2027, 3, 14, 5), ("America/New_York",), window)
    assert answer == at("America/New_York", 2027, 3, 14, 3)


def test_a_repeated_hour_is_allowed_twice() -> None:
    window = Window(time(1), time(1, 30))
    first_close = at("UTC", 2027, 11, 7, 5, 30)
    answer = next_allowed(first_close, ("America/New_York",), window)
    assert answer == at("UTC", 2027, 11, 7, 6)


def test_a_window_narrows_and_never_widens() -> None:
    assert narrowed(FEDERAL, None, None) == FEDERAL
    assert narrowed(FEDERAL, time(9), time(20)) == Window(time(9), time(20))
    assert narrowed(FEDERAL, time(6), time(23)) == FEDERAL
    assert narrowed(FEDERAL, time(0), None) == FEDERAL


@pytest.mark.parametrize(
    ("opens", "closes"), [(time(21), None), (time(12), time(12)), (None, time(0))]
)
def test_a_window_without_an_hour_is_refused(opens: time | None, closes: time | None) -> None:
    with pytest.raises(NoSuchHour):
        narrowed(FEDERAL, opens, closes)


def test_zones_that_never_share_an_hour_are_reported() -> None:
    with pytest.raises(NoSuchHour):
        next_allowed(
            at("UTC", 2027, 6, 10),
            ("America/Chicago", "America/New_York"),
            narrowed(FEDERAL, time(12), time(13)),
        )


def test_a_clock_change_may_bring_the_shared_hour_back() -> None:
    zones, noon = zones_of("+19285550123", MERCHANT), narrowed(FEDERAL, time(12), time(13))
    answer = next_allowed(at("UTC", 2027, 6, 10), zones, noon)
    assert answer == at("America/Phoenix", 2027, 11, 7, 12)


def test_no_zone_at_all_is_an_error() -> None:
    with pytest.raises(ValueError, match="Somewhere"):
        next_allowed(at("UTC", 2027, 6, 10), (), FEDERAL)


MOMENTS = st.datetimes(datetime(2025, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
CHANGES = st.sampled_from([at("UTC", 2027, 3, 14), at("UTC", 2027, 11, 7)])
NOW = st.one_of(
    MOMENTS,
    st.builds(
        lambda day, hours: day + hours, CHANGES, st.timedeltas(timedelta(), timedelta(days=1))
    ),
)
AREAS = st.sampled_from([*SPLIT, 212, 729, 474, 602, 808, 671, 296, 800])
NARROWED = st.builds(
    lambda opens, closes: narrowed(FEDERAL, time(opens), time(closes)),
    st.integers(6, 10),
    st.integers(18, 23),
)


def assert_first(now: datetime, zones: tuple[str, ...], window: Window) -> None:
    answer = next_allowed(now, zones, window)
    assert answer >= now
    assert inside(answer, zones, window)
    minute = now
    while minute < answer:
        assert not inside(minute, zones, window)
        minute += timedelta(minutes=1)
    if answer > now:
        assert not inside(answer - timedelta(microseconds=1), zones, window)


@given(now=NOW, area=AREAS, window=NARROWED)
def test_a_message_waits_for_the_first_moment_allowed_everywhere(
    now: datetime, area: int, window: Window
) -> None:
    assert_first(now, zones_of(f"+1{area}5550123", MERCHANT), window)


@given(
    now=NOW,
    zone=st.sampled_from(["America/New_York", "America/St_Johns", "Australia/Lord_Howe"]),
    bounds=st.tuples(st.times(), st.times()).filter(lambda pair: pair[0] != pair[1]),
)
def test_any_window_is_found_also_in_the_night_of_a_clock_change(
    now: datetime, zone: str, bounds: tuple[time, time]
) -> None:
    assert_first(now, (zone,), Window(min(bounds), max(bounds)))
