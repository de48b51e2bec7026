"""The admin's site, what its pages share, and the pages of the gateway's own rows."""

from gateway.admin import rows  # noqa: F401  registers them
