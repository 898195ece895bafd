"""An external directory gets the current password, whatever happens meanwhile."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr
from sqlalchemy import text
from temporalio.client import Client
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError
from temporalio.testing import ActivityEnvironment
from temporalio.worker import Worker

from activities.system.privacy import PrivateFailures
from activities.system.sweep_voice import DirectorySweep
from activities.voice.provisioning import Provisioning
from api.workflow_starters import WorkflowStarter
from cli.dev.postgres import EmbeddedPostgres
from cli.worker.composition import assemble
from models.queries.voice import sip_users
from models.rules.voice.sip import SipSecrets
from models.rules.waits import SendWaits
from models.session import Database
from models.settings import IncompleteSettings, Settings
from models.tables.voice import VoiceCredential
from providers.ports.sip import Declined, DirectoryAnswer, SipAccount, Stored, Unreached
from providers.routing import Routes
from providers.vendors import Vendors
from tests.contacts import CONTACT_KEYS
from tests.factories import Owner, make_owner, unique
from tests.stack import async_url, make_database
from workflows import names
from workflows.voice.types import Provisioned, ProvisionInput, ProvisionStep
from workflows.voice.workflow import ProvisionVoice

REALM = "sip.example.com"
SECRETS = SipSecrets("only-for-tests-too")
SECOND = timedelta(seconds=1)
MOMENT = timedelta(milliseconds=1)
WAITS = SendWaits(
    report_wait=SECOND,
    poll_first=SECOND,
    poll_longest=SECOND,
    reconcile_every=SECOND,
    reconcile_horizon=SECOND,
)


@dataclass
class Directory:
    """A vendor's directory; it returns scripted answers, then accepts everything."""

    answers: list[DirectoryAnswer] = field(default_factory=list)
    passwords: dict[str, str] = field(default_factory=dict)
    puts: int = 0
    hold: asyncio.Event | None = None
    held: asyncio.Event = field(default_factory=asyncio.Event)
    name: str = "vendor"
    timeout: timedelta = SECOND

    async def put(self, account: SipAccount) -> DirectoryAnswer:
        """Store an account, or return a scripted answer; a held call writes when it is released."""
        self.puts += 1
        if self.hold is not None:
            hold, self.hold = self.hold, None
            self.held.set()
            await hold.wait()
        answer = self.answers.pop(0) if self.answers else Stored()
        if isinstance(answer, Stored):
            self.passwords[account.username] = account.password
        return answer

    async def remove(self, username: str) -> DirectoryAnswer:
        """Remove an account."""
        self.passwords.pop(username, None)
        return Stored()


@pytest.fixture
def directory() -> Directory:
    return Directory()


@pytest.fixture
async def user(database: Database, owner: Owner) -> VoiceCredential:
    return await make_user(database, owner)


async def make_user(database: Database, owner: Owner) -> VoiceCredential:
    async with database.transaction() as db:
        made = await sip_users.make_user(
            db,
            SECRETS,
            tenant_id=owner.tenant_id,
            merchant_id=owner.merchant_id,
            realm=REALM,
            now=datetime.now(UTC),
        )
    assert made is not None
    return made


async def read(database: Database, user: VoiceCredential) -> VoiceCredential:
    async with database.read() as db:
        found = await sip_users.find_user(
            db, tenant_id=user.tenant_id, merchant_id=user.merchant_id
        )
    assert found is not None
    return found


async def rotate(database: Database, user: VoiceCredential) -> VoiceCredential:
    async with database.transaction() as db:
        found = await sip_users.find_user(
            db, tenant_id=user.tenant_id, merchant_id=user.merchant_id, locked=True
        )
        assert found is not None
        sip_users.renew(found, SECRETS, REALM, datetime.now(UTC))
    return found


async def tell(
    database: Database,
    directory: Directory,
    user: VoiceCredential,
    secrets: SipSecrets | None = SECRETS,
) -> Provisioned:
    assert user.id is not None
    step = ProvisionStep(tenant_id=user.tenant_id, credential_id=user.id)
    provisioning = Provisioning(database, directory, secrets)
    return (await ActivityEnvironment().run(provisioning.provision_voice, step)).outcome


async def alerts(database: Database, user: VoiceCredential) -> list[tuple[str, bool]]:
    async with database.read() as db:
        rows = await db.execute(
            text("SELECT type, resolved_at IS NULL FROM alert WHERE tenant_id = :t ORDER BY id"),
            {"t": user.tenant_id},
        )
        return [(row[0], row[1]) for row in rows]


async def test_it_gets_the_password_that_the_api_shows(
    database: Database, directory: Directory, user: VoiceCredential
) -> None:
    assert await tell(database, directory, user) is Provisioned.STORED
    assert directory.passwords == {user.username: sip_users.password_of(user, SECRETS)}
    assert (await read(database, user)).pushed_version == 1
    assert await tell(database, directory, user) is Provisioned.STORED


async def test_a_rotation_during_an_update_is_sent_as_well(
    database: Database, directory: Directory, user: VoiceCredential
) -> None:
    directory.hold = letting_go = asyncio.Event()
    telling = asyncio.create_task(tell(database, directory, user))
    await directory.held.wait()
    rotated = await rotate(database, user)
    assert await tell(database, directory, rotated) is Provisioned.STORED
    letting_go.set()
    assert await telling is Provisioned.STORED
    assert directory.passwords[user.username] == sip_users.password_of(rotated, SECRETS)
    assert (directory.puts, (await read(database, user)).pushed_version) == (3, 2)


