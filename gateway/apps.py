from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class GatewayConfig(AppConfig):
    name = "gateway"
    verbose_name = _("Gateway")

    def ready(self) -> None:
        from gateway import (
            celery,  # noqa: F401  makes it the application of each process: tasks are sent by all of them
            checks,  # noqa: F401  registers the system checks
        )
