"""`hexavox bounces`: what a mail does to the message that it is about."""

import asyncio
import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from models.enums import MessageStatus
from models.session import Database
from providers.smtp.messages import Smtp
from providers.smtp.verp import BounceAddresses
from tests.contacts import key_of
from tests.factories import Owner
from tests.smtp.bounce_mails import block, notification, plain
from tests.smtp.bouncing import ACCOUNT, Bouncing
from tests.smtp.mails import SECRET
from tests.smtp.scripted_relay import Fault, ScriptedRelay, Step

A, B = "maria@example.com", "john@example.com"
GONE = (None, "UNDELIVERED", "BAD_DESTINATION", "5.1.1")


@pytest.fixture
def bouncing(database: Database, database_url: str, owner: Owner, tmp_path: Path) -> Bouncing:
    return Bouncing(database, database_url, owner, tmp_path)


@pytest.fixture
def build(smtp: Callable[..., Smtp], bouncing: Bouncing) -> Callable[[int], Smtp]:
    """Builds the adapter whose bounces are read."""

    def build(port: int) -> Smtp:
        return smtp(
            port,
            name=ACCOUNT,
            timeout=timedelta(seconds=5),
            bounce_address=bouncing.address,
            options={"bounce_secret": SECRET},
        )

    return build


def made_maildir(folder: Path) -> Path:
    """Make an empty Maildir."""
    for name in ("new", "cur", "tmp"):
        (folder / "Maildir" / name).mkdir(parents=True)
    return folder / "Maildir"


async def sent(bouncing: Bouncing, build: Callable[[int], Smtp], *to: str) -> tuple[int, str]:
    """Send an e-mail; return its id and its envelope sender."""
    async with ScriptedRelay() as relay:
        message_id = await bouncing.send(build(relay.port), *to)
        command = next(c for c in relay.commands if c.startswith("MAIL"))
    return message_id, command.partition("<")[2].partition(">")[0]


async def test_a_piped_bounce_ends_the_message_and_suppresses_the_address_once(
    bouncing: Bouncing, build: Callable[[int], Smtp]
) -> None:
    message_id, return_address = await sent(bouncing, build, A)
    assert await bouncing.settled(message_id, build(1)) == (MessageStatus.SENT, True)
    bounce = notification([block(A)], to=return_address)
    for _ in range(2):
        code, out, err = await bouncing.run(mail=bounce)
        assert (code, out) == (0, "")
        assert A not in err
    assert await bouncing.reported(message_id) == [GONE]
    assert await bouncing.suppressed() == [(key_of(A), "EMAIL", "HARD_BOUNCE")]
    assert await bouncing.settled(message_id, build(1)) == (MessageStatus.UNDELIVERED, True)


async def test_a_bounce_proves_that_a_relay_took_what_it_did_not_confirm(
    bouncing: Bouncing, build: Callable[[int], Smtp]
) -> None:
    async with ScriptedRelay(script={Step.DOT: Fault.DROP}) as relay:
        message_id = await bouncing.send(build(relay.port), A)
        command = next(c for c in relay.commands if c.startswith("MAIL"))
    [(state,)] = await bouncing.rows(
        "SELECT state FROM attempt WHERE tenant_id = :t AND message_id = :m", message_id
    )
    assert state == "AMBIGUOUS"
    return_address = command.partition("<")[2].partition(">")[0]
    bounce = notification([block(A, status="4.4.7")], to=return_address)
    assert (await bouncing.run(mail=bounce))[0] == 0
    assert await bouncing.settled(message_id, build(1)) == (MessageStatus.UNDELIVERED, True)
    assert await bouncing.suppressed() == []


async def test_a_maildir_is_read_in_steps_and_every_mail_is_put_away(
    bouncing: Bouncing, build: Callable[[int], Smtp]
) -> None:
    message_id, return_address = await sent(bouncing, build, A, B)
    maildir = made_maildir(bouncing.folder)
    mails = {
        "1": notification([block("unknown@example.com")], to=return_address),
        "2": notification(
            [block(A), block(B, action="delayed", status="4.4.1")], to=return_address
        ),
        "3": notification([block(A)], to="bounces+forged@mail.gym.example"),
        "4": plain(to=return_address, sender=B, subject="Out of office"),
        "5": notification([block(B, status="5.7.1")], to="x"),
    }
    for name, content in mails.items():
        (maildir / "new" / name).write_bytes(content)
    # An address in a header that the local delivery adds.
    (maildir / "new" / "5").write_bytes(f"Delivered-To: {return_address}\n".encode() + mails["5"])
    options = ("--maildir", str(maildir), "--limit", "4")
    assert await bouncing.settled(message_id, build(1)) == (MessageStatus.SENT, True)
    code, out, err = await bouncing.run(*options)
    assert (code, out) == (0, "3 taken, 1 refused\n")
    assert (await bouncing.run(*options))[:2] == (0, "1 taken, 0 refused\n")
    assert (await bouncing.run(*options))[:2] == (0, "0 taken, 0 refused\n")
    assert await bouncing.reported(message_id) == [
        (A, "UNDELIVERED", "BAD_DESTINATION", "5.1.1"),
        (B, "SENT", None, "4.4.1"),
        (B, "UNDELIVERED", "DELIVERY_FAILED", "5.7.1"),
    ]
    assert await bouncing.suppressed() == [(key_of(A), "EMAIL", "HARD_BOUNCE")]
    assert await bouncing.settled(message_id, build(1)) == (MessageStatus.UNDELIVERED, True)
    assert sorted(path.name for path in (maildir / "cur").iterdir()) == [
        *("1:2,S", "2:2,S", "3:2,FS", "4:2,S", "5:2,S")
    ]
    assert list((maildir / "new").iterdir()) == []
    for contact in (A, B, "unknown@example.com"):
        assert contact not in out + err


