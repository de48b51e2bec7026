"""Settings, all from the environment; a fresh clone runs with none set.

Every variable is listed in README.md and .env.example; a test holds the three together.
`NAME_FILE` reads a secret's value from a file.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import environ
from django.core.exceptions import ImproperlyConfigured
from django.core.management.utils import get_random_secret_key

from accounts import keyfile

BASE_DIR = Path(__file__).resolve().parent.parent
environ.Env.read_env(BASE_DIR / ".env")

VARIABLES: set[str] = set()
"""Every variable that is read here."""


def text(name: str, default: str = "") -> str:
    """The variable; an empty one counts as not set."""
    VARIABLES.add(name)
    return os.environ.get(name, "").strip() or default


def secret(name: str) -> str:
    """The variable, or the text of the file that `NAME_FILE` names; "" where neither is set."""
    path = text(f"{name}_FILE")
    value = text(name)
    if not path:
        return value
    if value:
        raise ImproperlyConfigured(f"{name} and {name}_FILE are both set: leave one out.")
    try:
        return Path(path).read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise ImproperlyConfigured(f"{name}_FILE: cannot read {path}: {reason}.") from None


def existing(name: str) -> str:
    """The path of a file; "" where the variable is not set. A wrong path must not lead to new keys beside the old."""
    path = text(name)
    if path and not os.access(path, os.R_OK):
        raise ImproperlyConfigured(f"{name}: cannot read {path}.")
    return path


def whole(name: str, default: int, *, least: int, most: int) -> int:
    """A whole number between `least` and `most`."""
    try:
        value = int(text(name, str(default)))
    except ValueError:
        raise ImproperlyConfigured(f"{name} must be a whole number.") from None
    if not least <= value <= most:
        raise ImproperlyConfigured(f"{name} must be from {least} to {most}.")
    return value


def seconds(name: str, default: float, least: float = 0.0) -> float:
    """A duration in seconds, at least `least`."""
    try:
        value = float(text(name, str(default)))
    except ValueError:
        raise ImproperlyConfigured(f"{name} must be a number of seconds.") from None
    if not least <= value < 86_400:
        raise ImproperlyConfigured(f"{name} must be at least {least:g} and less than a day.")
    return value


def flag(name: str) -> bool:
    """Yes or no; a word that is neither is refused, since a misspelt "true" must not switch something off."""
    value = text(name, "false").lower()
    if value not in {"1", "true", "yes", "on", "0", "false", "no", "off"}:
        raise ImproperlyConfigured(f"{name} must be true or false.")
    return value in {"1", "true", "yes", "on"}


def choice(name: str, *choices: str) -> str:
    """One of `choices`, in lower case; the first is the default."""
    value = text(name, choices[0]).lower()
    if value not in choices:
        raise ImproperlyConfigured(f"{name} must be one of: {', '.join(choices)}.")
    return value


def names(name: str, default: str = "") -> list[str]:
    """A list, separated by commas."""
    return [each.strip() for each in text(name, default).split(",") if each.strip()]


def address(name: str, value: str, *schemes: str) -> str:
    """`value`, checked to begin with one of `schemes` unless it is empty. Not repeated: it may hold a password."""
    if value and not value.startswith(tuple(f"{scheme}://" for scheme in schemes)):
        raise ImproperlyConfigured(f"{name} must begin with {' or '.join(f'{scheme}://' for scheme in schemes)}.")
    return value


def time_zone(name: str, default: str) -> str:
    """A time zone of the system's or Python's list."""
    value = text(name, default)
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ImproperlyConfigured(f"{name} must be a time zone such as Asia/Shanghai.") from None
    return value


def json_object(name: str) -> dict[str, list[str]]:
    """A JSON object of lists of strings; {} where the variable is not set."""
    try:
        value = json.loads(text(name, "{}"))
    except json.JSONDecodeError as error:
        raise ImproperlyConfigured(f"{name} is not JSON: {error}") from None
    good = isinstance(value, dict) and all(
        isinstance(names, list) and all(isinstance(each, str) for each in names) for names in value.values()
    )
    if not good:
        raise ImproperlyConfigured(f'{name} must look like {{"username": ["#login-name"]}}.')
    return dict(value)


# Where things are

DATA_DIR = Path(text("GATEWAY_DATA_DIR", "var")).expanduser()
DATA_DIR = DATA_DIR if DATA_DIR.is_absolute() else BASE_DIR / DATA_DIR
try:
    DATA_DIR.mkdir(parents=True, exist_ok=True, mode=0o700)
except OSError as error:
    raise ImproperlyConfigured(f"GATEWAY_DATA_DIR: cannot make {DATA_DIR}: {error.strerror}.") from None
GATEWAY_HOST = text("GATEWAY_HOST", "127.0.0.1")
GATEWAY_PORT = whole("GATEWAY_PORT", 8000, least=0, most=65_535)

# Secrets

SECRET_KEY = secret("GATEWAY_SECRET_KEY") or keyfile.read_or_create(DATA_DIR / "secret_key", get_random_secret_key)
ENCRYPTION_KEYS = text("GATEWAY_ENCRYPTION_KEYS")
ENCRYPTION_KEYS_FILE = existing("GATEWAY_ENCRYPTION_KEYS_FILE") or str(DATA_DIR / "encryption_keys")

# The school

XIPU_PORTAL_URL = text("XIPU_PORTAL_URL", "https://xipuai.xjtlu.edu.cn/")
XIPU_API_URL = address("XIPU_API_URL", text("XIPU_API_URL"), "https", "http")
XIPU_TRUSTED_HOSTS = names("XIPU_TRUSTED_HOSTS")
XIPU_SCHOOL_DOMAIN = "xjtlu.edu.cn"
XIPU_CALL_INTERVAL_SECONDS = seconds("XIPU_CALL_INTERVAL_SECONDS", 1.0)
XIPU_KEEP_ALIVE_SECONDS = seconds("XIPU_KEEP_ALIVE_SECONDS", 20 * 60, least=1)
XIPU_SELECTORS = json_object("XIPU_SELECTORS")
CHROME_BINARY = text("CHROME_BINARY")
CHROMEDRIVER = text("CHROMEDRIVER")
GATEWAY_BROWSERS = whole("GATEWAY_BROWSERS", 2, least=1, most=32)
LOGIN_TIME_LIMIT_SECONDS = seconds("GATEWAY_LOGIN_TIME_LIMIT_SECONDS", 120, least=5)
INTERACTIVE_LOGIN_SECONDS = 300.0

# What a request may cost

MAX_BODY_BYTES = whole("GATEWAY_MAX_BODY_BYTES", 32 * 1024 * 1024, least=1024, most=1024**3)
DRAIN_SECONDS = seconds("GATEWAY_DRAIN_SECONDS", 30)
TOKEN_WAIT_SECONDS = 60.0
ANSWER_SILENCE_SECONDS = seconds("GATEWAY_ANSWER_SILENCE_SECONDS", 10, least=0.1)

# Django

DEBUG = flag("GATEWAY_DEBUG")
ALLOWED_HOSTS = names("GATEWAY_ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]")
CSRF_TRUSTED_ORIGINS = names("GATEWAY_TRUSTED_ORIGINS")
HTTPS = flag("GATEWAY_HTTPS")
# The API stays outside this: a redirected POST would lose its body.
SECURE_SSL_REDIRECT = HTTPS
# HSTS for subdomains and the browsers' preload list are for the owner of the domain to decide.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SESSION_COOKIE_HTTPONLY = True
X_FRAME_OPTIONS = "DENY"
DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "accounts",
    "tokens",
    "gateway",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "gateway.urls"
ASGI_APPLICATION = "gateway.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]
AUTH_USER_MODEL = "accounts.Member"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("zh-hans", "简体中文")]
TIME_ZONE = time_zone("GATEWAY_TIME_ZONE", "Asia/Shanghai")
USE_TZ = True
STATIC_URL = "static/"
WHITENOISE_USE_FINDERS = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Database

SQLITE_OPTIONS = {
    # DEFERRED transactions gave 2,886 "database is locked" in 3 s of writing from three processes; IMMEDIATE none.
    "transaction_mode": "IMMEDIATE",
    "timeout": 20,
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
}


def database() -> dict[str, Any]:
    """SQLite in the data directory, or what DATABASE_URL names (PostgreSQL with a pool)."""
    url = secret("DATABASE_URL")
    address("DATABASE_URL", url, "postgres", "postgresql", "sqlite")
    try:
        config: dict[str, Any] = environ.Env.db_url_config(url or f"sqlite:///{DATA_DIR / 'gateway.sqlite3'}")
    except ValueError:
        raise ImproperlyConfigured("DATABASE_URL is not an address.") from None
    if config["ENGINE"].endswith("sqlite3"):
        config["OPTIONS"] = SQLITE_OPTIONS
    else:
        # Without a pool, connections of threads that ended stayed open until PostgreSQL refused new ones.
        config["OPTIONS"] = {
            "pool": {"min_size": 0, "max_size": 20, "timeout": 20},
            **config.get("OPTIONS", {}),
        }
    return config


DATABASES = {"default": database()}

# Celery

REDIS_URL = address("REDIS_URL", secret("REDIS_URL"), "redis", "rediss")
CELERY_BROKER_URL = (
    address("CELERY_BROKER_URL", secret("CELERY_BROKER_URL"), "redis", "rediss", "filesystem")
    or REDIS_URL
    or "filesystem://embedded"
)
BROKER_DIR = DATA_DIR / "broker"
if CELERY_BROKER_URL.startswith("filesystem:"):
    CELERY_BROKER_TRANSPORT = "gateway.broker:Transport"
    for folder in ("queue", "control"):
        (BROKER_DIR / folder).mkdir(parents=True, exist_ok=True, mode=0o700)
    CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, Any] = {
        "data_folder_in": str(BROKER_DIR / "queue"),
        "data_folder_out": str(BROKER_DIR / "queue"),
        "control_folder": str(BROKER_DIR / "control"),
        "polling_interval": 0.2,
    }
else:
    # Redis gives a killed worker's tasks to another one after this time; the rows' leases are shorter anyway.
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "visibility_timeout": 300,
        "unacked_restore_interval": 2,
        "unacked_restore_throttle": 1,
    }
CHANNEL_LAYERS: dict[str, Any] = {
    "default": {"BACKEND": "channels_redis.core.RedisChannelLayer", "CONFIG": {"hosts": [REDIS_URL]}}
    if REDIS_URL
    else {"BACKEND": "channels.layers.InMemoryChannelLayer"}
}

# Logs: one JSON line each (or text for people), on standard error; never a secret, a prompt or an answer.

LOG_FORMAT = choice("GATEWAY_LOG_FORMAT", "text", "json")
LOG_LEVEL = choice("GATEWAY_LOG_LEVEL", "info", "debug", "warning", "error").upper()
LOGGING_CONFIG = "gateway.logs.configure"
LOGGING: dict[str, Any] = {"format": LOG_FORMAT, "level": LOG_LEVEL}
