"""Which spellings of an e-mail address are one contact, and which are two."""

import unicodedata

import pytest
from email_validator import EmailNotValidError, validate_email
from hypothesis import assume, example, given
from hypothesis import strategies as st

from api.services.consent.contacts import read_contact
from models.enums import Channel
from models.errors import InvalidEmail
from models.rules.consent.contacts import merged_contact
from tests.contacts import key_of

LABELS = st.text(
    st.sampled_from("azAZ09-ßẞſςσΣäÄéÉıİİKåÅøﬁнН例語あ١۱\u0301\u200c\u200d\u00adｅＥ"), min_size=1
)
DOMAINS = st.lists(LABELS, min_size=1, max_size=3).map(
    lambda labels: ".".join([*labels, "example"])
)
LOCALS = st.text(
    st.sampled_from("azAZ09.-+_ßẞſςσΣäÄéÉıİKﬁн\u0301\u200d\ud800"), min_size=1, max_size=12
)
ADDRESSES = st.builds("{}@{}".format, LOCALS, DOMAINS) | st.text(max_size=20).map("a@{}".format)


def merged(address: str) -> str:
    return merged_contact(Channel.EMAIL, address)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("anna@straße.example", "anna@xn--strae-oqa.example"),
        ("anna@STRAßE.example", "Anna@XN--STRAE-OQA.Example"),
        ("anna@straẞe.example", "anna@straße.example"),
        ("anna@faß.de", "anna@xn--fa-hia.de"),
        ("anna@βόλος.com", "anna@xn--nxasmm1c.com"),
        ("anna@نامه\u200cای.com", "anna@xn--mgba3gch31f060k.com"),
        ("anna@bücher.example", "anna@BÜCHER.example"),
        ("anna@bücher.example", "anna@bu\u0308cher.example"),
        ("anna@bücher.example", "anna@xn--bcher-kva.example"),
        ("anna@例え.テスト", "anna@例え。テスト"),
        ("anna@ｇｙｍ.example", "anna@gym.example"),
        ("anna@gy\u00adm.example", "anna@gym.example"),
        ("anna@gym．example", "anna@gym.example"),
        ("anna@ﬁtness.example", "anna@fitness.example"),
        ("ANNA@gym.example", "anna@gym.example"),
        ("zoe\u0301@gym.example", "zoé@gym.example"),
        ("anna@foo_bar.example", "ANNA@FOO_BAR.example"),
        (" anna@gym.example ", "anna@gym.example"),
    ],
)
def test_one_person(one: str, other: str) -> None:
    assert merged(one) == merged(other)
    assert key_of(one) == key_of(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("anna@straße.example", "anna@strasse.example"),
        ("anna@straẞe.example", "anna@strasse.example"),
        ("anna@faß.de", "anna@fass.de"),
        ("anna@βόλος.com", "anna@βόλοσ.com"),
        ("anna@نامه\u200cای.com", "anna@نامهای.com"),
        ("anna@ශ්\u200dරී.com", "anna@ශ්රී.com"),
        ("anna@bücher.example", "anna@bucher.example"),
        ("strauß@gym.example", "strauss@gym.example"),
        ("ſue@gym.example", "sue@gym.example"),
        ("ﬁona@gym.example", "fiona@gym.example"),
        ("Émile@gym.example", "émile@gym.example"),
        ("αχιλλεύς@gym.example", "αχιλλεύσ@gym.example"),
        ("İpek@gym.example", "i\u0307pek@gym.example"),
        ("anna+a@gym.example", "anna+b@gym.example"),
        ("an.na@gym.example", "anna@gym.example"),
        ("anna@gym.example", "anna@gym..example"),
    ],
)
def test_two_people(one: str, other: str) -> None:
    assert merged(one) != merged(other)
    assert key_of(one) != key_of(other)


@given(ADDRESSES)
@example("a@" + "٠" * 300)
@example("a@xn--a.example")
@example("a@xn--.example")
@example("a@.example")
@example("a@\ud800.example")
@example("@")
def test_the_merged_form_of_any_text_merges_into_itself(address: str) -> None:
    assert merged(merged(address)) == merged(address)


@given(ADDRESSES)
def test_the_case_of_ascii_letters_is_ignored(address: str) -> None:
    composed = unicodedata.normalize("NFC", address)
    swapped = "".join(char.swapcase() if char.isascii() else char for char in composed)
    assert merged(swapped) == merged(address)


@given(LOCALS, LOCALS)
def test_local_parts_are_one_only_if_ascii_case_and_composition_tell_them_apart(
    one: str, other: str
) -> None:
    assume(one != other)
    same = _plain(one) == _plain(other)
    assert (merged(f"{one}@gym.example") == merged(f"{other}@gym.example")) is same


def _plain(local: str) -> str:
    composed = unicodedata.normalize("NFC", local)
    return "".join(char.lower() if char.isascii() else char for char in composed)


@given(DOMAINS)
def test_what_is_accepted_is_compared_by_its_ascii_domain(domain: str) -> None:
    try:
        read = validate_email(f"anna@{domain}", check_deliverability=False)
    except EmailNotValidError:
        return
    assert merged(f"anna@{domain}") == f"anna@{read.ascii_domain}"


@pytest.mark.parametrize(
    "address",
    ["-anna@gym.example", "-@gym.example", "--help@gym.example", "-oProxy=x@gym.example"],
)
def test_an_address_that_a_program_could_take_for_an_option_is_refused(address: str) -> None:
    with pytest.raises(InvalidEmail):
        read_contact(Channel.EMAIL, address)


@pytest.mark.parametrize("address", ["anna-@gym.example", "an-na@gym.example", "_anna@gym.example"])
def test_a_hyphen_elsewhere_is_fine(address: str) -> None:
    assert read_contact(Channel.EMAIL, address) == address
