"""References sent to providers, and ids that make retries idempotent."""

import string
from hashlib import sha256

from hypothesis import assume, example, given
from hypothesis import strategies as st

from models.enums import MessageType
from models.rules.messages.identity import MessageIdentity
from models.rules.messages.operations import SEND_SMS
from models.rules.messages.reference import Reference, parse_reference
from workflows.names import priority_of, provider_queue, upgrade_workflow_id

IDS = st.integers(0, 10**16 - 1)
KEYS = st.text(string.ascii_letters + string.digits + string.punctuation, min_size=1, max_size=255)


def send_workflow_id(
    operation: str, tenant: int, scope: str, key: str | None, public_id: int
) -> str:
    return MessageIdentity(
        tenant_id=1,
        tenant_public_id=tenant,
        message_id=1,
        public_id=public_id,
        merchant_id=1,
        operation=operation,
        scope=scope,
        idempotency_key=key,
    ).workflow_id


@given(IDS, IDS, st.integers(1, 9999))
def test_a_reference_is_read_as_it_was_written(tenant: int, message: int, attempt: int) -> None:
    reference = Reference(tenant=tenant, message=message, attempt=attempt)
    assert parse_reference(str(reference)) == reference


@given(st.text(max_size=60) | st.text("hx-0123456789\n ", max_size=60).map("hx-{}".format))
@example("hx-1-2-3\n")
@example("hx-1-2")
@example("hx-1-2-3-4")
@example("hx--1-2-3")
@example("hx-1-2-99999")
@example("hx-" + "9" * 17 + "-1-1")
@example("hx-١-٢-٣")
@example("' OR 1=1 --")
def test_a_strange_text_is_no_reference_or_means_what_it_says(text: str) -> None:
    read = parse_reference(text)
    if read is not None:
        assert [int(part) for part in text.split("-")[1:]] == [
            read.tenant,
            read.message,
            read.attempt,
        ]
        assert max(read.tenant, read.message) < 2**63
        assert read.attempt < 2**15


def test_a_workflow_id_has_tenant_and_key() -> None:
    assert send_workflow_id(SEND_SMS, 7, "", "k", 9) == "send-sms/7/k"
    assert send_workflow_id(SEND_SMS, 7, "3", "k", 9) == "send-sms/7.3/k"
    assert send_workflow_id(SEND_SMS, 7, "3", None, 9) == "send-sms-unkeyed/7/9"
    digest = sha256(b"k" * 255).hexdigest()
    assert send_workflow_id(SEND_SMS, 7, "", "k" * 255, 9) == f"send-sms/7/sha256:{digest}"


def test_a_purchase_has_an_id_by_the_same_rules() -> None:
    assert upgrade_workflow_id(7, "", "k", 9) == "upgrade/7/k"
    assert upgrade_workflow_id(7, "3", "k", 9) == "upgrade/7.3/k"
    assert upgrade_workflow_id(7, "3", None, 9) == "upgrade-unkeyed/7/9"
    digest = sha256(b"k" * 255).hexdigest()
    assert upgrade_workflow_id(7, "", "k" * 255, 9) == f"upgrade/7/sha256:{digest}"


@given(IDS, st.just("") | IDS.map(str), KEYS)
def test_no_workflow_id_is_longer_than_the_engine_can_hold(
    tenant: int, scope: str, key: str
) -> None:
    assert len(send_workflow_id(SEND_SMS, tenant, scope, key, 1)) <= 255


@given(
    st.tuples(st.integers(0, 50), st.just("") | st.integers(0, 50).map(str), KEYS),
    st.tuples(st.integers(0, 50), st.just("") | st.integers(0, 50).map(str), KEYS),
)
@example((1, "", "k" * 254 + "a"), (1, "", "k" * 254 + "b"))
@example((1, "", "2/k"), (1, "2", "k"))
@example((1, "2", "k"), (1, "", ".2/k"))
def test_two_sends_never_share_a_workflow_id(
    one: tuple[int, str, str], other: tuple[int, str, str]
) -> None:
    assume(one != other)
    assert send_workflow_id(SEND_SMS, one[0], one[1], one[2], 1) != send_workflow_id(
        SEND_SMS, other[0], other[1], other[2], 2
    )


def test_a_key_that_spells_the_digest_of_a_long_one_does_not_meet_it() -> None:
    long = "k" * 255
    spelled = f"sha256:{sha256(long.encode()).hexdigest()}"
    assert send_workflow_id(SEND_SMS, 1, "", long, 1) != send_workflow_id(
        SEND_SMS, 1, "", spelled, 2
    )


def test_a_key_never_meets_a_send_without_one() -> None:
    assert send_workflow_id(SEND_SMS, 1, "", "9", 5) != send_workflow_id(SEND_SMS, 1, "", None, 9)


def test_passwords_go_first_and_marketing_last() -> None:
    order = sorted(MessageType, key=priority_of)
    assert (order[0], order[1], order[-1]) == (
        MessageType.OTP,
        MessageType.TRANSACTIONAL,
        MessageType.MARKETING,
    )
    assert provider_queue("acme") == "provider-acme"
