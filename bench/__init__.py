"""Figures, not verdicts: what this system does in a second, beside what Temporal alone does."""
