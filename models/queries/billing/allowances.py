"""SQL that selects the monthly limit of a channel."""

from typing import Final


def limit_of(channel: str) -> str:
    """Return the SQL of a merchant's monthly limit; `channel` is the SQL of the channel."""
    return (
        f"CASE {channel} WHEN 'SMS' THEN sms_limit WHEN 'VOICE' THEN voice_minutes_limit"
        " ELSE email_limit END"
    )


LIMIT: Final = limit_of("CAST(:channel AS text)")
"""The same, for the channel in the parameter `:channel`."""
