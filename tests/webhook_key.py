"""The webhook key of the tests."""

from pathlib import Path
from typing import Final

from models.rules.webhooks.secrets import read_webhook_key

WEBHOOK_KEY_FILE: Final = Path(__file__).with_name("webhook.key")
WEBHOOK_KEY: Final = read_webhook_key(WEBHOOK_KEY_FILE.read_text())
