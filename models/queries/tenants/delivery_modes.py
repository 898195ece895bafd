"""Delivery mode of a tenant's new rows."""

from sqlalchemy import ScalarSelect
from sqlmodel import col, select

from models.enums import DeliveryMode
from models.tables.tenant import Tenant


def mode_of(tenant_id: int) -> ScalarSelect[DeliveryMode]:
    """Return the SQL of a tenant's delivery mode, for an INSERT of one of its rows."""
    return select(Tenant.delivery_mode).where(col(Tenant.id) == tenant_id).scalar_subquery()
