"""Settings, all from the environment; a fresh clone runs with none set.

Every variable is listed in README.md and .env.example; a test holds the three together.
`NAME_FILE` reads a secret's value from a file.
"""

from __future__ import annotations

import json
import os
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import environ
from csp.constants import NONCE, NONE, SELF, UNSAFE_EVAL, UNSAFE_INLINE
from django.core.exceptions import ImproperlyConfigured
from django.core.management.utils import get_random_secret_key

from accounts import keyfile
from gateway import __version__

BASE_DIR = Path(__file__).resolve().parent.parent
environ.Env.read_env(BASE_DIR / ".env")

DUMMY_MAIL = "django.core.mail.backends.dummy.EmailBackend"
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


def networks(name: str) -> list[IPv4Network | IPv6Network]:
    """A list of addresses or networks, such as `10.0.0.0/8`."""
    try:
        return [ip_network(each) for each in names(name)]
    except ValueError as error:
        raise ImproperlyConfigured(f"{name}: {error}.") from None


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
GATEWAY_LIVE_BROWSERS = whole("GATEWAY_LIVE_BROWSERS", 1, least=1, most=8)
XIPU_SIGN_ON_HOSTS = names("XIPU_SIGN_ON_HOSTS")

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

# Where members find the gateway, for links in mails and on the console; else what the request says.
PUBLIC_URL = address("GATEWAY_PUBLIC_URL", text("GATEWAY_PUBLIC_URL"), "https", "http").rstrip("/")
# Where workers reach the web process; else the address on which it listens.
INTERNAL_URL = address("GATEWAY_INTERNAL_URL", text("GATEWAY_INTERNAL_URL"), "https", "http").rstrip("/")
TRUSTED_PROXIES = networks("GATEWAY_TRUSTED_PROXIES")

INSTALLED_APPS = [
    "unfold",
    "unfold.contrib.filters",
    "unfold.contrib.forms",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "axes",
    "csp",
    "django_htmx",
    "django_otp",
    "accounts",
    "tokens",
    "gateway",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "gateway.middleware.looser_policy",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "gateway.middleware.permissions_policy",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_otp.middleware.OTPMiddleware",
    "gateway.middleware.no_copies",
    "gateway.middleware.member_time_zone",
    "gateway.dashboard.guard.SecondFactorGuard",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "axes.middleware.AxesMiddleware",
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
                "csp.context_processors.nonce",
            ],
        },
    },
]
AUTH_USER_MODEL = "accounts.Member"
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
LOGIN_URL = "dashboard:sign_in"
LOGIN_REDIRECT_URL = "dashboard:overview"
LOGOUT_REDIRECT_URL = "dashboard:sign_in"
STAFF_SECOND_FACTOR = flag("GATEWAY_STAFF_SECOND_FACTOR")
# Guessing: how it is counted, and who is let in all the same, stands in the handler's module.
AXES_HANDLER = "gateway.dashboard.sign_in_lock.Handler"
AXES_FAILURE_LIMIT = 8
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"], "ip_address", "username"]
AXES_CLIENT_IP_CALLABLE = "gateway.addresses.client_network"
AXES_RESET_ON_SUCCESS = True
AXES_LOCKOUT_CALLABLE = "gateway.dashboard.sign_in.locked_out"
AXES_ENABLE_ADMIN = False
AXES_VERBOSE = False
# It would keep a row for each sign-in for ever.
AXES_DISABLE_ACCESS_LOG = True
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
LOCALE_PATHS = [BASE_DIR / "gateway" / "locale"]
LANGUAGE_COOKIE_AGE = 365 * 86_400
LANGUAGE_COOKIE_SAMESITE = "Lax"
TIME_ZONE = time_zone("GATEWAY_TIME_ZONE", "Asia/Shanghai")
USE_TZ = True
STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "gateway.page_files.PageFiles"},
}
# Plain names are found where the files lie; of what was collected only the names with a hash are asked for.
WHITENOISE_USE_FINDERS = True
WHITENOISE_KEEP_ONLY_HASHED_FILES = True
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
            # Else the planner takes indices for slow disks' and reads half of the usage records in the order of time.
            "options": "-c random_page_cost=1.1",
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
    "default": {
        "BACKEND": "channels_redis.core.RedisChannelLayer",
        "CONFIG": {
            # With a timeout redis-py writes within `asyncio.wait_for`, which on Python 3.11 can swallow a cancellation
            # (python/cpython#86296): a consumer would outlive its page. A dead Redis is noticed by TCP.
            "hosts": [{"address": REDIS_URL, "socket_timeout": None, "socket_keepalive": True}],
            # What a member sees and types in a live login passes through here.
            "symmetric_encryption_keys": [SECRET_KEY],
            # Seconds. Pictures that a process left unread when it died are of no use, and large.
            "expiry": 10,
        },
    }
    if REDIS_URL
    else {"BACKEND": "channels.layers.InMemoryChannelLayer"}
}

# What the pages may load: nothing from elsewhere, and no script that is not ours.

CONTENT_SECURITY_POLICY: dict[str, Any] = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF, NONCE],
        "style-src": [SELF],
        "img-src": [SELF, "data:", "blob:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
        "manifest-src": [SELF],
    }
}
# Unfold's Alpine evaluates its attributes, and its templates carry styles; the API's documentation does the latter.
ADMIN_POLICY = {"script-src": [SELF, NONCE, UNSAFE_EVAL], "style-src": [SELF, UNSAFE_INLINE]}
DOCS_POLICY = {"style-src": [SELF, UNSAFE_INLINE]}

