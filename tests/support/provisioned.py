"""What a server makes at start for tests that begin where a client begins: project, key, person."""

from __future__ import annotations

PROJECT_ID = "suite-project"
PUBLIC_KEY = "pk-lf-11111111-1111-4111-8111-111111111111"
SECRET_KEY = "sk-lf-22222222-2222-4222-8222-222222222222"
CREDENTIALS = (PUBLIC_KEY, SECRET_KEY)

ENVIRONMENT = {
    "LITEFUSE_INIT_ORG_ID": "suite",
    "LITEFUSE_INIT_ORG_NAME": "Suite",
    "LITEFUSE_INIT_PROJECT_ID": PROJECT_ID,
    "LITEFUSE_INIT_PROJECT_NAME": "Suite",
    "LITEFUSE_INIT_PROJECT_PUBLIC_KEY": PUBLIC_KEY,
    "LITEFUSE_INIT_PROJECT_SECRET_KEY": SECRET_KEY,
}

EMAIL, PASSWORD = "ann@example.org", "correct horse 7 battery"
PERSON = {
    "LITEFUSE_INIT_USER_EMAIL": EMAIL,
    "LITEFUSE_INIT_USER_NAME": "Ann Example",
    "LITEFUSE_INIT_USER_PASSWORD": PASSWORD,
}
