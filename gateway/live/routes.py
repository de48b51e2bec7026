"""Which WebSocket answers at which path."""

from __future__ import annotations

from channels.auth import AuthMiddlewareStack
from channels.routing import URLRouter
from channels.security.websocket import WebsocketDenier
from django.urls import path, re_path

from gateway.live.relay import BrowserConsumer, ViewerConsumer
from gateway.live.watching import ProgressConsumer

websockets = URLRouter(
    [
        path("dashboard/ws/logins/<uuid:account_id>/", AuthMiddlewareStack(ProgressConsumer.as_asgi())),
        path("dashboard/ws/live/<uuid:attempt_id>/", AuthMiddlewareStack(ViewerConsumer.as_asgi())),
        path("dashboard/ws/browsers/<uuid:attempt_id>/", BrowserConsumer.as_asgi()),
        re_path("", WebsocketDenier.as_asgi()),
    ]
)
