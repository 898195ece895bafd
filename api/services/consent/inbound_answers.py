"""Answers to STOP, START and HELP: ordinary messages that hold no units."""

import logging
from datetime import datetime, timedelta

from api.services.consent.inbound_conversation import Conversation
from api.services.messages.write import start_of
from models.enums import Channel, MessageType
from models.queries.consent import inbound_texts
from models.queries.consent.inbound_texts import Addressee
from models.queries.messages import acceptance
from models.queries.messages.acceptance import AcceptedMessage, NewMessage
from models.rules.billing.periods import month_of
from models.rules.consent.contact_keys import ContactKeys
from models.rules.consent.keywords import (
    ANSWER_VALIDITY,
    ANSWERS_WITHIN,
    MOST_ANSWERS,
    answer_to,
)
from models.rules.messages.channels import sms
from models.rules.messages.identity import SendStart
from models.rules.messages.operations import ANSWER_INBOUND
from models.session import WriteSession

log = logging.getLogger(__name__)


class InboundAnswers:
    """Writes answers in the transaction that processes the text."""

    def __init__(self, contact_keys: ContactKeys, start_within: timedelta) -> None:
        self._contact_keys = contact_keys
        self._start_within = start_within

    async def write(
        self, db: WriteSession, talk: Conversation, merchant: Addressee, now: datetime
    ) -> SendStart | None:
        """Write the answer, unless this contact has received too many recently.

        None as well if a message has the answer's key already: the consent that the text changed
        does not depend on the answer.
        """
        body = answer_to(
            talk.reading.kind,
            merchant.display_name,
            merchant.help_text,
            support_contact=merchant.support_contact,
            registered=talk.registered,
        )
        given = await inbound_texts.count_answers(
            db, talk.tenant_id, talk.text.number, talk.contact_key, now - ANSWERS_WITHIN
        )
        if body is None or given >= MOST_ANSWERS:
            return None
        message = self._message(talk, merchant, body, now)
        outcome = await acceptance.accept(db, message)
        if not isinstance(outcome, AcceptedMessage):
            log.error(
                "an answer was not accepted",
                extra={
                    "tenant_id": talk.tenant_id,
                    "provider": talk.provider,
                    "outcome": type(outcome).__name__,
                },
            )
            return None
        return start_of(message, outcome, merchant.external_id)

    def _message(
        self, talk: Conversation, merchant: Addressee, body: str, now: datetime
    ) -> NewMessage:
        idempotency_key = f"{talk.provider}:{talk.text.event_id}"
        return NewMessage(
            tenant_id=talk.tenant_id,
            merchant_id=merchant.merchant_id,
            channel=Channel.SMS,
            type=MessageType.TRANSACTIONAL,
            contact_key=talk.contact_key,
            to_contact=talk.contact,
            sender=talk.text.number,
            body=body,
            attributes={},
            operation=ANSWER_INBOUND,
            scope="",
            idempotency_key=idempotency_key,
            fingerprint=self._contact_keys.fingerprint(idempotency_key),
            units=sms.held(body),
            funded=False,
            month=month_of(now),
            accepted_at=now,
            due_at=now,
            expires_at=now + ANSWER_VALIDITY,
            sweep_at=now + self._start_within,
        )
