"""Builds the activities of batches. Their connections are apart, so that they delay no OTP."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from temporalio.client import Client

from activities.messages.batches.accept_lines import AcceptingLines
from activities.messages.batches.cancel_members import CancelingMembers
from api.services.messages.admission import Admission
from api.services.messages.batches.acceptance import BatchAcceptance
from api.services.messages.permission import Permissions, UnsubscribeLinks
from api.services.messages.routed_senders import RoutedSenders
from models.session import Database
from models.settings import Settings
from providers.routing import Routes
from workflows.messages.batches.start_chunk import start_chunk


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchParts:
    """Activities of batches, and the load shedding that they observe, whose loop must run."""

    accepting: AcceptingLines
    canceling: CancelingMembers
    admission: Admission

    @property
    def activities(self) -> list[Callable[..., Any]]:
        """Activities of the task queue `batches`."""
        return [self.accepting.accept_lines, self.canceling.cancel_members]


def assemble_batches(
    settings: Settings, database: Database, client: Client, routes: Routes
) -> BatchParts:
    """Build the activities of batches.

    Processes that serve batches refuse to start without a server secret, which signs the links to
    unsubscribe.
    """
    secret = settings.server_secret
    links = UnsubscribeLinks(
        settings.public_url, "" if secret is None else secret.get_secret_value()
    )
    permissions = Permissions(database, links, RoutedSenders(routes))
    admission = Admission(database, limit=settings.open_limit, lag_allowed=settings.lag_allowed)
    acceptance = BatchAcceptance(database, permissions, admission, grace=settings.sweep_grace)
    return BatchParts(
        accepting=AcceptingLines(database, acceptance, partial(start_chunk, client)),
        canceling=CancelingMembers(database, client),
        admission=admission,
    )
