"""The gateway."""

from datetime import UTC, datetime
from typing import Final

__version__: Final = "0.1.0"
STARTED_AT: Final = datetime.now(UTC)
"""Since when this process runs."""
