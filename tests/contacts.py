"""The contact key of the tests."""

from pathlib import Path
from typing import Final

from models.rules.consent.contact_keys import ContactKeys

CONTACT_KEY_FILE: Final = Path(__file__).with_name("contact.key")
CONTACT_KEYS: Final = ContactKeys.parse(CONTACT_KEY_FILE.read_text())


def key_of(contact: str) -> str:
    """Return the contact key of a phone number or an address."""
    return CONTACT_KEYS.key_of_any(contact)
