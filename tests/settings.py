"""The program's settings for tests: a data directory that goes away, and cheap password hashes.

DATABASE_URL decides where the relational half runs: nothing is SQLite, postgres://… is PostgreSQL.
"""

import atexit
import os
import shutil
import tempfile

_directory = tempfile.mkdtemp(prefix="litefuse-tests-")  # one a process: xdist workers share nothing
atexit.register(shutil.rmtree, _directory, ignore_errors=True)
for _name in [name for name in os.environ if name.startswith(("LITEFUSE_", "LANGFUSE_"))]:
    if not _name.startswith("LITEFUSE_TEST_"):
        del os.environ[_name]  # the developer's own settings must not change what is tested
os.environ["LITEFUSE_DATA_DIR"] = _directory

from litefuse_web.settings import *  # noqa: E402, F403
from litefuse_web.settings import DATABASE_URL, DATABASES  # noqa: E402

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
if not DATABASE_URL:
    # A file, as in life: an in-memory database has other locks.
    DATABASES["default"]["TEST"] = {"NAME": os.path.join(_directory, "test.sqlite3")}
