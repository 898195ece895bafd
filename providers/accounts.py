"""The accounts of this installation, which can be replaced while a process runs.

Routes, registries and verifiers are read through containers whose whole content is replaced at
once, so every holder of one sees the new accounts.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Generic, TypeVar

from models.configuration.accounts import Configuration, ConfiguredAccount
from models.configuration.environment_settings import BadSettings
from models.configuration.providers_file import VARIABLE
from providers.ports.messages import (
    MessageProvider,
    RecordingProvider,
    VerifyInbound,
    VerifyReports,
)
from providers.ports.registration import Registry, VerifyRegistrations
from providers.ports.sip import VoiceDirectory

ValueT = TypeVar("ValueT")


class Replaceable(Mapping[str, ValueT], Generic[ValueT]):
    """A mapping whose whole content is replaced at once."""

    def __init__(self, content: Mapping[str, ValueT] | None = None) -> None:
        self._content = dict(content or {})

    def replace(self, content: Mapping[str, ValueT]) -> None:
        """Replace the content."""
        self._content = dict(content)

    def __getitem__(self, key: str) -> ValueT:
        return self._content[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._content)

    def __len__(self) -> int:
        return len(self._content)

    def __repr__(self) -> str:
        return f"Replaceable({sorted(self._content)})"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """Whether an account's credentials are accepted; `reason` has no secret in it."""

    valid: bool
    reason: str = ""


async def _close_nothing() -> None:
    """For accounts that keep no connection."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenAccount:
    """The adapters of one account, and the verifiers of its webhooks."""

    name: str
    vendor: str
    check: Callable[[], Awaitable[CheckResult]] = field(repr=False)
    """Tests the credentials without sending anything."""
    messages: MessageProvider | None = field(default=None, repr=False)
    reports: VerifyReports | None = field(default=None, repr=False)
    inbound: VerifyInbound | None = field(default=None, repr=False)
    registrations: VerifyRegistrations | None = field(default=None, repr=False)
    recordings: RecordingProvider | None = field(default=None, repr=False)
    registry: Registry | None = field(default=None, repr=False)
    directory: VoiceDirectory | None = field(default=None, repr=False)
    close: Callable[[], Awaitable[None]] = field(default=_close_nothing, repr=False)
    """Closes the connections that it keeps. Calls in progress end first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """An account of the providers file that is in use."""

    configured: ConfiguredAccount
    opened: OpenAccount
    retired: bool = False
    """Nothing new is sent with it. Taken out of the file, or marked as retired there."""

    @property
    def name(self) -> str:
        """The account's name."""
        return self.configured.entry.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a new reading of the file changed: names of accounts."""

    added: frozenset[str]
    changed: frozenset[str]
    retired: frozenset[str]


class Accounts:
    """The accounts of the providers file in this process.

    An account that is no longer in the file is retired: its webhooks are verified and its messages
    looked up until `forget` is told that none is open.
    """

    def __init__(
        self,
        open_account: Callable[[ConfiguredAccount], OpenAccount],
        publish: Callable[[Configuration, Mapping[str, Account]], None] = lambda *_: None,
        *,
        check: Callable[[Mapping[str, Account]], None] = lambda _: None,
    ) -> None:
        """`check` raises BadSettings for accounts that must not be used together."""
        self._open_account = open_account
        self._publish = publish
        self._check = check
        self._configuration = Configuration()
        self._accounts: dict[str, Account] = {}

    @property
    def current(self) -> Mapping[str, Account]:
        """All accounts by name, retired ones included."""
        return dict(self._accounts)

    @property
    def configuration(self) -> Configuration:
        """The file as it was read last."""
        return self._configuration

    @property
    def removed(self) -> frozenset[str]:
        """Names of the accounts that are no longer in the file."""
        return frozenset(self._accounts) - _names(self._configuration)

    def open(self, configured: ConfiguredAccount) -> OpenAccount:
        """Build the adapters of an account; raises BadSettings."""
        try:
            return self._open_account(configured)
        except ValueError as error:  # an adapter's own; it contains no secret
            raise BadSettings(f"{VARIABLE}: account {configured.entry.name}: {error}") from None

    async def replace(self, configuration: Configuration) -> Change:
        """Use another reading of the file. An unchanged account keeps its connections.

        Raises:
            BadSettings: an account cannot be opened, is another one at its vendor than before
                under this name, or the check fails. Then nothing is changed.
        """
        before = self._accounts
        opened = {
            configured.entry.name: self._account(configured)
            for configured in configuration.accounts
        }
        removed = {
            name: replace(account, retired=True)
            for name, account in before.items()
            if name not in opened
        }
        self._check(opened)
        self._configuration = configuration
        self._accounts = {**opened, **removed}
        self._publish(configuration, self._accounts)
        changed = {
            name
            for name, account in opened.items()
            if name in before and account.opened is not before[name].opened
        }
        for name in changed:
            await before[name].opened.close()
        retired = {
            name
            for name, account in self._accounts.items()
            if account.retired and name in before and not before[name].retired
        }
        return Change(
            added=frozenset(opened.keys() - before.keys()),
            changed=frozenset(changed),
            retired=frozenset(retired),
        )

    async def forget(self, names: frozenset[str]) -> None:
        """Drop accounts that are no longer in the file, because none of their messages is open."""
        dropped = [self._accounts[name] for name in sorted(names & self.removed)]
        if not dropped:
            return
        gone = {account.name for account in dropped}
        self._accounts = {
            name: account for name, account in self._accounts.items() if name not in gone
        }
        self._publish(self._configuration, self._accounts)
        for account in dropped:
            await account.opened.close()

    async def close(self) -> None:
        """Close all connections."""
        for account in self._accounts.values():
            await account.opened.close()

    def _account(self, configured: ConfiguredAccount) -> Account:
        name, retired = configured.entry.name, configured.entry.retired
        known = self._accounts.get(name)
        if known is None:
            return Account(configured=configured, opened=self.open(configured), retired=retired)
        if known.configured.entry.identity != configured.entry.identity:
            # Its open messages would be looked up in another account, and be thought absent.
            raise BadSettings(
                f"{VARIABLE}: account {name} is another one at its vendor than before: give it "
                "another name"
            )
        same = _comparable(known.configured) == _comparable(configured)
        opened = known.opened if same else self.open(configured)
        return Account(configured=configured, opened=opened, retired=retired)


def _comparable(configured: ConfiguredAccount) -> ConfiguredAccount:
    """Return the account without what does not concern its adapters."""
    entry = configured.entry.model_copy(update={"retired": False})
    return replace(configured, entry=entry)


def _names(configuration: Configuration) -> frozenset[str]:
    return frozenset(configured.entry.name for configured in configuration.accounts)
