"""Keywords match the whole text only."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.enums import InboundKind
from models.rules.consent.keywords import answer_to, kind_of
from models.rules.messages.segments import segment

OPT_OUT = [
    "STOP",
    "STOPALL",
    "QUIT",
    "END",
    "REVOKE",
    "OPTOUT",
    "OPT OUT",
    "OPT-OUT",
    "CANCEL",
    "UNSUBSCRIBE",
    "REMOVE",
    "ARRET",
    "ARRÊT",
]
OPT_IN = ["START", "YES", "UNSTOP"]
HELP = ["HELP", "INFO"]
KINDS = [
    *((word, InboundKind.OPT_OUT) for word in OPT_OUT),
    *((word, InboundKind.OPT_IN) for word in OPT_IN),
    *((word, InboundKind.HELP) for word in HELP),
]
NOISE = st.text(
    st.sampled_from(
        list(" \t\r\n.,;:!?¡¿'\"“”‘’«»()[]*_-–—…+=~^$€|/\\<>#@&%🙏👍❤️\u200b\u200d\ufeff\0")
    )
)


@pytest.mark.parametrize(("word", "kind"), KINDS)
def test_keywords_are_case_insensitive(word: str, kind: InboundKind) -> None:
    cased = (word, word.lower(), word.title(), word.swapcase())
    assert {kind_of(variant) for variant in cased} == {kind}


@given(st.sampled_from(KINDS), NOISE, NOISE)
def test_characters_around_a_keyword_are_ignored(
    pair: tuple[str, InboundKind], before: str, after: str
) -> None:
    word, kind = pair
    assert kind_of(f"{before}{word}{after}") is kind


@pytest.mark.parametrize(
    "text",
    [
        "Stop.",
        " STOP! ",
        "“stop”",
        "STOP\n",
        "ＳＴＯＰ",
        "𝐒𝐓𝐎𝐏",
        "S.T.O.P.",
        "stop 🙏🏽",
        "opt  out",
        "Opt - Out!",
        "opt\u2011out",
        "opt\u00a0out",
        "arre\u0302t",
        "QUİT",
        "un-subscribe",
    ],
)
def test_small_variants_of_an_opt_out_count(text: str) -> None:
    assert kind_of(text) is InboundKind.OPT_OUT


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "?!",
        "🙏",
        "don't stop",
        "stop 1",
        "stopped",
        "yes please",
        "yes, stop",
        "no",
        "out",
        "opt",
        "СТОП",
        "st op",
    ],
)
def test_anything_else_is_left_to_be_read(text: str) -> None:
    assert kind_of(text) is InboundKind.OTHER


@given(st.text())
def test_any_text_is_of_some_kind(text: str) -> None:
    assert kind_of(text) in InboundKind


@pytest.mark.parametrize("kind", [InboundKind.OPT_OUT, InboundKind.OPT_IN, InboundKind.HELP])
def test_every_answer_names_the_merchant_and_fits(kind: InboundKind) -> None:
    assert "Gym A" in (answer_to(kind, "Gym A", None) or "")
    assert segment(answer_to(kind, "Gym A", None) or "").segments == 1
    assert segment(answer_to(kind, "体" * 200, None) or "").segments <= 10


def test_the_answer_to_an_opt_out_says_that_nothing_more_will_come() -> None:
    assert "no more messages" in (answer_to(InboundKind.OPT_OUT, "Gym A", "call us") or "")


def test_the_answer_to_help_names_a_way_to_reach_the_merchant() -> None:
    answer = answer_to(InboundKind.HELP, "Gym A", None, support_contact="813-555-0100") or ""
    assert ("Gym A" in answer, "813-555-0100" in answer) == (True, True)
    assert segment(answer).segments == 1
    long = answer_to(InboundKind.HELP, "体" * 200, None, support_contact="体" * 100) or ""
    assert segment(long).segments <= 10


def test_the_merchants_own_help_text_goes_before_ours() -> None:
    own = "Gym A. Call 813 555 0100."
    assert answer_to(InboundKind.HELP, "Gym A", own) == own
    assert answer_to(InboundKind.OTHER, "Gym A", own) is None
