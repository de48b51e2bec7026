"""Settings of a test process: a data directory of its own, cheap password hashes, a short interval."""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

# Before the project's settings are read. The servers that a test starts inherit all of it.
if "GATEWAY_DATA_DIR" not in os.environ:
    os.environ["GATEWAY_DATA_DIR"] = tempfile.mkdtemp(prefix="gateway-test-")
    atexit.register(shutil.rmtree, os.environ["GATEWAY_DATA_DIR"], ignore_errors=True)
os.environ.setdefault("XIPU_CALL_INTERVAL_SECONDS", "0.2")
os.environ.setdefault("GATEWAY_LOG_LEVEL", "WARNING")
if redis := os.environ.get("REDIS_URL"):
    os.environ.setdefault("CELERY_BROKER_URL", redis)

from gateway.settings import *  # noqa: F403
from gateway.settings import DATA_DIR, DATABASES

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
TEST_INTERVAL_SECONDS = 0.2
# Each of Django's test clients would go through all files of the pages at its first request.
WHITENOISE_AUTOREFRESH = True
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    # A file: one in memory is not shared among threads without locks.
    DATABASES["default"]["TEST"] = {"NAME": str(Path(DATA_DIR) / "test.sqlite3")}
