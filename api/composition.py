"""Builds the services of the API from settings, connections and a clock."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from temporalio.client import Client

from api.http.auth import Authenticator
from api.http.limits.failed_logins import FailedLogins
from api.http.limits.rate_limits import RequestLimits
from api.portal.portal import Portal
from api.route_scopes import ROUTE_SCOPES
from api.services.alerts.alerts import Alerts
from api.services.billing.payment_reports import PaymentWebhooks
from api.services.billing.upgrades import Billing
from api.services.billing.usage_reports import Reports
from api.services.consent.consents import Consents
from api.services.consent.inbound_texts import Inbox
from api.services.consent.unsubscribe import Unsubscribing
from api.services.messages.accept import Sending
from api.services.messages.admission import Admission
from api.services.messages.batches.cancel import BatchCanceling
from api.services.messages.batches.read import Batches
from api.services.messages.batches.receiving_slots import ReceivingSlots
from api.services.messages.batches.store import BatchStoring
from api.services.messages.cancel import Canceling
from api.services.messages.cancel_requests import CancelRequests
from api.services.messages.delivery_reports import Receipts
from api.services.messages.permission import Permissions, UnsubscribeLinks
from api.services.messages.quote import Quoting
from api.services.messages.read import Messages
from api.services.messages.recordings import Recordings
from api.services.messages.routed_senders import RoutedSenders
from api.services.messages.started import StartedMessages
from api.services.registration.brands import Brands
from api.services.registration.campaigns import Campaigns
from api.services.registration.numbers import MessagingNumbers
from api.services.registration.registry_reports import RegistrationWebhooks
from api.services.registration.status import MessagingStatus
from api.services.system.readiness import Readiness
from api.services.tenants.api_keys import ApiKeys
from api.services.tenants.key_last_uses import KeyLastUses
from api.services.tenants.merchants import Merchants
from api.services.used_keys import UsedKeys
from api.services.voice.presence import PresenceRecords
from api.services.voice.provisioning import VoiceProvisioning
from api.services.webhooks.deliveries import WebhookDeliveries
from api.services.webhooks.endpoints import Webhooks
from api.workflow_starters import (
    BatchStarter,
    RegistrationStarter,
    UpgradeStarter,
    WorkflowStarter,
)
from models.enums import KeyScope
from models.queries.voice.sip_registrations import RegistrarTables
from models.rules.consent.contact_keys import ContactKeys
from models.rules.voice.sip import SipSecrets
from models.session import Database
from models.settings import Settings
from providers import kamailio
from providers.vendors import Vendors, Verifiers

Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchServices:
    """Services of batches: receive, store, read and cancel."""

    slots: ReceivingSlots
    storing: BatchStoring
    reads: Batches
    canceling: BatchCanceling


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageServices:
    """Services of messages: accept, read, cancel, quote, batches, and delivery reports."""

    sending: Sending
    batches: BatchServices
    reads: Messages
    canceling: CancelRequests
    quoting: Quoting
    recordings: Recordings
    receipts: Receipts
    admission: Admission
    started: StartedMessages


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentServices:
    """Services of consent, inbound texts and unsubscribe links."""

    consents: Consents
    inbox: Inbox
    unsubscribing: Unsubscribing


@dataclass(frozen=True, slots=True, kw_only=True)
class BillingServices:
    """Services of upgrades, the ledger, payment webhooks and usage reports."""

    upgrades: Billing
    payment_webhooks: PaymentWebhooks
    reports: Reports


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationServices:
    """Services of 10DLC registration."""

    brands: Brands
    campaigns: Campaigns
    numbers: MessagingNumbers
    status: MessagingStatus
    webhooks: RegistrationWebhooks


@dataclass(frozen=True, slots=True, kw_only=True)
class VoiceServices:
    """Services of SIP users and presence."""

    provisioning: VoiceProvisioning
    presence: PresenceRecords


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookServices:
    """Services of webhooks to integrators."""

    endpoints: Webhooks
    deliveries: WebhookDeliveries


@dataclass(frozen=True, slots=True, kw_only=True)
class Starters:
    """Start and signal workflows."""

    sends: WorkflowStarter
    batches: BatchStarter
    upgrades: UpgradeStarter
    registrations: RegistrationStarter


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Every service that routes use; the only attribute of the application's state."""

    public_url: str
    """Where integrators and vendors reach the API: scheme, host and port."""
    portal: Portal
    """Pages of the developer guide."""
    contact_keys: ContactKeys
    authenticator: Authenticator
    limits: RequestLimits
    used_keys: UsedKeys
    last_uses: KeyLastUses
    route_scopes: Mapping[str, KeyScope]
    """The scope that a key needs, by method and path template."""
    readiness: Readiness
    merchants: Merchants
    keys: ApiKeys
    alerts: Alerts
    messages: MessageServices
    consent: ConsentServices
    billing: BillingServices
    registration: RegistrationServices
    voice: VoiceServices
    webhooks: WebhookServices


@dataclass(frozen=True, slots=True, kw_only=True)
class Connections:
    """What services are built on besides the settings."""

    database: Database
    vendors: Vendors
    verifiers: Verifiers
    starters: Starters
    started: StartedMessages
    """Records sends whose workflow was started."""


