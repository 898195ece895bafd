"""Steps from tenant to tenant that have messages of a type waiting, by index."""

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
"""A part of a WITH RECURSIVE: the types and tenants of which a message has a `ready_at`.

Each step reads one entry of the index, so that many messages of one tenant cost others nothing.
"""
