"""Which of a merchant's limits a channel's units count against, as part of any statement."""

from typing import Final


def limit_of(channel: str) -> str:
    """Return the SQL of a merchant's monthly limit, of the channel that an SQL word names."""
    return (
        f"CASE {channel} WHEN 'SMS' THEN sms_limit WHEN 'VOICE' THEN voice_minutes_limit"
        " ELSE email_limit END"
    )


LIMIT: Final = limit_of("CAST(:channel AS text)")
"""The same of the channel that is a parameter."""
