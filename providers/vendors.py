"""Builds all providers of an installation, so that API and worker use the same adapters."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

import httpx

from models.configuration.accounts import Configuration, ConfiguredAccount
from models.configuration.environment_settings import BadSettings
from models.configuration.providers_file import VARIABLE, TwilioAccount
from models.enums import Channel, DeliveryMode
from models.rules.accounts.account_scope import AccountScope
from models.rules.accounts.names import SIMULATOR
from models.rules.accounts.routing_table import RoutingTable
from providers.accounts import Account, Accounts, OpenAccount, Replaceable
from providers.http import new_client
from providers.ports.messages import RecordingProvider, VerifyInbound, VerifyReports
from providers.ports.payments import Gateways, VerifyPayments
from providers.ports.registration import VerifyRegistrations
from providers.ports.sip import VoiceDirectory
from providers.registries import Registries
from providers.routing import Routes
from providers.simulator import payments
from providers.simulator import setup as simulator
from providers.smtp import setup as smtp
from providers.twilio import setup as twilio

AdapterT = TypeVar("AdapterT")


class VendorSettings(Protocol):
    """Settings of the providers."""

    @property
    def public_url(self) -> str: ...
    @property
    def provider_timeout(self) -> timedelta: ...
    @property
    def absence_window(self) -> timedelta: ...
    @property
    def simulator_url(self) -> str: ...
    @property
    def simulator_signing(self) -> str | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Vendors:
    """All provider adapters, by purpose."""

    routes: Routes
    gateways: Gateways = field(default_factory=lambda: Gateways({}))
    registries: Registries = field(default_factory=lambda: Registries([], {}))
    directories: Mapping[str, VoiceDirectory] = field(default_factory=dict)
    """Directories of SIP users, by account."""
    recordings: Mapping[str, RecordingProvider] = field(default_factory=dict)
    """Providers that store recordings of calls, by account."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verifiers:
    """Verifiers of webhooks by account.

    Each raises ForgedWebhook for an invalid signature.
    """

    reports: Mapping[str, VerifyReports]
    inbound_texts: Mapping[str, VerifyInbound]
    payments: Mapping[str, VerifyPayments]
    registrations: Mapping[str, VerifyRegistrations]


@dataclass(frozen=True, slots=True, kw_only=True)
class Providers:
    """Adapters and verifiers; `accounts.replace` changes what they hold."""

    vendors: Vendors
    verifiers: Verifiers
    accounts: Accounts


def open_providers(
    settings: VendorSettings, http: httpx.AsyncClient, clock: Callable[[], datetime]
) -> Providers:
    """Build the simulator's adapters on the shared HTTP client, and no account of the file yet."""
    containers = _Containers(simulator.open_account(settings, http))

    def open_one(configured: ConfiguredAccount) -> OpenAccount:
        return open_account(configured, settings, http, clock)

    secret = settings.simulator_signing
    return Providers(
        vendors=Vendors(
            routes=containers.routes,
            gateways=Gateways({DeliveryMode.SIMULATOR: simulator.open_gateway(settings, http)}),
            registries=containers.registries,
            directories=containers.directories,
            recordings=containers.recordings,
        ),
        verifiers=Verifiers(
            reports=containers.reports,
            inbound_texts=containers.inbound_texts,
            payments={} if secret is None else {SIMULATOR: payments.verifier(secret)},
            registrations=containers.registrations,
        ),
        accounts=Accounts(open_one, containers.publish, check=check_replies),
    )


def open_account(
    configured: ConfiguredAccount,
    settings: VendorSettings,
    http: httpx.AsyncClient,
    clock: Callable[[], datetime],
) -> OpenAccount:
    """Build the adapters of one account of the file.

    Raises ValueError, without a secret in it, for an account that its adapter cannot use.
    """
    if isinstance(configured.entry, TwilioAccount):
        return twilio.open_account(configured.entry, configured, settings, http, clock)
    return smtp.open_account(configured.entry, configured)


def check_accounts(configuration: Configuration, settings: VendorSettings) -> None:
    """Raise BadSettings for the first account that its adapter cannot use; connect to none."""
    http = new_client(settings.provider_timeout)
    accounts = Accounts(lambda configured: open_account(configured, settings, http, _never))
    for configured in configuration.accounts:
        accounts.open(configured)


