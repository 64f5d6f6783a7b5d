"""A program whose secret key is wrong. Prints one line of JSON: what the SDK made of it."""

import json

from langfuse import get_client

try:
    told = get_client().auth_check()
except Exception as error:
    told = type(error).__name__
print(json.dumps({"auth_check": told}))
