"""How the database came to its shape: one file a change, run in order."""

from migrations.schema import check, downgrade, upgrade

__all__ = ["check", "downgrade", "upgrade"]
