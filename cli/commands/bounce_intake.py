"""Takes bounces from a pipe or a Maildir, through the service that takes webhooks."""

import logging
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Final

from api.services.messages.delivery_reports import Receipts
from api.workflow_starters import WorkflowStarter
from cli.read_settings import read_settings
from cli.temporal_environment import check_temporal
from models.configuration.environment_settings import BadSettings
from models.configuration.providers_file import VARIABLE, SmtpAccount, read_providers_file
from models.configuration.regular_files import NoRegularFile, read_regular
from models.database.limits import OPERATOR
from models.errors import HexavoxError
from models.rules.system.failures import caused_by_input
from models.session import Database
from models.settings import Settings
from providers.ports.messages import Webhook
from providers.smtp.bounces import LONGEST, RECIPIENT, bounce_reader
from providers.smtp.verp import BounceAddresses
from workflows.client import connect

_log: Final = logging.getLogger(__name__)

MOST_READ: Final = LONGEST
"""Bytes of a mail that are read."""


class Outcome(StrEnum):
    """What became of a mail."""

    TAKEN = "taken"
    """Its reports are stored, or it reports nothing."""
    REFUSED = "refused"
    """It is not for this account, or unreadable."""


async def take_one(account: str, mail: bytes, delivered_to: str) -> Outcome:
    """Take one mail. Raises BadSettings, and what database and mail system raise."""
    async with _receipts(account) as receipts:
        return await _take(receipts, account, mail, delivered_to)


async def take_all(account: str, maildir: Path, limit: int, *, delete: bool) -> dict[Outcome, int]:
    """Take the new mails, and return how many. What was read is moved to `cur`, or deleted.

    A crash between the two repeats a mail, whose reports are stored once.
    """
    counts = dict.fromkeys(Outcome, 0)
    async with _receipts(account) as receipts:
        for path in _new_mails(maildir, limit):
            try:
                mail = read_regular(path, MOST_READ, follow=False)
            except FileNotFoundError:  # another run took it
                continue
            except NoRegularFile:  # between the list and now
                continue
            outcome = await _take(receipts, account, mail, "")
            counts[outcome] += 1
            _put_away(path, outcome, delete=delete)
    return counts


async def _take(receipts: Receipts, account: str, mail: bytes, delivered_to: str) -> Outcome:
    webhook = Webhook(url="", headers={RECIPIENT: delivered_to}, body=mail)
    try:
        await receipts.take(account, webhook)
    except HexavoxError:
        return Outcome.REFUSED
    except Exception as error:
        if not caused_by_input(error):
            raise
        # Repeating it would fail again, and a Maildir's other mails would wait for it.
        return Outcome.REFUSED
    return Outcome.TAKEN


@asynccontextmanager
async def _receipts(account: str) -> AsyncIterator[Receipts]:
    settings = read_settings(Settings)
    addresses = _addresses(account, settings.providers_file)
    check_temporal()
    database = Database(
        settings.async_database_url,
        pool_size=2,
        limits=OPERATOR,
        contact_keys=settings.contact_keys(),
    )
    starter = WorkflowStarter(await connect(lazy=True), settings.send_waits)
    try:
        reader = bounce_reader(addresses, lambda: datetime.now(UTC))
        yield Receipts(database, starter, {account: reader})
    finally:
        await starter.close()
        await database.close()


def _addresses(account: str, path: Path | None) -> BounceAddresses:
    """Return the envelope senders of an account of the providers file; raises BadSettings.

    Only this account's secret is read: a mail system's pipe may have no other.
    """
    if path is None:
        raise BadSettings(f"{VARIABLE} is not set: it names the file with the account {account}")
    entries = {entry.name: entry for entry in read_providers_file(path).accounts}
    entry = entries.get(account)
    if not isinstance(entry, SmtpAccount) or None in (entry.bounce_address, entry.bounce_secret):
        raise BadSettings(f"{VARIABLE}: {account} is no SMTP account with a bounce address")
    assert entry.bounce_address is not None
    assert entry.bounce_secret is not None
    try:
        secret = entry.bounce_secret.read(os.environ).get_secret_value()
        return BounceAddresses(account, entry.bounce_address, secret.encode())
    except ValueError as error:  # a FileMistake is one; neither contains the secret
        raise BadSettings(f"{VARIABLE}: account {account}: {error}") from None


def _new_mails(maildir: Path, limit: int) -> Iterator[Path]:
    """Yield new mails by name, which begins with the time of delivery.

    What is no regular file stays where it is, and is counted in the log: no mail server delivers
    such an entry.
    """
    with os.scandir(maildir / "new") as found:
        entries = [entry for entry in found if not entry.name.startswith(".")]
    names = sorted(entry.name for entry in entries if entry.is_file(follow_symlinks=False))
    if len(names) < len(entries):
        _log.warning(
            "the Maildir has entries that are no regular files",
            extra={"entries": len(entries) - len(names)},
        )
    yield from (maildir / "new" / name for name in names[:limit])


def _put_away(path: Path, outcome: Outcome, *, delete: bool) -> None:
    """Move a mail to `cur`, flagged as seen, and as important if it was refused."""
    if delete and outcome is Outcome.TAKEN:
        path.unlink(missing_ok=True)
        return
    flags = "S" if outcome is Outcome.TAKEN else "FS"
    try:
        path.rename(path.parent.parent / "cur" / f"{path.name.partition(':')[0]}:2,{flags}")
    except FileNotFoundError:
        return
