"""The plans an instance starts with; instance admins change them."""

from django.db import migrations

_PLANS = (
    # id, name, base price, included units, price per further 100k, hard limit, members, retention, rates
    ("hobby", "Developer", 0, 100_000, 0, 100_000, 2, 30, "hobby"),
    ("pro", "Pro", 19_900, 200_000, 400, None, None, 1095, "pro"),
    ("team", "Team", 49_900, 200_000, 400, None, None, 1095, "team"),
    ("enterprise", "Enterprise", 249_900, 10_000_000, 300, None, None, None, "enterprise"),
)


def make(apps, schema_editor):
    Plan = apps.get_model("usage", "Plan")
    for position, row in enumerate(_PLANS):
        id_, name, base, included, price, limit, members, retention, rates = row
        Plan.objects.get_or_create(
            id=id_,
            defaults={
                "name": name, "base_price": base, "included_units": included, "price_per_100k": price,
                "hard_limit_units": limit, "max_members": members, "retention_days": retention,
                "rate_plan": rates, "is_offered": id_ != "enterprise", "position": position,
            },
        )


class Migration(migrations.Migration):
    dependencies = [("usage", "0001_plans_and_budgets")]

    operations = [migrations.RunPython(make, migrations.RunPython.noop)]