def check_replies(accounts: Mapping[str, Account]) -> None:
    """Raise BadSettings if texts could be sent by an account that takes none: STOP would be lost.

    A retired account sends nothing.
    """
    without_replies = [
        name
        for name, account in accounts.items()
        if not account.retired and _sends_texts(account.opened) and account.opened.inbound is None
    ]
    if without_replies:
        raise BadSettings(
            f"{VARIABLE}: LIVE tenants would send SMS by {', '.join(without_replies)}: nobody here "
            "takes the texts that come back, so no STOP would be received. See Inbound texts in "
            "docs/providers.md."
        )


def _sends_texts(opened: OpenAccount) -> bool:
    return opened.messages is not None and Channel.SMS in opened.messages.channels


def _never() -> datetime:
    raise RuntimeError("nothing is verified while accounts are checked")


class _Containers:
    """What services and activities are given; holds the simulator and the accounts of the file."""

    def __init__(self, built_in: OpenAccount) -> None:
        self._built_in = built_in
        self.routes = Routes([], {})
        self.registries = Registries([], {})
        self.directories: Replaceable[VoiceDirectory] = Replaceable()
        self.recordings: Replaceable[RecordingProvider] = Replaceable()
        self.reports: Replaceable[VerifyReports] = Replaceable()
        self.inbound_texts: Replaceable[VerifyInbound] = Replaceable()
        self.registrations: Replaceable[VerifyRegistrations] = Replaceable()
        self.publish(Configuration(), {})

    def publish(self, configuration: Configuration, accounts: Mapping[str, Account]) -> None:
        """Replace the content of every container."""
        every = {SIMULATOR: self._built_in}
        every |= {name: account.opened for name, account in accounts.items()}
        usable = [name for name, account in accounts.items() if not account.retired]
        scopes = {name: account.configured.entry.scope for name, account in accounts.items()}
        self.routes.replace(_routes(configuration, every, usable, scopes))
        self.registries.replace(_registries(configuration, every))
        self.directories.replace(_present({n: a.directory for n, a in every.items()}))
        self.recordings.replace(_present({n: a.recordings for n, a in every.items()}))
        self.reports.replace(_present({n: a.reports for n, a in every.items()}))
        self.inbound_texts.replace(_present({n: a.inbound for n, a in every.items()}))
        self.registrations.replace(_present({n: a.registrations for n, a in every.items()}))


def _routes(
    configuration: Configuration,
    every: Mapping[str, OpenAccount],
    usable: list[str],
    scopes: Mapping[str, AccountScope],
) -> Routes:
    """Return the routes over all accounts; only those in `usable` get new attempts.

    Accounts that were taken out keep their scope: it also says whose texts they may deliver.
    """
    return Routes(
        [opened.messages for opened in every.values() if opened.messages is not None],
        {
            DeliveryMode.SIMULATOR: (SIMULATOR,),
            DeliveryMode.LIVE: [name for name in usable if every[name].messages is not None],
        },
        table=RoutingTable(configuration.routes),
        scopes=scopes,
    )


def _registries(configuration: Configuration, every: Mapping[str, OpenAccount]) -> Registries:
    """Return the registries of all accounts, and which one each tenant registers with."""
    registering = [
        configured.entry
        for configured in configuration.accounts
        if not configured.entry.retired and every[configured.entry.name].registry is not None
    ]
    for_all = [entry.name for entry in registering if entry.tenants is None]
    by_mode = {DeliveryMode.SIMULATOR: SIMULATOR}
    if for_all:  # the file has at most one
        by_mode[DeliveryMode.LIVE] = for_all[0]
    return Registries(
        [opened.registry for opened in every.values() if opened.registry is not None],
        by_mode,
        live_by_tenant={
            tenant: entry.name for entry in registering for tenant in entry.tenants or ()
        },
    )


def _present(adapters: Mapping[str, AdapterT | None]) -> dict[str, AdapterT]:
    return {name: adapter for name, adapter in adapters.items() if adapter is not None}
