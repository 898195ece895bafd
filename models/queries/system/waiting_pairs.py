"""SQL that skips by index to each tenant with waiting messages of a type."""

from typing import Final

WAITING_PAIRS: Final = """pair AS (
        (SELECT type, tenant_id FROM message
          WHERE completed_at IS NULL AND ready_at IS NOT NULL
          ORDER BY type, tenant_id LIMIT 1)
        UNION ALL
        SELECT following.* FROM pair, LATERAL (
            SELECT type, tenant_id FROM message m
             WHERE completed_at IS NULL AND ready_at IS NOT NULL
               AND (m.type, m.tenant_id) > (pair.type, pair.tenant_id)
             ORDER BY type, tenant_id LIMIT 1) AS following
    )"""
"""Part of a WITH RECURSIVE: the types and tenants with a message that has a `ready_at`.

Each step reads one index entry, so that many messages of one tenant do not slow down others.
"""
