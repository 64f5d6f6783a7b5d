"""Triggers that keep the ledger and issued invoices as they are, whoever talks to the database.

SQLite loses the triggers of a table that a migration alters, because Django then builds it anew: such a
migration ends with `install` too.
"""

from __future__ import annotations

from typing import Final

from django.db.backends.base.base import BaseDatabaseWrapper

_FIXED: Final = (
    "number, organization_id, currency, period_start, period_end, lines, total, bill_to, seller, issued_at,"
    " due_on"
)
# Name of a trigger, when it fires, for which rows, and what it says.
_TRIGGERS: Final = (
    ("billing_entry_kept", "UPDATE ON billing_entry", "", "the ledger cannot be changed"),
    ("billing_entry_stays", "DELETE ON billing_entry", "", "the ledger cannot be shortened"),
    ("billing_invoice_stays", "DELETE ON billing_invoice", "", "invoices cannot be deleted"),
    (
        "billing_invoice_kept",
        f"UPDATE OF {_FIXED} ON billing_invoice",
        "",
        "an issued invoice cannot be changed",
    ),
    (
        "billing_invoice_settled",
        "UPDATE ON billing_invoice",
        "WHEN (OLD.state <> 'issued')",
        "a paid or void invoice cannot be changed",
    ),
)


def install(connection: BaseDatabaseWrapper) -> None:
    """Make the triggers, again if need be."""
    remove(connection)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(
                "CREATE OR REPLACE FUNCTION billing_refuse() RETURNS trigger LANGUAGE plpgsql AS"
                " $$ BEGIN RAISE EXCEPTION '%%', TG_ARGV[0] USING ERRCODE = 'integrity_constraint_violation';"
                " END $$",
                [],
            )
        for name, event, when, text in _TRIGGERS:
            if connection.vendor == "postgresql":
                does = f"FOR EACH ROW {when} EXECUTE FUNCTION billing_refuse('{text}')"
            else:
                does = f"FOR EACH ROW {when} BEGIN SELECT RAISE(ABORT, '{text}'); END"
            cursor.execute(f"CREATE TRIGGER {name} BEFORE {event} {does}")


def remove(connection: BaseDatabaseWrapper) -> None:
    """Take the triggers away: for migrations back, and for tests that empty tables."""
    with connection.cursor() as cursor:
        for name, event, _when, _text in _TRIGGERS:
            on = f" ON {event.split()[-1]}" if connection.vendor == "postgresql" else ""
            cursor.execute(f"DROP TRIGGER IF EXISTS {name}{on}")
