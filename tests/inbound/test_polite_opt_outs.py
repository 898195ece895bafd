"""Opt-outs in free text: which texts count, and which do not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.enums import InboundKind
from models.rules.consent.keywords import BUILT_IN, kind_of
from tests.inbound.harness import CONTACT, InboundHarness
from tests.inbound.test_words import OPT_IN, OPT_OUT

POLITE = [
    "please", "pls", "thanks", "thank you", "now", "i", "want", "to", "texting", "messaging",
    "sending", "me", "us", "messages", "texts", "the", "all", "from", "this", "it", "these",
    "those", "sms", "msg", "msgs", "contacting", "receiving", "getting", "you", "and",
]  # fmt: skip
COURTESIES = ["please", "pls", "thanks", "thank you", "now"]
AMBIGUOUS = ["CANCEL", "END", "QUIT", "REMOVE", "REVOKE"]
UNAMBIGUOUS = [word for word in OPT_OUT if word not in AMBIGUOUS]
OTHER_WORDS = ["don't", "not", "never", "when", "does", "appointment", "yes", "it's", "for", "by"]

UNDERSTOOD = [
    "Stop. Thank you",
    "STOP STOP",
    "please stop texting me",
    "Please stop sending me messages!",
    "PLS STOP",
    "stop,thanks",
    "Stop/stop",
    "Stop...please...now",
    "I want to opt out",
    "I want to unsubscribe from this",
    "opt me out please",
    "Please, opt-out",
    "remove me",
    "cancel all messages from us",
    "STOP!!! STOP!!! STOP!!!",
    "Stop 🙏 thank you 🙏",
    "ＰＬＥＡＳＥ ＳＴＯＰ",
    "S.T.O.P. please",
    "stop\nthanks",
    "unsubscribe, stop, end",
    "plz stop, thx",
    "stop text messages",
    "arrêt, merci",
    "Arrêt s'il vous plaît",
    "arret svp",
    "stop it",
    "please stop it",
    "Stop it!!",
    "remove me from your list",
    "Please remove me from your list.",
    "remove my number",
    "remove this number from your list, thanks",
    "stop these texts",
    "stop those messages",
    "stop sms",
    "stop contacting me",
    "stop texting this number",
    "unsubscribe my number",
    "unsubscribe me from your list",
    "stop sending me these",
    "stop sending me msgs",
    "I want you to stop",
    "I want to stop receiving these messages",
    "I want to stop getting texts",
    "stop texting and messaging me",
    "opt me out of all messages",
    "I want these texts to stop",
    "quit texting me",
    "cancel these texts please",
    "end, please",
    "cancel now",
    "Cancel. Thank you",
    "quit quit quit",
    "stop and remove me",
]
READ_BY_PEOPLE = [
    "Don't stop",
    "dont stop texting me",
    "Don\u2019t stop, please",
    "when does it stop?",
    "cancel my appointment",
    "please",
    "thank you",
    "I want to",
    "I want to start",
    "never stop",
    "no stop",
    "please stop by",
    "bus stop",
    "stop, yes",
    "START STOP",
    "help stop",
    "stop at 5",
    "nonstop please",
    "the weekend",
    "remove 2 from this",
    "unstop please stop",
    "opt please",
    "out please",
    "n'arrête pas",
    "arrêt de bus",
    "merci",
    "The end.",
    "The end. Thank you all",
    "I want to end this",
    "I want to cancel",
    "cancel this",
    "Cancel all",
    "cancel it",
    "cancel my message",
    "Remove this please",
    "remove it",
    "remove all",
    "remove this from my list",
    "remove this message",
    "I want to quit",
    "quit it",
    "revoke this",
    "end it now, I want to",
    "end of list",
    "STOP 2 END",
    "my stop",
    "I want your stop",
    "this is my stop",
    "the stop number",
    "Stop list",
    "when do you stop",
    "do not stop, thank you",
    "stop for me",
    "it",
    "and you",
    "stop receiving appointments",
]


@pytest.mark.parametrize("text", UNDERSTOOD)
def test_a_polite_opt_out_is_recognized(text: str) -> None:
    assert kind_of(text) is InboundKind.OPT_OUT


@pytest.mark.parametrize("text", READ_BY_PEOPLE)
def test_a_text_with_any_other_word_is_only_stored(text: str) -> None:
    assert kind_of(text) is InboundKind.OTHER


WORDS = st.lists(st.sampled_from(POLITE), max_size=8)
SEPARATORS = st.sampled_from([" ", ", ", ". ", "! ", "\n", " - ", "  "])


@given(WORDS, st.lists(st.sampled_from(UNAMBIGUOUS), min_size=1, max_size=4), SEPARATORS, st.data())
def test_polite_phrases_around_opt_out_keywords_are_ignored(
    polite: list[str], words: list[str], separator: str, data: st.DataObject
) -> None:
    text = separator.join(data.draw(st.permutations([*polite, *words])))
    assert kind_of(text) is InboundKind.OPT_OUT


@given(
    st.lists(st.sampled_from(COURTESIES), max_size=4),
    st.lists(st.sampled_from(OPT_OUT), min_size=1, max_size=4),
    SEPARATORS,
    st.data(),
)
def test_every_opt_out_keyword_may_have_courtesies_around_it(
    polite: list[str], words: list[str], separator: str, data: st.DataObject
) -> None:
    text = separator.join(data.draw(st.permutations([*polite, *words])))
    assert kind_of(text) is InboundKind.OPT_OUT


@pytest.mark.parametrize("word", AMBIGUOUS)
@pytest.mark.parametrize("around", ["{} this", "I want to {}", "{} it", "the {}", "{} all, thanks"])
def test_an_ambiguous_keyword_does_not_opt_out_in_a_sentence(word: str, around: str) -> None:
    assert kind_of(around.format(word)) is InboundKind.OTHER


REGISTERED = BUILT_IN.besides(opt_out=["STOP", "NO", "NO MORE"], opt_in=[], help=[])


@pytest.mark.parametrize(
    "text", ["No, I want this now", "no, thank you, i want all", "not no", "no now"]
)
def test_a_registered_keyword_does_not_opt_out_in_a_sentence(text: str) -> None:
    assert kind_of(text, REGISTERED) is InboundKind.OTHER


@pytest.mark.parametrize(
    "text", ["NO", "no.", "No, thank you", "no no", "no more, please", "no, stop texting me"]
)
def test_a_registered_keyword_may_have_thanks_around_it(text: str) -> None:
    assert kind_of(text, REGISTERED) is InboundKind.OPT_OUT


@pytest.mark.parametrize("nothing", ["", "!", "🙏", " ", "\u0301"])
def test_a_registered_keyword_without_a_letter_or_digit_is_ignored(nothing: str) -> None:
    words = BUILT_IN.besides(opt_out=[nothing], opt_in=[nothing], help=[nothing])
    assert words == BUILT_IN
    assert kind_of("when do you open?", words) is InboundKind.OTHER
    assert kind_of("🙂", words) is InboundKind.OTHER
    assert kind_of("please", words) is InboundKind.OTHER


@given(WORDS, SEPARATORS)
def test_polite_phrases_alone_are_no_opt_out(polite: list[str], separator: str) -> None:
    assert kind_of(separator.join(polite)) is InboundKind.OTHER


@given(
    WORDS,
    st.lists(st.sampled_from(OPT_OUT), min_size=1, max_size=3),
    st.sampled_from([*OTHER_WORDS, *OPT_IN]),
    st.data(),
)
def test_a_text_with_one_word_more_is_only_stored(
    polite: list[str], words: list[str], other: str, data: st.DataObject
) -> None:
    text = " ".join(data.draw(st.permutations([*polite, *words, other])))
    assert kind_of(text) is InboundKind.OTHER


async def test_a_polite_opt_out_blocks_and_the_trail_says_that_it_was_understood(
    inbound: InboundHarness,
) -> None:
    await inbound.writes()
    await inbound.texts("Stop. Thank you")
    number = inbound.owner.sender
    merchant = inbound.owner.merchant_id
    assert await inbound.history() == [(merchant, "OPT_OUT", f"sms:STOP-UNDERSTOOD:{number}")]
    assert [answer.body for answer in await inbound.answers()] != []


async def test_start_takes_back_an_opt_out_that_was_understood(inbound: InboundHarness) -> None:
    await inbound.writes()
    await inbound.texts("please stop texting me")
    await inbound.texts("START")
    assert await inbound.consents() == {
        inbound.owner.merchant_id: ("OPT_IN", f"sms:START:{inbound.owner.sender}")
    }


async def test_a_question_about_stopping_changes_nothing(inbound: InboundHarness) -> None:
    await inbound.writes()
    await inbound.texts("When does it stop?", sender=CONTACT)
    assert (await inbound.consents(), await inbound.answers()) == ({}, [])
    assert [text.kind for text in await inbound.stored()] == ["OTHER"]
