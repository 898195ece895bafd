"""E-mails of a tenant that a relay took, and the command that reads their bounces."""

import asyncio
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from models.enums import MessageStatus
from models.session import Database
from providers.smtp.messages import Smtp
from tests.activities.harness import Harness
from tests.contacts import CONTACT_KEY_FILE
from tests.factories import Owner, make_message
from tests.mailing import mail
from tests.smtp.mails import SECRET, SENDER
from tests.stack import ROOT, free_port
from tests.webhook_key import WEBHOOK_KEY_FILE
from workflows.messages.types import Ending

ACCOUNT = "smtp"
"""The account's name: that of the adapter too, as the harness names its accounts."""

PROVIDERS_FILE = """
    [[account]]
    name = "smtp"
    vendor = "smtp"
    host = "127.0.0.1"
    security = "plain"
    domains = ["gym.example"]
    bounce_address = "{address}"
    bounce_secret = {{ env = "BOUNCE_SECRET" }}
"""


@dataclass(frozen=True)
class Bouncing:
    """A tenant, its messages, and `hexavox bounces`."""

    database: Database
    database_url: str
    owner: Owner
    folder: Path
    address: str = "bounces@mail.gym.example"

    def harness(self, smtp: Smtp | None = None) -> Harness:
        return Harness(self.database, self.owner, *([] if smtp is None else [smtp]))

    async def send(self, smtp: Smtp, *to: str) -> int:
        """Send an e-mail; return its id."""
        message = replace(mail(self.owner, to), sender=SENDER)
        message_id = await make_message(self.database, message)
        await self.harness(smtp).dispatch(message_id)
        return message_id

    async def reference(self, message_id: int) -> str:
        return await self.harness().reference(message_id)

    async def settled(self, message_id: int, smtp: Smtp) -> tuple[MessageStatus, bool]:
        return await self.harness(smtp).settle(message_id, Ending.REPORTED)

    async def rows(self, sql: str, message_id: int = 0) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in await self.harness().rows(sql, message_id)]

    async def reported(self, message_id: int) -> list[tuple[Any, ...]]:
        """Return recipient, status, error and code of every stored report."""
        return await self.rows(
            "SELECT recipient, status, error_code, provider_code FROM receipt"
            " WHERE tenant_id = :t AND message_id = :m ORDER BY id",
            message_id,
        )

    async def suppressed(self) -> list[tuple[Any, ...]]:
        """Return the keys of the suppressed contacts, the channel, and why."""
        return await self.rows(
            "SELECT contact_key, channel, reason FROM suppression WHERE tenant_id = :t"
        )

    async def run(
        self, *options: str, mail: bytes = b"", environment: Mapping[str, str] | None = None
    ) -> tuple[int, str, str]:
        """Run the command; return its exit code and what it wrote."""
        path = self.folder / "providers.toml"
        path.write_text(PROVIDERS_FILE.format(address=self.address))
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "cli", "bounces", ACCOUNT, *options),
            cwd=ROOT,
            env={
                "PATH": os.environ["PATH"],
                "DATABASE_URL": self.database_url,
                "TEMPORAL_ADDRESS": f"127.0.0.1:{free_port()}",  # nobody listens there
                "HEXAVOX_CONTACT_KEY_FILE": str(CONTACT_KEY_FILE),
                "HEXAVOX_WEBHOOK_KEY_FILE": str(WEBHOOK_KEY_FILE),
                "HEXAVOX_PROVIDERS_FILE": str(path),
                "BOUNCE_SECRET": SECRET.decode(),
                **(environment or {}),
            },
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate(mail)
        assert process.returncode is not None
        return process.returncode, out.decode(), err.decode()
