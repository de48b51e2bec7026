"""Settings, all from the environment; a fresh clone runs with none set.

Every variable is listed in README.md and .env.example; a test holds the three together.
`NAME_FILE` reads a secret's value from a file.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured
from django.core.management.utils import get_random_secret_key

from accounts import keyfile

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()
environ.Env.read_env(BASE_DIR / ".env")


def secret(name: str) -> str:
    """The variable, or the text of the file that `NAME_FILE` names; "" where neither is set."""
    path: str = env.str(f"{name}_FILE", default="")
    if not path:
        return str(env.str(name, default=""))
    try:
        return Path(path).read_text().strip()
    except OSError as error:
        raise ImproperlyConfigured(f"{name}_FILE: cannot read {path}: {error.strerror}") from None


def seconds(name: str, default: float, least: float = 0.0) -> float:
    """A duration in seconds, at least `least`."""
    try:
        value = float(env.str(name, default=str(default)))
    except ValueError:
        raise ImproperlyConfigured(f"{name} must be a number of seconds.") from None
    if not least <= value < 86_400:
        raise ImproperlyConfigured(f"{name} must be at least {least:g} and less than a day.")
    return value


def json_object(name: str) -> dict[str, list[str]]:
    """A JSON object of lists of strings; {} where the variable is not set."""
    try:
        value = json.loads(env.str(name, default="") or "{}")
    except json.JSONDecodeError as error:
        raise ImproperlyConfigured(f"{name} is not JSON: {error}") from None
    good = isinstance(value, dict) and all(
        isinstance(names, list) and all(isinstance(each, str) for each in names) for names in value.values()
    )
    if not good:
        raise ImproperlyConfigured(f'{name} must look like {{"username": ["#login-name"]}}.')
    return dict(value)


# Where things are

DATA_DIR = Path(env.str("GATEWAY_DATA_DIR", default="") or "var")
DATA_DIR = DATA_DIR if DATA_DIR.is_absolute() else BASE_DIR / DATA_DIR
DATA_DIR.mkdir(parents=True, exist_ok=True, mode=0o700)
GATEWAY_HOST: str = env.str("GATEWAY_HOST", default="127.0.0.1")
GATEWAY_PORT: int = env.int("GATEWAY_PORT", default=8000)

# Secrets

SECRET_KEY = secret("GATEWAY_SECRET_KEY") or keyfile.read_or_create(DATA_DIR / "secret_key", get_random_secret_key)
ENCRYPTION_KEYS: str = env.str("GATEWAY_ENCRYPTION_KEYS", default="")
ENCRYPTION_KEYS_FILE = env.str("GATEWAY_ENCRYPTION_KEYS_FILE", default="") or str(DATA_DIR / "encryption_keys")

# The school

XIPU_PORTAL_URL: str = env.str("XIPU_PORTAL_URL", default="https://xipuai.xjtlu.edu.cn/")
XIPU_API_URL: str = env.str("XIPU_API_URL", default="")
XIPU_TRUSTED_HOSTS: list[str] = env.list("XIPU_TRUSTED_HOSTS", default=[])
XIPU_SCHOOL_DOMAIN = "xjtlu.edu.cn"
XIPU_CALL_INTERVAL_SECONDS = seconds("XIPU_CALL_INTERVAL_SECONDS", 1.0)
XIPU_KEEP_ALIVE_SECONDS = seconds("XIPU_KEEP_ALIVE_SECONDS", 20 * 60, least=1)
XIPU_SELECTORS = json_object("XIPU_SELECTORS")
CHROME_BINARY: str = env.str("CHROME_BINARY", default="")
CHROMEDRIVER: str = env.str("CHROMEDRIVER", default="")
GATEWAY_BROWSERS: int = env.int("GATEWAY_BROWSERS", default=2)
LOGIN_TIME_LIMIT_SECONDS = seconds("GATEWAY_LOGIN_TIME_LIMIT_SECONDS", 120, least=5)
INTERACTIVE_LOGIN_SECONDS = 300.0

# What a request may cost

MAX_BODY_BYTES: int = env.int("GATEWAY_MAX_BODY_BYTES", default=32 * 1024 * 1024)
DRAIN_SECONDS = seconds("GATEWAY_DRAIN_SECONDS", 30)
TOKEN_WAIT_SECONDS = 60.0
ANSWER_SILENCE_SECONDS = 10.0

# Django

DEBUG: bool = env.bool("GATEWAY_DEBUG", default=False)
ALLOWED_HOSTS: list[str] = env.list("GATEWAY_ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS: list[str] = env.list("GATEWAY_TRUSTED_ORIGINS", default=[])
HTTPS: bool = env.bool("GATEWAY_HTTPS", default=False)
SECURE_SSL_REDIRECT = False
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
TIME_ZONE: str = env.str("GATEWAY_TIME_ZONE", default="Asia/Shanghai")
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
    config: dict[str, Any] = env.db_url_config(url or f"sqlite:///{DATA_DIR / 'gateway.sqlite3'}")
    if config["ENGINE"].endswith("sqlite3"):
        config["OPTIONS"] = SQLITE_OPTIONS
    elif config["ENGINE"].endswith("postgresql"):
        # Without a pool, connections of threads that ended stayed open until PostgreSQL refused new ones.
        config["OPTIONS"] = {
            "pool": {"min_size": 0, "max_size": 20, "timeout": 20},
            **config.get("OPTIONS", {}),
        }
    else:
        raise ImproperlyConfigured("DATABASE_URL must be a postgres:// or sqlite:// address.")
    return config


DATABASES = {"default": database()}

# Celery

REDIS_URL = secret("REDIS_URL")
CELERY_BROKER_URL = secret("CELERY_BROKER_URL") or REDIS_URL or "filesystem://"
BROKER_DIR = DATA_DIR / "broker"
if CELERY_BROKER_URL.startswith("filesystem:"):
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

LOG_FORMAT: str = env.str("GATEWAY_LOG_FORMAT", default="text")
LOG_LEVEL: str = env.str("GATEWAY_LOG_LEVEL", default="INFO").upper()
LOGGING_CONFIG = "gateway.logs.configure"
LOGGING: dict[str, Any] = {"format": LOG_FORMAT, "level": LOG_LEVEL}
