"""What the routes of merchant messaging ask for. `async` for the reason given in api.deps."""

from typing import Annotated

from fastapi import Depends, Request

from api.services.registration.brands import Brands
from api.services.registration.campaigns import Campaigns
from api.services.registration.numbers import MessagingNumbers
from api.services.registration.registry_reports import RegistrationWebhooks
from api.services.registration.status import MessagingStatus


async def _brands(request: Request) -> Brands:
    brands: Brands = request.app.state.brands
    return brands


async def _campaigns(request: Request) -> Campaigns:
    campaigns: Campaigns = request.app.state.campaigns
    return campaigns


async def _numbers(request: Request) -> MessagingNumbers:
    numbers: MessagingNumbers = request.app.state.messaging_numbers
    return numbers


async def _status(request: Request) -> MessagingStatus:
    status: MessagingStatus = request.app.state.messaging_status
    return status


async def _webhooks(request: Request) -> RegistrationWebhooks:
    webhooks: RegistrationWebhooks = request.app.state.registration_webhooks
    return webhooks


BrandActions = Annotated[Brands, Depends(_brands)]
CampaignActions = Annotated[Campaigns, Depends(_campaigns)]
NumberActions = Annotated[MessagingNumbers, Depends(_numbers)]
StatusReads = Annotated[MessagingStatus, Depends(_status)]
RegistrationWebhookActions = Annotated[RegistrationWebhooks, Depends(_webhooks)]
