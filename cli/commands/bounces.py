"""`hexavox bounces`: reads the bounces of an SMTP account from a pipe or a Maildir."""

import asyncio
import os
import sys
from pathlib import Path
from typing import Annotated, Final

import typer

from models.configuration.environment_settings import BadSettings

REFUSED: Final = 65
"""EX_DATAERR: the mail is not for this account, or unreadable."""
LATER: Final = 75
"""EX_TEMPFAIL: the mail system tries again."""

_DRAIN: Final = 65_536


def bounces(
    account: Annotated[
        str, typer.Argument(help="The SMTP account of the providers file that they belong to.")
    ],
    recipient: Annotated[
        str | None,
        typer.Option(help="Address that the mail was delivered to, if its headers do not tell."),
    ] = None,
    maildir: Annotated[
        Path | None, typer.Option(help="Read this Maildir instead of one mail from stdin.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="Mails of the Maildir per run.")] = 1000,
    delete: Annotated[
        bool, typer.Option("--delete", help="Delete the mails that were taken, do not keep them.")
    ] = False,
) -> None:
    """Read bounces, so that messages end UNDELIVERED and dead addresses are suppressed.

    Without --maildir one mail is read from stdin. Exit codes: 0 done, 65 not a mail for this
    account, 75 try again later.
    """
    try:
        code = _take(account, recipient, maildir, limit, delete=delete)
    except Exception as error:
        # Any other exit code makes the mail system give up. The error may contain a contact.
        reason = str(error) if isinstance(error, BadSettings) else type(error).__name__
        typer.echo(f"hexavox: bounces cannot be read now: {reason}", err=True)
        code = LATER
    raise typer.Exit(code)


def _take(
    account: str, recipient: str | None, maildir: Path | None, limit: int, *, delete: bool
) -> int:
    # Imported here, because it takes long and other commands do not need it.
    from cli.commands.bounce_intake import MOST_READ, Outcome, take_all, take_one

    if maildir is not None:
        counts = asyncio.run(take_all(account, maildir, limit, delete=delete))
        typer.echo(", ".join(f"{number} {outcome}" for outcome, number in counts.items()))
        return 0
    # Postfix's local(8) names the recipient of a pipe in its environment.
    delivered_to = recipient or os.environ.get("ORIGINAL_RECIPIENT", "")
    if asyncio.run(take_one(account, _read_stdin(MOST_READ), delivered_to)) is Outcome.TAKEN:
        return 0
    typer.echo("hexavox: the mail is not a bounce for this account", err=True)
    return REFUSED


def _read_stdin(longest: int) -> bytes:
    """Read a mail to its end, so that the writer sees no broken pipe; keep its beginning."""
    mail = sys.stdin.buffer.read(longest)
    while sys.stdin.buffer.read(_DRAIN):
        pass
    return mail
