"""Calendar months and days of billing, always in UTC."""

from datetime import UTC, date, datetime


def month_of(moment: datetime) -> str:
    """Return the month a moment belongs to, as YYYY-MM."""
    return moment.astimezone(UTC).strftime("%Y-%m")


def first_day(month: str) -> date:
    """Return the first day of a month given as YYYY-MM."""
    return date.fromisoformat(f"{month}-01")


def day_of(moment: datetime) -> date:
    """Return the UTC day a moment belongs to."""
    return moment.astimezone(UTC).date()