# Mail: none is sent where no server is named.

EMAIL_URL = address(
    "GATEWAY_EMAIL_URL", secret("GATEWAY_EMAIL_URL"), "smtp", "smtps", "smtp+tls", "smtp+ssl", "filemail"
)
EMAIL = environ.Env.email_url_config(EMAIL_URL) if EMAIL_URL else {"EMAIL_BACKEND": DUMMY_MAIL}
EMAIL_BACKEND = EMAIL["EMAIL_BACKEND"]
EMAIL_HOST = EMAIL.get("EMAIL_HOST", "")
EMAIL_PORT = EMAIL.get("EMAIL_PORT") or 25
EMAIL_HOST_USER = EMAIL.get("EMAIL_HOST_USER") or ""
EMAIL_HOST_PASSWORD = EMAIL.get("EMAIL_HOST_PASSWORD") or ""
EMAIL_USE_TLS = bool(EMAIL.get("EMAIL_USE_TLS"))
EMAIL_USE_SSL = bool(EMAIL.get("EMAIL_USE_SSL"))
EMAIL_FILE_PATH = EMAIL.get("EMAIL_FILE_PATH") or None
EMAIL_TIMEOUT = 20
DEFAULT_FROM_EMAIL = SERVER_EMAIL = text("GATEWAY_EMAIL_FROM", "XIPU Gateway <gateway@localhost>")

# The management API

REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_SCHEMA_CLASS": "gateway.rest.openapi.PermissionSchema",
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "gateway.rest.authentication.KeyAuthentication",
        "gateway.rest.authentication.PageAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_THROTTLE_CLASSES": ["gateway.rest.throttles.MemberThrottle"],
    "EXCEPTION_HANDLER": "gateway.rest.errors.answer",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}
SPECTACULAR_SETTINGS: dict[str, Any] = {
    "TITLE": "XIPU Gateway: management API",
    "DESCRIPTION": (
        "Read your keys, usage and account, and change keys. Sign in with the session of the dashboard, or with "
        "`Authorization: Bearer xg-…`, where “Management API” is switched on for the key. Times are ISO 8601; lists "
        "are read page by page through `next`. The OpenAI-compatible API under `/v1` is not part of this."
    ),
    "VERSION": __version__,
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.IsAuthenticated"],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "SCHEMA_PATH_PREFIX": "/api/",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_NAME_OVERRIDES": {
        "AccountState": "tokens.states.State",
        "RequestStatus": "gateway.models.UsageStatus",
        "KeyState": ["live", "expired", "revoked"],
        "ComponentState": ["good", "warn", "bad", "quiet"],
        "HealthState": ["good", "warn", "bad"],
    },
    "TAGS": [
        {"name": "me", "description": "Who asks, and how their XJTLU account is."},
        {"name": "keys", "description": "API keys. The text of a key is in the one answer that creates it."},
        {"name": "usage", "description": "Requests, and sums of them."},
        {"name": "accounts", "description": "Staff only: every member's XJTLU account."},
        {"name": "health", "description": "Staff only: how the parts of the installation are."},
    ],
    "POSTPROCESSING_HOOKS": ["drf_spectacular.hooks.postprocess_schema_enums", "gateway.rest.openapi.with_errors"],
}

# The admin's theme

UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "XIPU Gateway",
    "SITE_HEADER": "XIPU Gateway",
    "SITE_URL": "/dashboard/",
    "SITE_SYMBOL": "hub",
    "SHOW_LANGUAGES": True,
    "SHOW_HISTORY": True,
    "BORDER_RADIUS": "8px",
    "SIDEBAR": {"navigation": "gateway.admin.menu.navigation"},
    "ACCOUNT": {"navigation": "gateway.admin.menu.account_links"},
    "DASHBOARD_CALLBACK": "gateway.admin.front.front",
    "COLORS": {
        "base": {
            "50": "#f7f8fa",
            "100": "#eff1f4",
            "200": "#dfe3e8",
            "300": "#c6ccd5",
            "400": "#8b95a3",
            "500": "#667080",
            "600": "#4d5665",
            "700": "#39414e",
            "800": "#1f2530",
            "900": "#141921",
            "950": "#0c1017",
        },
        "primary": {
            "50": "#eef4ff",
            "100": "#dbe6fe",
            "200": "#bfd3fe",
            "300": "#93b4fd",
            "400": "#6090fa",
            "500": "#3b6cf0",
            "600": "#2754d8",
            "700": "#2044b0",
            "800": "#203c8e",
            "900": "#1f3671",
            "950": "#172245",
        },
    },
}

# Logs: one JSON line each (or text for people), on standard error; never a secret, a prompt or an answer.

LOG_FORMAT = choice("GATEWAY_LOG_FORMAT", "text", "json")
LOG_LEVEL = choice("GATEWAY_LOG_LEVEL", "info", "debug", "warning", "error").upper()
LOGGING_CONFIG = "gateway.logs.configure"
LOGGING: dict[str, Any] = {"format": LOG_FORMAT, "level": LOG_LEVEL}
