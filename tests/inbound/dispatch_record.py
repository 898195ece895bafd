"""Triggers that record attempts, consents and texts in commit order."""

from models.session import Database

_RECORDED = {
    "attempt": "SELECT 'ATTEMPT', COALESCE(m.merchant_id, 0), m.channel, recipient.contact,"
    " m.operation FROM message m, LATERAL (SELECT m.contact_key AS contact UNION ALL"
    " SELECT contact_key FROM message_recipient r"
    "  WHERE r.tenant_id = m.tenant_id AND r.message_id = m.id) recipient"
    " WHERE m.tenant_id = NEW.tenant_id AND m.id = NEW.message_id",
    "consent_change": "SELECT 'CONSENT', NEW.merchant_id, NEW.channel, NEW.contact_key, NEW.status",
    "inbound_message": "SELECT 'TEXT', 0::bigint, 'SMS', NEW.contact_key, NEW.kind",
}
"""Recorded fields of a new row: kind, merchant (0: the tenant), channel, contact, status."""


async def record_dispatches(database: Database) -> None:
    """Record rows at their commit."""
    async with database.transaction() as db:
        run = (await db.connection()).exec_driver_sql
        await run(
            "CREATE TABLE dispatch_record (seq bigint GENERATED ALWAYS AS IDENTITY, tx xid8,"
            " tenant_id bigint, kind text, merchant_id bigint, channel text, contact text,"
            " word text)"
        )
        for table, facts in _RECORDED.items():
            await run(
                f"CREATE FUNCTION saw_{table}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
                " INSERT INTO dispatch_record"
                " (tx, tenant_id, kind, merchant_id, channel, contact, word)"
                " SELECT pg_current_xact_id(), NEW.tenant_id, seen.*"
                f" FROM ({facts}) seen; RETURN NULL; END $$"
            )
            await run(
                f"CREATE CONSTRAINT TRIGGER saw AFTER INSERT ON {table}"
                f" DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION saw_{table}()"
            )
