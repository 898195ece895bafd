"""Finds the kinds of unpriced records by an index skip scan, independent of the record count."""

from models.enums import UnpricedReason


def unpriced_kinds(gap: UnpricedReason) -> str:
    """Return SQL of the kinds of a tenant's records with a gap: channel, provider, country.

    Each step reads one entry of `ix_usage_record_unpriced`, the first one after the previous kind.
    """
    return f"""
        WITH RECURSIVE kind AS (
            ({_next(gap, "TRUE")})
             UNION ALL
            SELECT further.* FROM kind, LATERAL ({_next(gap, _BEYOND)}) AS further
        )
        SELECT channel, provider, country FROM kind
    """  # noqa: S608 - no input in it


_BEYOND = "(r.channel, r.provider, r.country) > (kind.channel, kind.provider, kind.country)"


def _next(gap: UnpricedReason, which: str) -> str:
    return f"""
        SELECT r.channel, r.provider, r.country FROM usage_record r
         WHERE r.tenant_id = :tenant_id AND r.state = 'PROVISIONAL' AND r.gap = '{gap}' AND {which}
         ORDER BY r.channel, r.provider, r.country LIMIT 1
    """  # noqa: S608 - no input in it
