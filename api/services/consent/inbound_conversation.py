"""A parsed inbound text with its contact and number."""

from dataclasses import dataclass, field
from datetime import datetime

from api.services.consent.inbound_reading import number_of
from models.enums import InboundKind
from models.queries.consent.inbound_numbers import KnownNumber
from models.queries.consent.inbound_texts import NewInbound
from models.rules.consent.keywords import BUILT_IN, CampaignTexts, Keywords, Reading, read_text
from providers.ports.messages import InboundText


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """One parsed text from one contact to one of our numbers."""

    tenant_id: int
    owner: int | None
    provider: str
    text: InboundText = field(repr=False)
    reading: Reading
    contact_key: str
    contact: str = field(repr=False)
    """The number to answer; empty if the sender is not a number (a short code, a name,
    withheld).
    """
    registered: CampaignTexts | None
    """Keywords and answers of the number's campaign."""
    given_back: bool
    """The number was released by its owner: consent is changed, no answer is sent."""

    @classmethod
    def read(
        cls, provider: str, text: InboundText, number: KnownNumber, contact_key: str
    ) -> "Conversation":
        """Parse a text with our keywords and those registered for the number.

        Nothing is obeyed for a sender that is not a number, so its text has no keyword.
        """
        registered = number.registered
        contact = number_of(text.sender)
        keywords = BUILT_IN if registered is None else registered.keywords
        return cls(
            tenant_id=number.tenant_id,
            owner=number.merchant_id,
            provider=provider,
            text=text,
            reading=_read(text, keywords) if contact else Reading(InboundKind.OTHER),
            contact_key=contact_key,
            contact=contact,
            registered=registered,
            given_back=number.given_back,
        )

    def row(self, merchant_id: int | None, now: datetime) -> NewInbound:
        """Return the row of the text, addressed to a merchant."""
        return NewInbound(
            tenant_id=self.tenant_id,
            merchant_id=merchant_id,
            provider=self.provider,
            event_id=self.text.event_id,
            kind=self.reading.kind,
            sender=self.text.sender,
            contact_key=self.contact_key,
            number=self.text.number,
            body=self.text.body,
            sent_at=self.text.sent_at,
            received_at=now,
        )


def _read(text: InboundText, keywords: Keywords) -> Reading:
    """Return the meaning of a text; the vendor's counts too, because words can be configured there.

    An opt-out takes precedence, whether we or the vendor recognised it.
    """
    ours, theirs = read_text(text.body, keywords), text.keyword
    if ours.kind is InboundKind.OPT_OUT or theirs in (None, InboundKind.OTHER):
        return ours
    if theirs is InboundKind.OPT_OUT or ours.kind is InboundKind.OTHER:
        return Reading(theirs)
    return ours
