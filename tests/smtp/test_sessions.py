"""Deadline, several recipients, and the reuse of sessions, against a scripted relay."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from models.enums import ErrorCode
from providers.ports.messages import Accepted, LookUpRequest, NotProcessed, Refused, Unanswered
from providers.smtp.account import Security
from providers.smtp.messages import Smtp
from tests.smtp.certificates import Certificates
from tests.smtp.mails import PASSWORD, REFERENCE, SECRET, SENDER, TO, email
from tests.smtp.scripted_relay import Fault, ScriptedRelay, Step

ACCEPTED = Accepted(provider_message_id=REFERENCE)
TOO_LATE = NotProcessed(reason="DeadlinePassed")
BOUNCES = {"bounce_address": "b@gym.example", "options": {"bounce_secret": SECRET}}
Build = Callable[..., Smtp]


async def test_nothing_is_announced_after_the_deadline(smtp: Build) -> None:
    async with ScriptedRelay() as relay:
        past = email(not_after=datetime.now(UTC))
        assert await smtp(relay.port).send(past) == TOO_LATE
        assert "MAIL" not in relay.verbs()


@pytest.mark.parametrize("slow", [Step.MAIL, Step.RCPT, Step.DATA])
async def test_no_content_is_written_after_the_deadline(smtp: Build, slow: Step) -> None:
    async with ScriptedRelay(delays={slow: 1.5}) as relay:
        soon = email(not_after=datetime.now(UTC) + timedelta(seconds=1))
        assert await smtp(relay.port).send(soon) == TOO_LATE
        assert relay.verbs()[-1] == "DATA"
        assert relay.taken == []


async def test_one_refused_recipient_keeps_the_mail_from_all(smtp: Build) -> None:
    async with ScriptedRelay(refused=frozenset({"b@example.com"})) as relay:
        adapter = smtp(relay.port)
        answer = await adapter.send(email("a@example.com", "b@example.com", "c@example.com"))
        assert answer == Refused(
            error_code=ErrorCode.BAD_DESTINATION, provider_code="550 5.1.1", everywhere=True
        )
        assert relay.verbs() == ["EHLO", "MAIL", "RCPT", "RCPT", "RSET"]
        assert await adapter.send(email("a@example.com", "c@example.com")) == ACCEPTED
        assert relay.verbs()[5:] == ["NOOP", "MAIL", "RCPT", "RCPT", "DATA"]
        assert (relay.connections, len(relay.taken)) == (1, 1)


async def test_a_relay_that_hangs_after_a_refusal_does_not_hide_it(smtp: Build) -> None:
    script = {Step.RCPT: "550 5.1.1 unknown", Step.RSET: Fault.HANG}
    async with ScriptedRelay(script=script, delays={Step.RCPT: 0.5}) as relay:
        adapter = smtp(relay.port, timeout=timedelta(seconds=2))
        assert await adapter.send(email()) == Refused(
            error_code=ErrorCode.BAD_DESTINATION, provider_code="550 5.1.1", everywhere=True
        )
        relay.script.clear()
        assert await adapter.send(email()) == ACCEPTED
        assert relay.connections == 2


async def test_a_session_is_used_again(smtp: Build) -> None:
    async with ScriptedRelay() as relay:
        adapter = smtp(relay.port)
        for _ in range(3):
            assert await adapter.send(email()) == ACCEPTED
        assert relay.connections == 1
        assert relay.verbs().count("NOOP") == 2
        assert len(relay.taken) == 3


async def test_a_dead_session_is_replaced_before_anything_is_written(smtp: Build) -> None:
    async with ScriptedRelay(mails_per_session=1) as relay:
        adapter = smtp(relay.port)
        for _ in range(3):
            assert await adapter.send(email()) == ACCEPTED
        assert (relay.connections, len(relay.taken)) == (3, 3)


async def test_a_session_that_stopped_answering_is_replaced(smtp: Build) -> None:
    async with ScriptedRelay() as relay:
        adapter = smtp(relay.port)
        assert await adapter.send(email()) == ACCEPTED
        relay.script[Step.NOOP] = Fault.HANG
        assert await adapter.send(email()) == ACCEPTED
        assert (relay.connections, len(relay.taken)) == (2, 2)


async def test_all_idle_sessions_are_dropped_after_a_restart_of_the_relay(smtp: Build) -> None:
    async with ScriptedRelay(delays={Step.DOT: 0.3}) as relay:
        adapter = smtp(relay.port)
        assert await asyncio.gather(*(adapter.send(email()) for _ in range(4))) == [ACCEPTED] * 4
        assert relay.connections == 4
        relay.drop_all()
        assert await adapter.send(email()) == ACCEPTED
        assert await adapter.send(email()) == ACCEPTED
        assert (relay.connections, len(relay.taken)) == (5, 6)


async def test_the_number_of_sessions_is_bounded(smtp: Build) -> None:
    async with ScriptedRelay(delays={Step.DOT: 0.05}) as relay:
        adapter = smtp(relay.port, options={"connections": 2})
        answers = await asyncio.gather(*(adapter.send(email()) for _ in range(12)))
        assert answers == [ACCEPTED] * 12
        assert (relay.connections, len(relay.taken)) == (2, 12)


async def test_who_gets_no_session_in_time_has_sent_nothing(smtp: Build) -> None:
    async with ScriptedRelay(delays={Step.DOT: 2}) as relay:
        adapter = smtp(relay.port, options={"connections": 1}, timeout=timedelta(seconds=3))
        first = asyncio.create_task(adapter.send(email()))
        await asyncio.sleep(0.2)
        assert await adapter.send(email()) == NotProcessed(reason="TimeoutError")
        assert await first == ACCEPTED
        assert len(relay.taken) == 1


async def test_an_idle_session_ends_with_quit(smtp: Build) -> None:
    async with ScriptedRelay() as relay:
        adapter = smtp(relay.port, options={"idle": timedelta(milliseconds=50)})
        assert await adapter.send(email()) == ACCEPTED
        await relay.until(lambda: relay.verbs()[-1] == "QUIT")
        assert await adapter.send(email()) == ACCEPTED
        assert relay.connections == 2


async def test_a_session_without_a_known_outcome_is_not_used_again(smtp: Build) -> None:
    async with ScriptedRelay(script={Step.DOT: "354 what?"}) as relay:
        adapter = smtp(relay.port)
        await adapter.send(email())
        relay.script.clear()
        assert await adapter.send(email()) == ACCEPTED
        assert relay.connections == 2


async def test_a_canceled_call_frees_its_session(smtp: Build) -> None:
    async with ScriptedRelay(script={Step.DOT: Fault.HANG}) as relay:
        adapter = smtp(relay.port, options={"connections": 1})
        call = asyncio.create_task(adapter.send(email()))
        await relay.until(lambda: bool(relay.taken))
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        relay.script.clear()
        assert await adapter.send(email()) == ACCEPTED
        assert (relay.connections, len(relay.taken)) == (2, 2)


async def test_the_words_of_the_envelope_follow_what_the_relay_offers(smtp: Build) -> None:
    extensions = ("SIZE 1000000", "8BITMIME", "SMTPUTF8", "DSN")
    async with ScriptedRelay(extensions=extensions) as relay:
        adapter = smtp(relay.port, **BOUNCES)
        assert await adapter.send(email("a+b=c@example.com", "jürgen@example.com")) == ACCEPTED
        mail, first, second = (c for c in relay.commands if c.startswith(("MAIL", "RCPT")))
        words = mail.split()
        assert words[1].startswith("FROM:<b+")
        assert words[2].startswith("SIZE=")
        assert int(words[2][5:]) == len(relay.taken[0])
        assert words[3:] == ["BODY=8BITMIME", "SMTPUTF8", "RET=HDRS"]
        assert first == (
            "RCPT TO:<a+b=c@example.com> NOTIFY=FAILURE ORCPT=rfc822;a+2Bb+3Dc@example.com"
        )
        assert second == "RCPT TO:<jürgen@example.com> NOTIFY=FAILURE"
    async with ScriptedRelay(extensions=()) as relay:
        assert await smtp(relay.port).send(email()) == ACCEPTED
        sent = [c for c in relay.commands if c.startswith(("MAIL", "RCPT"))]
        assert sent == [f"MAIL FROM:<{SENDER}>", f"RCPT TO:<{TO}>"]


async def test_starttls_that_is_not_offered_is_never_done_without(smtp: Build) -> None:
    async with ScriptedRelay() as relay:
        adapter = smtp(relay.port, security=Security.STARTTLS, username="us", password=PASSWORD)
        assert await adapter.send(email()) == NotProcessed(
            reason="the relay does not offer STARTTLS", account_fault=True
        )
        assert relay.verbs() == ["EHLO"]


async def test_a_missing_ca_file_is_the_accounts_fault(
    smtp: Build, certificates: Certificates
) -> None:
    async with ScriptedRelay(tls=certificates.server) as relay:
        adapter = smtp(
            relay.port, security=Security.STARTTLS, ca_file=certificates.ca_file / "missing"
        )
        assert await adapter.send(email()) == NotProcessed(
            reason="CA file: NotADirectoryError", account_fault=True
        )
        assert relay.connections == 0


async def test_a_look_up_proves_nothing(smtp: Build) -> None:
    adapter = smtp(1)
    request = email()
    answer = await adapter.look_up(
        LookUpRequest(
            reference=REFERENCE,
            provider_message_id=None,
            channel=next(iter(adapter.channels)),
            to=TO,
            sender=SENDER,
            text=request.html,
            requested_at=datetime.now(UTC),
            deadline=request.not_after,
        )
    )
    assert answer == Unanswered(reason="SMTP has no look-up")
