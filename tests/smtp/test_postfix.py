"""Debian's Postfix takes the e-mails, delivers them, and returns real bounces that are read."""

import email
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from email.policy import default
from pathlib import Path

import dkim
import pytest

from models.enums import MessageStatus
from models.session import Database
from providers.smtp.account import DkimKey, Security
from providers.smtp.messages import Smtp
from tests.contacts import key_of
from tests.factories import Owner
from tests.smtp.bouncing import ACCOUNT, Bouncing
from tests.smtp.mails import SECRET, SENDER
from tests.smtp.postfix import BOUNCES, DOMAIN, MEMBER, UNKNOWN, Postfix, missing, required
from tests.smtp.published_key import published

ABSENT = missing()

pytestmark = [
    pytest.mark.skipif(ABSENT is not None and not required(), reason=ABSENT or ""),
    pytest.mark.xdist_group("postfix"),
]


@pytest.fixture(scope="module")
def postfix() -> Iterator[Postfix]:
    assert ABSENT is None, ABSENT
    with Postfix() as postfix:
        yield postfix


@pytest.fixture
def bouncing(database: Database, database_url: str, owner: Owner, tmp_path: Path) -> Bouncing:
    return Bouncing(database, database_url, owner, tmp_path, BOUNCES)


@pytest.fixture
def relay(postfix: Postfix, smtp: Callable[..., Smtp], dkim_key: DkimKey) -> Smtp:
    """The adapter, with Postfix as its relay. The mailboxes are empty before."""
    for name in ("member", "bounces"):
        for mail in postfix.maildir(name).glob("new/*"):
            mail.unlink()
    return smtp(
        postfix.port,
        name=ACCOUNT,
        security=Security.STARTTLS,
        ca_file=postfix.ca_file,
        bounce_address=BOUNCES,
        dkim={"gym.example": dkim_key},
        timeout=timedelta(seconds=8),
        options={"bounce_secret": SECRET},
    )


async def test_a_mail_arrives_in_the_mailbox_with_a_valid_signature(
    postfix: Postfix, relay: Smtp, bouncing: Bouncing, dkim_key: DkimKey
) -> None:
    message_id = await bouncing.send(relay, MEMBER)
    [path] = postfix.await_mails("member", 1)
    content = path.read_bytes().replace(b"\n", b"\r\n")
    mail = email.message_from_bytes(content, policy=default)
    reference = await bouncing.reference(message_id)
    assert (mail["From"], mail["To"], mail["Subject"]) == (SENDER, MEMBER, "Hello")
    assert mail["Message-ID"] == f"<{reference}@gym.example>"
    assert re.fullmatch(r"<bounces\+[a-z2-7]{42}@mail\.gym\.example>", mail["Return-Path"])
    assert "ESMTPS" in mail["Received"]
    assert dkim.DKIM(content).verify(dnsfunc=lambda name, timeout=5: published(dkim_key))
    assert await bouncing.rows(
        "SELECT state, provider, account, provider_message_id FROM attempt"
        " WHERE tenant_id = :t AND message_id = :m",
        message_id,
    ) == [("ACCEPTED", "smtp", ACCOUNT, reference)]


async def test_the_bounce_of_an_unknown_mailbox_ends_the_message_and_suppresses_it(
    postfix: Postfix, relay: Smtp, bouncing: Bouncing
) -> None:
    message_id = await bouncing.send(relay, UNKNOWN)
    [path] = postfix.await_mails("bounces", 1)
    for _ in range(2):
        code, out, err = await bouncing.run(mail=path.read_bytes())
        assert (code, out) == (0, "")
        assert UNKNOWN not in err
    assert await bouncing.reported(message_id) == [
        (None, "UNDELIVERED", "BAD_DESTINATION", "5.1.1")
    ]
    assert await bouncing.suppressed() == [(key_of(UNKNOWN), "EMAIL", "HARD_BOUNCE")]
    assert await bouncing.settled(message_id, relay) == (MessageStatus.UNDELIVERED, True)


async def test_a_maildir_of_real_bounces_names_each_recipient(
    postfix: Postfix, relay: Smtp, bouncing: Bouncing
) -> None:
    first = await bouncing.send(relay, MEMBER, f"first.{UNKNOWN}", f"a+b.{UNKNOWN}")
    second = await bouncing.send(relay, "somebody@elsewhere.example")
    third = await bouncing.send(relay, f"jürgen.unbekannt@{DOMAIN}", MEMBER)
    postfix.await_mails("bounces", 3)
    postfix.await_mails("member", 2)
    maildir = postfix.maildir("bounces")
    code, out, _ = await bouncing.run("--maildir", str(maildir), "--delete")
    assert (code, out) == (0, "3 taken, 0 refused\n")
    assert list(maildir.glob("new/*")) == []
    gone = ("UNDELIVERED", "BAD_DESTINATION", "5.1.1")
    assert sorted(await bouncing.reported(first)) == [
        (f"a+b.{UNKNOWN}", *gone),
        (f"first.{UNKNOWN}", *gone),
    ]
    assert await bouncing.reported(second) == [(None, "UNDELIVERED", "BAD_DESTINATION", "5.1.2")]
    assert await bouncing.reported(third) == [(f"jürgen.unbekannt@{DOMAIN}", *gone)]
    assert len(await bouncing.suppressed()) == 4
    for message_id in (first, second, third):
        assert await bouncing.settled(message_id, relay) == (MessageStatus.UNDELIVERED, True)
