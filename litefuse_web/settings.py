"""Settings, all from the environment. `docs/configuration.md` lists every name; a test keeps them equal.

Nothing set means embedded: SQLite, chDB in the process, Celery in threads, everything under the data
directory. DATABASE_URL, CLICKHOUSE_URL and REDIS_URL switch to servers.
"""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import urlsplit

import dj_email_url
from environs import Env, EnvValidationError, validate

from apps.tracing.media import address
from litefuse_web.logs import logging_config
from litefuse_web.secret_files import secret
from litefuse_web.version import read_version

env = Env()
BASE_DIR = Path(__file__).resolve().parent.parent
VERSION = read_version(BASE_DIR / "CHANGELOG.md")

# --- where and how -----------------------------------------------------------------------------------
DEBUG = env.bool("LITEFUSE_DEBUG", False)
HOST = env.str("HOST", "127.0.0.1")
PORT = env.int("PORT", 3000, validate=validate.Range(1, 65535))
# Where OpenTelemetry's exporters look by themselves; 0 opens no such port.
OTLP_HTTP_PORT = env.int("LITEFUSE_OTLP_HTTP_PORT", 4318, validate=validate.Range(0, 65535))
OTLP_GRPC_PORT = env.int("LITEFUSE_OTLP_GRPC_PORT", 4317, validate=validate.Range(0, 65535))
DATA_DIR = Path(env.str("LITEFUSE_DATA_DIR", str(BASE_DIR / "data"))).resolve()
PUBLIC_URL = env.str("LITEFUSE_PUBLIC_URL", f"http://localhost:{PORT}").rstrip("/")
PUBLIC_URL_GIVEN = f"http://localhost:{PORT}" != PUBLIC_URL
BASE_PATH = env.str("LITEFUSE_BASE_PATH", "").strip("/")
BASE_PATH = f"/{BASE_PATH}" if BASE_PATH else ""
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", ["*"])
# Addresses or networks of reverse proxies; only their X-Forwarded-For and X-Forwarded-Proto are believed.
TRUSTED_PROXIES: list[str] = env.list("LITEFUSE_TRUSTED_PROXIES", [])
# After SIGTERM readiness says no for this long before the listener closes.
DRAIN_SECONDS = env.float("LITEFUSE_DRAIN_SECONDS", 1.0, validate=validate.Range(0, 2))
LOGGING_CONFIG = "litefuse_web.logs.configure"
LOGGING = logging_config(
    level=env.str(
        "LITEFUSE_LOG_LEVEL", "INFO", validate=validate.OneOf(["DEBUG", "INFO", "WARNING", "ERROR"])
    ),
    form=env.str("LITEFUSE_LOG_FORMAT", "text", validate=validate.OneOf(["text", "json"])),
)

# --- secrets: given, or made once and kept in the data directory ----------------------------------------
SECRET_KEY = env.str("SECRET_KEY", "") or secret(DATA_DIR, "secret_key")
KEY_HASH_SECRET = env.str("KEY_HASH_SECRET", "") or secret(DATA_DIR, "key_hash_secret")
ENCRYPTION_KEY = env.str("ENCRYPTION_KEY", "") or secret(DATA_DIR, "encryption_key")
ADMIN_API_KEY = env.str("ADMIN_API_KEY", "")

# --- stores ---------------------------------------------------------------------------------------------
DATABASE_URL = env.str("DATABASE_URL", "")
CLICKHOUSE_URL = env.str("CLICKHOUSE_URL", "")
REDIS_URL = env.str("REDIS_URL", "")
EMBEDDED_TELEMETRY = not CLICKHOUSE_URL
# Redis is there to connect several processes; without it this process is the only one on its stores.
SEVERAL_PROCESSES = bool(REDIS_URL)

if DATABASE_URL:
    DATABASES = {"default": env.dj_db_url("DATABASE_URL", conn_max_age=60, conn_health_checks=True)}
else:
    DATABASES = {
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": DATA_DIR / "litefuse.sqlite3",
            "CONN_MAX_AGE": None,  # a new one reads the whole schema first
            "OPTIONS": {
                "transaction_mode": "IMMEDIATE",
                "timeout": 20,
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
            },
        }
    }
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

if REDIS_URL:
    # Sockets wait for messages five seconds at a time; the client's own time-out, five seconds too, would
    # end every quiet socket.
    _host = {"address": REDIS_URL, "socket_timeout": 20, "socket_keepalive": True}
    CHANNEL_LAYERS = {
        "default": {"BACKEND": "channels_redis.core.RedisChannelLayer", "CONFIG": {"hosts": [_host]}}
    }
else:
    CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}