def open_starters(settings: Settings, temporal: Client, started: StartedMessages) -> Starters:
    """Build the workflow starters; `started` records every send whose workflow runs."""
    return Starters(
        sends=WorkflowStarter(temporal, settings.send_waits, started.note),
        batches=BatchStarter(temporal, settings.send_waits),
        upgrades=UpgradeStarter(temporal, settings.payment_waits),
        registrations=RegistrationStarter(temporal, settings.registration_waits),
    )


def build_services(
    settings: Settings,
    connections: Connections,
    server_secret: str,
    *,
    portal: Portal,
    clock: Clock,
) -> Services:
    """Build every service. It opens no connection and starts no task."""
    database = connections.database
    links = UnsubscribeLinks(settings.public_url, server_secret)
    return Services(
        public_url=settings.public_url.rstrip("/"),
        portal=portal,
        contact_keys=database.contact_keys,
        authenticator=Authenticator(database, FailedLogins(settings.failed_login_limit), clock),
        limits=RequestLimits(key=settings.key_limit, tenant=settings.tenant_limit),
        used_keys=UsedKeys(database),
        last_uses=KeyLastUses(database, clock),
        route_scopes=ROUTE_SCOPES,
        readiness=Readiness(database),
        merchants=Merchants(database, clock),
        keys=ApiKeys(database, clock),
        alerts=Alerts(database),
        messages=_messages(settings, connections, links, clock),
        consent=_consent(settings, connections, links, clock),
        billing=_billing(settings, connections, clock),
        registration=_registration(settings, connections, clock),
        voice=_voice(settings, connections, SipSecrets(server_secret), clock),
        webhooks=WebhookServices(
            endpoints=Webhooks(
                database, settings.webhook_key(), clock, local=settings.webhook_local_urls
            ),
            deliveries=WebhookDeliveries(database, clock),
        ),
    )


def _messages(
    settings: Settings, connections: Connections, links: UnsubscribeLinks, clock: Clock
) -> MessageServices:
    database, starter = connections.database, connections.starters.sends
    senders = RoutedSenders(connections.vendors.routes)
    permissions = Permissions(database, links, senders)
    admission = Admission(database, limit=settings.open_limit, lag_allowed=settings.lag_allowed)
    reads = Messages(database)
    canceling = Canceling(database, starter, reads, clock)
    return MessageServices(
        sending=Sending(
            database,
            starter,
            permissions,
            admission=admission,
            start_within=settings.start_within,
            clock=clock,
        ),
        batches=_batches(settings, connections, clock),
        reads=reads,
        canceling=CancelRequests(database, canceling, clock),
        quoting=Quoting(database, permissions, senders, clock),
        recordings=Recordings(database, connections.vendors.recordings),
        receipts=Receipts(database, starter, connections.verifiers.reports),
        admission=admission,
        started=connections.started,
    )


def _batches(settings: Settings, connections: Connections, clock: Clock) -> BatchServices:
    database, starter = connections.database, connections.starters.batches
    reads, start_within = Batches(database), settings.start_within
    return BatchServices(
        slots=ReceivingSlots(),
        storing=BatchStoring(database, starter, reads, start_within=start_within, clock=clock),
        reads=reads,
        canceling=BatchCanceling(database, starter, reads, start_within=start_within, clock=clock),
    )


def _consent(
    settings: Settings, connections: Connections, links: UnsubscribeLinks, clock: Clock
) -> ConsentServices:
    database = connections.database
    return ConsentServices(
        consents=Consents(database, clock),
        inbox=Inbox(
            database,
            connections.starters.sends,
            connections.verifiers.inbound_texts,
            scope=connections.vendors.routes.scope,
            listed_by=connections.vendors.routes.listed_by,
            start_within=settings.start_within,
            clock=clock,
        ),
        unsubscribing=Unsubscribing(database, links, clock),
    )


def _billing(settings: Settings, connections: Connections, clock: Clock) -> BillingServices:
    database, starter = connections.database, connections.starters.upgrades
    grace = settings.sweep_grace
    return BillingServices(
        upgrades=Billing(database, starter, sweep_grace=grace, clock=clock),
        payment_webhooks=PaymentWebhooks(
            database, starter, connections.verifiers.payments, sweep_grace=grace, clock=clock
        ),
        reports=Reports(database, clock),
    )


def _registration(
    settings: Settings, connections: Connections, clock: Clock
) -> RegistrationServices:
    database, registries = connections.database, connections.vendors.registries
    starter, look_after = connections.starters.registrations, settings.sweep_grace
    return RegistrationServices(
        brands=Brands(database, registries, starter, clock, look_after=look_after),
        campaigns=Campaigns(database, registries, starter, clock, look_after=look_after),
        numbers=MessagingNumbers(database, registries, starter, clock, look_after=look_after),
        status=MessagingStatus(database, registries),
        webhooks=RegistrationWebhooks(database, starter, connections.verifiers.registrations),
    )


def _voice(
    settings: Settings, connections: Connections, secrets: SipSecrets, clock: Clock
) -> VoiceServices:
    """Build the services of SIP users and presence.

    The built-in registrar reads our tables, and its registrations can be queried. An external
    directory is updated by a workflow and reports no registrations.
    """
    database, starter = connections.database, connections.starters.sends
    ours = settings.voice_directory == kamailio.NAME
    registrar = kamailio.Kamailio(RegistrarTables(database).registered) if ours else None
    place = settings.voice_place
    presence = PresenceRecords(database, registrar, clock, expires=place.expires)
    push = None if ours else starter.provision
    return VoiceServices(
        provisioning=VoiceProvisioning(database, place, secrets, presence, push, clock),
        presence=presence,
    )
