from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

SUMS = (
    *("requests", "failed", "cancelled", "lost", "lists"),
    *("prompt_tokens", "completion_tokens", "estimated_tokens", "counted"),
    *("first_token_ms", "first_tokens"),
)


def forget(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    apps.get_model("gateway", "UsageRollup").objects.filter(period="all").delete()


def add_up(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    """The hours that are there already, by model alone."""
    forget(apps, editor)
    rollup = apps.get_model("gateway", "UsageRollup").objects
    hours = rollup.filter(period="hour").order_by().values("start", "model")
    rows = hours.annotate(**{f"sum_{name}": models.Sum(name) for name in SUMS})
    rollup.bulk_create(
        [
            rollup.model(
                period="all", start=row["start"], model=row["model"], **{name: row[f"sum_{name}"] for name in SUMS}
            )
            for row in rows
        ],
        batch_size=500,
    )


class Migration(migrations.Migration):
    dependencies = [
        ("gateway", "0009_sessions_of_others"),
    ]

    operations = [
        migrations.AlterField(
            model_name="usagerollup",
            name="period",
            field=models.CharField(
                choices=[("hour", "hour"), ("day", "day"), ("all", "everybody's hour")], max_length=4
            ),
        ),
        migrations.RunPython(add_up, forget),
    ]
