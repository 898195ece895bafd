"""Every step of a session, refused, hung and dropped: the answer, and what the relay took."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from models.enums import ErrorCode
from providers.ports.messages import Accepted, Ambiguous, Answer, NotProcessed, Refused
from providers.smtp.account import Security
from providers.smtp.messages import Smtp
from tests.smtp.certificates import Certificates
from tests.smtp.mails import PASSWORD, REFERENCE, email
from tests.smtp.scripted_relay import Fault, ScriptedRelay, Step

SHORT = timedelta(seconds=2)
"""For relays that hang: half of it passes before the answer."""


def not_processed(reason: str, code: str | None = None, *, account: bool = False) -> NotProcessed:
    return NotProcessed(reason=reason, provider_code=code, account_fault=account)


def refused(error_code: ErrorCode, code: str, *, everywhere: bool = False) -> Refused:
    return Refused(error_code=error_code, provider_code=code, everywhere=everywhere)


TIMEOUT = not_processed("TimeoutError")
GONE = not_processed("SMTPServerDisconnected")
TWICE = not_processed("SMTPException")
BAD = ErrorCode.BAD_DESTINATION
PROVIDER = ErrorCode.PROVIDER_REFUSED

CASES: list[tuple[Step, str | Fault, Answer, int]] = [
    (
        Step.CONNECT,
        "554 5.7.1 no service for you",
        not_processed("connect refused", "554 5.7.1", account=True),
        0,
    ),
    (Step.CONNECT, "421 4.3.2 busy", not_processed("connect refused", "421 4.3.2"), 0),
    (Step.CONNECT, Fault.HANG, TIMEOUT, 0),
    (Step.CONNECT, Fault.DROP, not_processed("connect: SMTPConnectError"), 0),
    (Step.EHLO, "550 no", not_processed("EHLO refused", "550", account=True), 0),
    (Step.EHLO, "451 4.3.0 later", not_processed("EHLO refused", "451 4.3.0"), 0),
    (Step.EHLO, Fault.HANG, TIMEOUT, 0),
    (Step.EHLO, Fault.DROP, not_processed("EHLO: SMTPServerDisconnected"), 0),
    (
        Step.STARTTLS,
        "502 5.5.1 no",
        not_processed("STARTTLS refused", "502 5.5.1", account=True),
        0,
    ),
    (Step.STARTTLS, "454 4.7.0 no TLS", not_processed("STARTTLS refused", "454 4.7.0"), 0),
    (Step.STARTTLS, Fault.HANG, TIMEOUT, 0),
    (Step.STARTTLS, Fault.DROP, not_processed("STARTTLS: SMTPServerDisconnected"), 0),
    (
        Step.AUTH,
        "535 5.7.8 wrong password",
        not_processed("AUTH refused", "535 5.7.8", account=True),
        0,
    ),
    (Step.AUTH, "454 4.7.0 later", not_processed("AUTH refused", "454 4.7.0"), 0),
    (Step.AUTH, Fault.HANG, TIMEOUT, 0),
    (Step.AUTH, Fault.DROP, not_processed("AUTH: SMTPServerDisconnected"), 0),
    (
        Step.MAIL,
        "550 5.7.1 <a@example.com> sender not yours",
        NotProcessed(reason="MAIL refused", provider_code="550 5.7.1", sender_fault=True),
        0,
    ),
    (
        Step.MAIL,
        "530 5.7.0 authenticate first",
        not_processed("MAIL refused", "530 5.7.0", account=True),
        0,
    ),
    (Step.MAIL, "552 5.3.4 too large", refused(PROVIDER, "552 5.3.4"), 0),
    (Step.MAIL, "452 4.3.1 disk full", not_processed("MAIL refused", "452 4.3.1"), 0),
    (Step.MAIL, "354 what?", not_processed("MAIL refused", "354"), 0),
    (Step.MAIL, "nonsense", not_processed("MAIL refused", "-1"), 0),
    (Step.MAIL, "250 ok\r\n550 5.1.1 early", TWICE, 0),
    (Step.MAIL, Fault.HANG, TIMEOUT, 0),
    (Step.MAIL, Fault.DROP, GONE, 0),
    (Step.RCPT, "550 5.1.1 unknown", refused(BAD, "550 5.1.1", everywhere=True), 0),
    (Step.RCPT, "556 5.1.10 null MX", refused(BAD, "556 5.1.10", everywhere=True), 0),
    (Step.RCPT, "550 a@example.com unknown", refused(BAD, "550"), 0),
    (Step.RCPT, "550 5.1.8 about the sender", refused(BAD, "550 5.1.8"), 0),
    (Step.RCPT, "554 5.7.1 relay access denied", refused(PROVIDER, "554 5.7.1"), 0),
    (Step.RCPT, "552 5.2.2 mailbox full", refused(PROVIDER, "552 5.2.2"), 0),
    (
        Step.RCPT,
        "530 5.7.0 authenticate first",
        not_processed("RCPT refused", "530 5.7.0", account=True),
        0,
    ),
    (Step.RCPT, "451 4.7.1 greylisted", not_processed("RCPT refused", "451 4.7.1"), 0),
    (Step.RCPT, "421 4.7.0 too many", not_processed("RCPT refused", "421 4.7.0"), 0),
    (Step.RCPT, Fault.HANG, TIMEOUT, 0),
    (Step.RCPT, Fault.DROP, GONE, 0),
    (Step.DATA, "554 5.5.1 no valid recipients", refused(PROVIDER, "554 5.5.1"), 0),
    (Step.DATA, "451 4.3.0 later", not_processed("DATA refused", "451 4.3.0"), 0),
    (Step.DATA, "250 ok", not_processed("DATA refused", "250"), 0),
    # What follows would be taken for the reply to the content, which the relay accepts.
    (Step.DATA, "354 go ahead\r\n554 5.0.0 early", TWICE, 0),
    (Step.DATA, Fault.HANG, TIMEOUT, 0),
    (Step.DATA, Fault.DROP, GONE, 0),
    (Step.CONTENT, "552 5.3.4 too large", refused(PROVIDER, "552 5.3.4"), 0),
    (Step.CONTENT, "421 4.4.2 too slow", not_processed("content refused", "421 4.4.2"), 0),
    (Step.CONTENT, Fault.HANG, Ambiguous(reason="TimeoutError"), 0),
    (Step.CONTENT, Fault.DROP, Ambiguous(reason="SMTPServerDisconnected"), 0),
    (Step.DOT, "250 2.0.0 queued", Accepted(provider_message_id=REFERENCE), 1),
    (Step.DOT, "550 5.7.1 spam", refused(PROVIDER, "550 5.7.1"), 1),
    (Step.DOT, "550 5.1.1 unknown", refused(BAD, "550 5.1.1"), 1),
    (Step.DOT, "451 4.3.0 queue full", not_processed("content refused", "451 4.3.0"), 1),
    (Step.DOT, "354 what?", Ambiguous(reason="unexpected reply to the content"), 1),
    (Step.DOT, "nonsense", Ambiguous(reason="unexpected reply to the content"), 1),
    (Step.DOT, Fault.HANG, Ambiguous(reason="TimeoutError"), 1),
    (Step.DOT, Fault.DROP, Ambiguous(reason="SMTPServerDisconnected"), 1),
]


@pytest.mark.parametrize(
    ("step", "reply", "answer", "taken"), CASES, ids=[f"{case[0]}-{case[1][:9]}" for case in CASES]
)
async def test_each_step_that_fails_has_one_meaning_and_is_not_repeated(
    smtp: Callable[..., Smtp],
    certificates: Certificates,
    step: Step,
    reply: str | Fault,
    answer: Answer,
    taken: int,
) -> None:
    async with ScriptedRelay(tls=certificates.server, script={step: reply}) as relay:
        adapter = smtp(
            relay.port,
            security=Security.STARTTLS,
            ca_file=certificates.ca_file,
            username="us",
            password=PASSWORD,
            timeout=SHORT if reply is Fault.HANG else timedelta(seconds=20),
        )
        assert await adapter.send(email()) == answer
        assert len(relay.taken) == taken
        assert relay.connections == 1
        for verb in ("STARTTLS", "AUTH", "MAIL", "RCPT", "DATA"):
            assert relay.verbs().count(verb) <= 1


async def test_a_relay_that_does_not_listen_has_processed_nothing(
    smtp: Callable[..., Smtp],
) -> None:
    async with ScriptedRelay() as relay:
        port = relay.port
    assert await smtp(port).send(email()) == not_processed("connect: SMTPConnectError")