if REDIS_URL:  # rate limits must count over all processes, and must not wait for a Redis that is not there
    _redis = {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL}
    _hasty = {"socket_timeout": 0.5, "socket_connect_timeout": 0.5}
    CACHES = {"default": _redis, "limits": _redis | {"KEY_PREFIX": "limits", "OPTIONS": _hasty}}
else:
    _memory = {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
    CACHES = {
        "default": _memory,
        "limits": _memory | {"LOCATION": "limits", "OPTIONS": {"MAX_ENTRIES": 100_000}},
    }

# --- what a request may bring -------------------------------------------------------------------------------
MAX_BODY_BYTES = 1024 * 1024 * env.int("LITEFUSE_MAX_BODY_MB", 32, validate=validate.Range(1, 1024))
MAX_HELD_BYTES = 1024 * 1024 * env.int("LITEFUSE_MAX_HELD_MB", 256, validate=validate.Range(1))

# Plan whose limits hold for organizations that have no plan of their own; unset, nobody is limited.
RATE_LIMIT_PLAN = env.str(
    "LITEFUSE_RATE_LIMIT_PLAN",
    "",
    validate=validate.OneOf(["", "hobby", "core", "pro", "team", "enterprise"]),
)

# Headers that may carry an API key instead of `Authorization`, for collectors that keep that one for a proxy.
KEY_HEADERS = [
    name.strip().lower().replace("_", "-")
    for name in env.list("LITEFUSE_KEY_HEADERS", ["x-litefuse-api-key", "x-api-key", "api-key"])
]

# --- costs ----------------------------------------------------------------------------------------------
# Count the tokens of model calls whose client sent no usage, see docs/cost.md.
ESTIMATE_USAGE = env.bool("LITEFUSE_ESTIMATE_USAGE", True)

# --- images and other files of traces -------------------------------------------------------------------
MAX_MEDIA_BYTES = 1_000_000 * env.int("LITEFUSE_MAX_MEDIA_MB", 1000, validate=validate.Range(1))
EXTRACT_MEDIA = env.bool("LITEFUSE_EXTRACT_MEDIA", False)
try:
    MEDIA_BUCKET = address.parse(env.str("LITEFUSE_MEDIA_URL", ""))
except ValueError as error:
    raise EnvValidationError(f"LITEFUSE_MEDIA_URL makes no sense: {error}.", [str(error)]) from None

# Project that takes what programs on this machine export without credentials.
OTLP_DEFAULT_PROJECT = env.str("LITEFUSE_OTLP_DEFAULT_PROJECT", "")

# --- apps -----------------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "litefuse_web",
    "apps.core",
    "apps.accounts",
    "apps.telemetry",
    "apps.audit",
    "apps.outbox",
    "apps.organizations",
    "apps.pricing",
    "apps.live",
    "apps.prompts",
    "apps.tracing",
    "apps.evaluation",
    "apps.datasets",
    "apps.usage",
    "apps.billing",
    "apps.metrics",
    "apps.ingestion",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "channels",
    "django_htmx",
    "rest_framework",
    "drf_spectacular",
    "csp",
]

MIDDLEWARE = [
    "apps.core.middleware.ApiRequests",
    "django.middleware.security.SecurityMiddleware",
    "apps.core.middleware.StaticFiles",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "apps.core.middleware.ReaderTimeZone",
    "apps.core.middleware.ErrorPages",
]

SPECTACULAR_SETTINGS = {"DISABLE_ERRORS_AND_WARNINGS": True}  # tests/web/test_api_docs.py says what lacks
REST_FRAMEWORK = {"DEFAULT_SCHEMA_CLASS": "apps.core.openapi.Schema"}

ROOT_URLCONF = "litefuse_web.urls"
ASGI_APPLICATION = "litefuse_web.asgi.application"
APPEND_SLASH = False
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
                "apps.organizations.context.shell",
            ],
        },
    },
]

# --- language and time ------------------------------------------------------------------------------------
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("zh-hans", "简体中文")]
LOCALE_PATHS = [BASE_DIR / "locale"]
FORMAT_MODULE_PATH = ["litefuse_web.formats"]
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"

# --- static files -----------------------------------------------------------------------------------------
STATIC_URL = f"{BASE_PATH}/static/"
STATIC_ROOT = None  # nothing is collected: WhiteNoise serves from the source folders
STATICFILES_DIRS = [BASE_DIR / "static"]
WHITENOISE_USE_FINDERS = True
WHITENOISE_IMMUTABLE_FILE_TEST = r"/dist/.+-[0-9A-Z]{8}\.\w+$"  # named by content
if BASE_PATH:
    FORCE_SCRIPT_NAME = BASE_PATH

