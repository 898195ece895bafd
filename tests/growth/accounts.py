"""Many tenants, each with a merchant and what it needs to send."""

from typing import Any, Final

import psycopg

from tests.factories import Owner

_TENANTS: Final = """
    WITH made AS (
        INSERT INTO tenant (name, delivery_mode, created_at)
        SELECT 'grown-' || md5(n || %(salt)s), 'SIMULATOR', now() - interval '30 days'
          FROM generate_series(1, CAST(%(tenants)s AS int)) AS n
        RETURNING id
    ), numbered AS (
        SELECT id, row_number() OVER (ORDER BY id) AS number FROM made
    ), trading AS (
        INSERT INTO merchant (tenant_id, external_id, display_name, active, sms_limit,
                              voice_minutes_limit, email_limit, timezone, created_at, updated_at)
        SELECT id, 'gym-a', 'Gym A', TRUE, 0, 0, 0, 'America/New_York',
               now() - interval '30 days', now() - interval '30 days'
          FROM made
        RETURNING tenant_id, id
    )
    INSERT INTO grown_place (number, tenant_id, merchant_id, sender, address)
    SELECT numbered.number, numbered.id, trading.id, '+1212' || lpad(CAST(numbered.id AS text), 7,
           '0'), 'no-reply@grown-' || numbered.id || '.example.com'
      FROM numbered JOIN trading ON trading.tenant_id = numbered.id
"""
_PARTS: Final = (
    # Of all, the owner included: the filled messages use up a smaller allowance.
    """
    UPDATE merchant SET sms_limit = 100000000, voice_minutes_limit = 100000000,
                        email_limit = 100000000
      FROM grown_place
     WHERE merchant.tenant_id = grown_place.tenant_id AND merchant.id = grown_place.merchant_id
    """,
    """
    INSERT INTO sender_number (number, tenant_id, merchant_id, needs_registration, created_at)
    SELECT sender, tenant_id, NULL, TRUE, now() FROM grown_place WHERE number > 0
    """,
    """
    INSERT INTO sender_address (tenant_id, address, created_at)
    SELECT tenant_id, address, now() FROM grown_place WHERE number > 0
    """,
    """
    INSERT INTO credit_account (tenant_id, merchant_id, channel, delivery_mode, available, held)
    SELECT tenant_id, merchant_id, channel, 'SIMULATOR', 0, 0
      FROM grown_place, unnest(ARRAY['SMS', 'VOICE', 'EMAIL']) AS channel WHERE number > 0
    """,
    """
    INSERT INTO api_key (tenant_id, merchant_id, name, key, key_hash, secret_hash, created_at)
    SELECT tenant_id, NULL, 'grown', 'hxk_' || md5(sender), md5(sender) || md5(address),
           md5(address) || md5(sender), now()
      FROM grown_place WHERE number > 0
    """,
    """
    INSERT INTO request_bucket (tenant_id, key_id, tokens, demand, settled_at)
    SELECT tenant_id, 0, 100, 0, now() FROM grown_place WHERE number > 0
    ON CONFLICT DO NOTHING
    """,
    # Of one tenant in ten, and switched off, so that nothing is delivered to it.
    """
    INSERT INTO webhook_endpoint (tenant_id, merchant_id, url, events, active, secret_version,
                                  failures, concurrency, created_at, updated_at)
    SELECT tenant_id, 0, 'https://hooks.example.com/', '[]', FALSE, 1, 0, 1, now(), now()
      FROM grown_place WHERE number > 0 AND number % 10 = 0
    """,
    """
    INSERT INTO usage_closing (tenant_id, day, closed_at)
    SELECT tenant_id, CAST(day AS date), now()
      FROM grown_place,
           generate_series(CAST(now() AT TIME ZONE 'UTC' AS date) - 31,
                           CAST(now() AT TIME ZONE 'UTC' AS date) - 1, interval '1 day') AS day
    ON CONFLICT DO NOTHING
    """,
)


async def make_tenants(
    db: psycopg.AsyncConnection[tuple[Any, ...]], owner: Owner, tenants: int
) -> None:
    """Add tenants, and list them with the owner as number 0 in the session's table `grown_place`.

    Their past days are closed, because the filled messages of these days are.
    """
    await db.execute(
        "CREATE TEMPORARY TABLE grown_place (number int PRIMARY KEY, tenant_id bigint,"
        " merchant_id bigint, sender text, address text)"
    )
    await db.execute(
        "INSERT INTO grown_place SELECT 0, %s, %s, %s, 'no-reply@' || %s || '.example.com'",
        [owner.tenant_id, owner.merchant_id, owner.sender, owner.tenant],
    )
    await db.execute(_TENANTS, {"tenants": tenants, "salt": owner.tenant})
    for part in _PARTS:
        await db.execute(part)
    await db.execute("ANALYZE grown_place")