async def test_an_unreachable_directory_is_retried_later(
    database: Database, directory: Directory, user: VoiceCredential
) -> None:
    directory.answers = [Unreached(reason="TIMEOUT", retry_after=SECOND)]
    with pytest.raises(ApplicationError) as raised:
        await tell(database, directory, user)
    assert (raised.value.type, raised.value.next_retry_delay) == ("DirectoryUnreached", SECOND)
    assert not raised.value.non_retryable
    assert (await read(database, user)).pushed_version == 0
    assert await tell(database, directory, user) is Provisioned.STORED


async def test_one_that_declines_raises_an_alert_until_it_takes_the_user(
    database: Database, directory: Directory, user: VoiceCredential
) -> None:
    directory.answers = [Declined(provider_code="21245"), Declined(provider_code="21245")]
    for _ in range(2):
        assert await tell(database, directory, user) is Provisioned.DECLINED
    assert await alerts(database, user) == [("PROVIDER_DEGRADED", True)]
    assert await tell(database, directory, user) is Provisioned.STORED
    assert await alerts(database, user) == [("PROVIDER_DEGRADED", False)]


@pytest.mark.parametrize("secrets", [None, SipSecrets("another than the API's")])
async def test_a_worker_with_another_secret_sends_nothing(
    database: Database, directory: Directory, user: VoiceCredential, secrets: SipSecrets | None
) -> None:
    with pytest.raises(ApplicationError) as raised:
        await tell(database, directory, user, secrets)
    assert (raised.value.type, directory.puts) == ("ServerSecretDiffers", 0)


async def test_a_deleted_user_is_not_sent(
    database: Database, directory: Directory, user: VoiceCredential
) -> None:
    async with database.transaction() as db:
        await db.execute(
            text("DELETE FROM voice_credential WHERE tenant_id = :t"), {"t": user.tenant_id}
        )
    assert await tell(database, directory, user) is Provisioned.STORED
    assert directory.puts == 0


@pytest.fixture
async def alone(postgres: EmbeddedPostgres, database_url: str) -> AsyncIterator[Database]:
    """A database of its own: sweeping processes all tenants."""
    url = make_database(postgres, unique("directory").replace("-", "_"))
    database = Database(async_url(url), pool_size=5, contact_keys=CONTACT_KEYS)
    yield database
    await database.close()


async def sweep(database: Database, client: Client, directory: str, grace: timedelta) -> None:
    """Run one turn of the sweeper of a worker with this directory."""
    settings = Settings(
        database_url=SecretStr("postgresql://nowhere"),
        voice_directory=directory,
        sweep_grace=grace,
        sweep_every=timedelta(seconds=0.1),  # the step polls this long after its turn
    )
    vendors = Vendors(routes=Routes([], {}), directories={"vendor": Directory()})
    parts = assemble(settings, database, client, vendors)
    await ActivityEnvironment().run(parts.sweeping.sweep)


async def test_what_was_never_started_is_swept_up_and_leaves_no_password_in_history(
    alone: Database, client: Client, directory: Directory
) -> None:
    user = await make_user(alone, await make_owner(alone))
    assert user.id is not None
    handle = client.get_workflow_handle(
        names.provision_id(user.tenant_id, user.public_id, user.version)
    )
    await sweep(alone, client, "kamailio", MOMENT)
    await sweep(alone, client, "vendor", timedelta(minutes=1))
    with pytest.raises(RPCError, match="not found"):
        await handle.describe()

    directory.answers = [Unreached(reason="RESET")]
    provisioning = Provisioning(alone, directory, SECRETS)
    async with Worker(
        client,
        task_queue=names.REGISTRATION,
        workflows=[ProvisionVoice],
        activities=[provisioning.provision_voice],
        interceptors=[PrivateFailures()],
    ):
        await sweep(alone, client, "vendor", MOMENT)
        order = ProvisionInput(
            tenant_id=user.tenant_id,
            credential_id=user.id,
            public_id=user.public_id,
            version=user.version,
        )
        await WorkflowStarter(client, WAITS).provision(order)  # as the API does: it runs already
        async with asyncio.timeout(15):
            await handle.result()
    password = sip_users.password_of(user, SECRETS)
    assert directory.passwords == {user.username: password}
    history = (await handle.fetch_history()).to_json()
    assert password not in history
    assert user.ha1 not in history
    assert (await read(alone, user)).pushed_version == 1


async def test_no_unsynced_user_hides_another(alone: Database, client: Client) -> None:
    made = [await make_user(alone, await make_owner(alone)) for _ in range(3)]
    task = DirectorySweep(alone, client, grace=timedelta(0))
    now = datetime.now(UTC) + SECOND
    turns = [await task.take(now, 2) for _ in range(3)]
    ids = [user.id for user in made]
    assert [[user.credential_id for user in turn] for turn in turns] == [ids[:2], ids[2:], ids[:2]]


def test_a_worker_refuses_a_directory_it_does_not_know(
    database_url: str, database: Database, client: Client
) -> None:
    settings = Settings(database_url=SecretStr(database_url), voice_directory="nobody")
    vendors = Vendors(routes=Routes([], {}), directories={"vendor": Directory()})
    with pytest.raises(IncompleteSettings, match="kamailio, vendor"):
        assemble(settings, database, client, vendors)