# --- accounts ---------------------------------------------------------------------------------------------
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_ADAPTER = "apps.accounts.adapter.AccountAdapter"
ACCOUNT_FORMS = {"signup": "apps.accounts.forms.SignupForm"}
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_LOGIN_ON_EMAIL_CONFIRMATION = True
ACCOUNT_SIGNUP_REDIRECT_URL = "organizations:setup"
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "home"
ACCOUNT_LOGOUT_REDIRECT_URL = "account_login"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]
SIGNUP_DISABLED = env.bool("LITEFUSE_SIGNUP_DISABLED", False)
EMAIL_URL = env.str("EMAIL_URL", "")
# Without a mail server nobody could verify an address; with one, everybody must.
ACCOUNT_EMAIL_VERIFICATION = "mandatory" if EMAIL_URL else "none"

# --- headless set-up (organizations/provisioning.py) -----------------------------------------------------
PROVISION = {
    name: env.str(f"LITEFUSE_INIT_{name}", os.environ.get(f"LANGFUSE_INIT_{name}", ""))
    for name in (
        "ORG_ID", "ORG_NAME", "PROJECT_ID", "PROJECT_NAME", "PROJECT_PUBLIC_KEY", "PROJECT_SECRET_KEY",
        "USER_EMAIL", "USER_NAME", "USER_PASSWORD",
    )
}  # fmt: skip

# --- cookies and headers ------------------------------------------------------------------------------------
_https = PUBLIC_URL.startswith("https://")
SESSION_COOKIE_NAME = "litefuse_session"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _https
SESSION_COOKIE_PATH = CSRF_COOKIE_PATH = LANGUAGE_COOKIE_PATH = f"{BASE_PATH}/"
CSRF_TRUSTED_ORIGINS = ["{0.scheme}://{0.netloc}".format(urlsplit(PUBLIC_URL))]
SECURE_HSTS_SECONDS = 30 * 24 * 3600 if _https else 0

# --- mail: stored in the outbox, sent from there through EMAIL_URL (unset: printed to the console) ------
_mail = dj_email_url.parse(EMAIL_URL or "console://")
OUTBOX_EMAIL_BACKEND: str = _mail.pop("EMAIL_BACKEND")
globals().update({name: value for name, value in _mail.items() if name.startswith("EMAIL_")})
EMAIL_BACKEND = "apps.outbox.mail.OutboxBackend"
EMAIL_TIMEOUT = 20
DEFAULT_FROM_EMAIL = SERVER_EMAIL = env.str("LITEFUSE_MAIL_FROM", "Litefuse <noreply@localhost>")

# --- billing --------------------------------------------------------------------------------------------
# Name and address of whoever writes the invoices; `|` parts lines.
BILLING_SELLER = "\n".join(part.strip() for part in env.str("LITEFUSE_BILLING_SELLER", "Litefuse").split("|"))

# Stripe (apps/billing/stripe_billing.py): without a key the built-in ledger is all there is.
STRIPE_SECRET_KEY = env.str("STRIPE_SECRET_KEY", "")
STRIPE_WEBHOOK_SECRET = env.str("STRIPE_WEBHOOK_SECRET", "")
STRIPE_PRO_MONTHLY_PRICE_ID = env.str("STRIPE_PRO_MONTHLY_PRICE_ID", "")
STRIPE_USAGE_PRICE_ID = env.str("STRIPE_USAGE_PRICE_ID", "")
STRIPE_PAID_PLAN = env.str("STRIPE_PAID_PLAN", "pro")
STRIPE_FREE_PLAN = env.str("STRIPE_FREE_PLAN", "hobby")
STRIPE_METER_EVENT = env.str("STRIPE_METER_EVENT", "litefuse_units")
STRIPE_API_URL = env.str("STRIPE_API_URL", "https://api.stripe.com").rstrip("/")

# --- requests that we make to addresses people typed in ---------------------------------------------------
OUTGOING_ALLOW: list[str] = env.list("LITEFUSE_OUTGOING_ALLOW", [])

# --- content security: no inline script or style anywhere -----------------------------------------------
_bucket = [MEDIA_BUCKET.origin] if MEDIA_BUCKET else []  # whose files pages show
# Forms that end at Stripe's own pages.
_stripe = ["https://checkout.stripe.com", "https://billing.stripe.com"] if STRIPE_SECRET_KEY else []
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "img-src": ["'self'", "data:", *_bucket],
        "media-src": ["'self'", *_bucket],
        "object-src": ["'none'"],
        "base-uri": ["'self'"],
        "form-action": ["'self'", *_stripe],
        "frame-ancestors": ["'none'"],
    }
}
