from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def forget_sums(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    """They count lists of models among the requests: the task makes them anew from the records."""
    for name in ("UsageRollup", "RolledUp"):
        apps.get_model("gateway", name).objects.all().delete()


class Migration(migrations.Migration):
    dependencies = [
        ("gateway", "0005_health_permission"),
    ]

    operations = [
        migrations.AddField(
            model_name="usagerollup",
            name="lists",
            field=models.PositiveIntegerField(default=0),
        ),
        migrations.RunPython(forget_sums, migrations.RunPython.noop),
    ]
