"""Puts the services of merchant messaging together: the API's half of 10DLC."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from fastapi import FastAPI

from api.registration_starter import RegistrationStarter
from api.services.registration.brands import Brands
from api.services.registration.campaigns import Campaigns
from api.services.registration.numbers import MessagingNumbers
from api.services.registration.registry_reports import RegistrationWebhooks, VerifyEvent
from api.services.registration.status import MessagingStatus
from models.session import Database
from providers.registries import Registries


def add_messaging(
    app: FastAPI,
    database: Database,
    registries: Registries,
    starter: RegistrationStarter,
    verifiers: Mapping[str, VerifyEvent],
    *,
    clock: Callable[[], datetime],
    look_after: timedelta,
) -> None:
    """Give the application all that its messaging routes ask for."""
    tools = (database, registries, starter, clock)
    app.state.brands = Brands(*tools, look_after=look_after)
    app.state.campaigns = Campaigns(*tools, look_after=look_after)
    app.state.messaging_numbers = MessagingNumbers(*tools, look_after=look_after)
    app.state.messaging_status = MessagingStatus(database, registries)
    app.state.registration_webhooks = RegistrationWebhooks(database, starter, verifiers)
