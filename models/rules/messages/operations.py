"""Operations with an Idempotency-Key; each is the first part of its workflow's id."""

from typing import Final

SEND_SMS: Final = "send-sms"
SEND_VOICE: Final = "send-voice"
SEND_EMAIL: Final = "send-email"
SEND_DIRECT_EMAIL: Final = "send-direct-email"
SEND_TTS_CALL: Final = "send-tts-call"
SEND_BATCH: Final = "send-batch"
ANSWER_INBOUND: Final = "answer-inbound"
"""The confirmation of an opt-out or opt-in and the answer to HELP; the key is the inbound event."""
UPGRADE: Final = "upgrade"
"""Purchase of credits."""