async def test_only_regular_files_of_a_maildir_are_read(
    bouncing: Bouncing, build: Callable[[int], Smtp]
) -> None:
    message_id, return_address = await sent(bouncing, build, A)
    bounce = notification([block(A)], to=return_address)
    maildir = made_maildir(bouncing.folder)
    new = maildir / "new"
    (bouncing.folder / "elsewhere").write_bytes(bounce)
    os.mkfifo(new / "0-fifo-of-anna")
    (new / "1-link").symlink_to(bouncing.folder / "elsewhere")
    (new / "2-gone").symlink_to("nowhere")
    (new / "3-folder").mkdir()
    (new / "4-device").symlink_to("/dev/zero")
    run = asyncio.wait_for(bouncing.run("--maildir", str(maildir), "--limit", "1"), 60)
    code, out, err = await run
    assert (code, out) == (0, "0 taken, 0 refused\n")
    assert "no regular files" in err
    assert "anna" not in err
    assert await bouncing.reported(message_id) == []
    assert (len(list(new.iterdir())), list((maildir / "cur").iterdir())) == (5, [])
    (new / "5").write_bytes(bounce)
    code, out, _ = await bouncing.run("--maildir", str(maildir), "--limit", "1", "--delete")
    assert (code, out) == (0, "1 taken, 0 refused\n")
    assert await bouncing.reported(message_id) == [GONE]
    assert (bouncing.folder / "elsewhere").read_bytes() == bounce


async def test_taken_mails_are_deleted_on_request(
    bouncing: Bouncing, build: Callable[[int], Smtp]
) -> None:
    _, return_address = await sent(bouncing, build, A)
    maildir = made_maildir(bouncing.folder)
    (maildir / "new" / "1").write_bytes(notification([block(A)], to=return_address))
    (maildir / "new" / "2").write_bytes(b"To: nobody\n\n")
    run = await bouncing.run("--maildir", str(maildir), "--delete")
    assert run[:2] == (0, "1 taken, 1 refused\n")
    assert [path.name for path in (maildir / "cur").iterdir()] == ["2:2,FS"]


async def test_a_forged_bounce_is_refused_and_changes_nothing(
    bouncing: Bouncing, build: Callable[[int], Smtp]
) -> None:
    message_id, _ = await sent(bouncing, build, A)
    reference = await bouncing.reference(message_id)
    made_up = BounceAddresses(ACCOUNT, bouncing.address, b"a secret of somebody else")
    forged = str(made_up.write(reference, recipients=1))
    code, out, err = await bouncing.run(mail=notification([block(A)], to=forged))
    assert (code, out) == (65, "")
    assert err == "hexavox: the mail is not a bounce for this account\n"
    assert await bouncing.reported(message_id) == []
    assert await bouncing.suppressed() == []


async def test_the_recipient_is_told_by_the_mail_system(
    bouncing: Bouncing, build: Callable[[int], Smtp]
) -> None:
    bounce = notification([block(A)], to="undisclosed")
    first, address = await sent(bouncing, build, A)
    assert (await bouncing.run("--recipient", address, mail=bounce))[0] == 0
    second, address = await sent(bouncing, build, B)
    local = {"ORIGINAL_RECIPIENT": address}  # as Postfix's local(8) sets it
    assert (await bouncing.run(mail=bounce, environment=local))[0] == 0
    assert (await bouncing.reported(first), await bouncing.reported(second)) == ([GONE], [GONE])


@pytest.mark.parametrize(
    "environment",
    [
        {"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nothing"},
        {"DATABASE_URL": ""},
        {"BOUNCE_SECRET": ""},
        {"BOUNCE_SECRET": "short"},
        {"HEXAVOX_PROVIDERS_FILE": ""},
        {"HEXAVOX_PROVIDERS_FILE": "/nowhere.toml"},
        {"HEXAVOX_CONTACT_KEY_FILE": ""},
    ],
    ids=repr,
)
async def test_a_mail_that_cannot_be_taken_now_is_to_be_tried_again(
    bouncing: Bouncing, environment: dict[str, str]
) -> None:
    addresses = BounceAddresses(ACCOUNT, bouncing.address, SECRET)
    address = str(addresses.write("hx-1-2-3", recipients=1))
    bounce = notification([block(A)], to=address)
    code, out, err = await bouncing.run(mail=bounce, environment=environment)
    assert (code, out) == (75, "")
    assert err.startswith("hexavox: bounces cannot be read now: ")
    assert A not in err
    assert address not in err


async def test_a_maildir_keeps_what_cannot_be_taken_now(bouncing: Bouncing) -> None:
    maildir = made_maildir(bouncing.folder)
    addresses = BounceAddresses(ACCOUNT, bouncing.address, SECRET)
    address = str(addresses.write("hx-1-2-3", recipients=1))
    (maildir / "new" / "1").write_bytes(notification([block(A)], to=address))
    unreachable = {"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nothing"}
    code, _, _ = await bouncing.run("--maildir", str(maildir), environment=unreachable)
    assert code == 75
    assert [path.name for path in (maildir / "new").iterdir()] == ["1"]
    code, _, _ = await bouncing.run("--maildir", str(maildir / "missing"))
    assert code == 75
