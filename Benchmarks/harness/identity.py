"""An access token like those that `users` issues (RFC 7519, HS256), for the gateway and for orders."""

import base64
import hashlib
import hmac
import json
import time
import uuid

USER = "8a6e0804-2bd0-4672-b79d-d97027f9071a"
LIFETIME_SECONDS = 24 * 3600


def _encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def token(secret):
    now = int(time.time())
    header = _encode(b'{"alg":"HS256","typ":"JWT"}')
    payload = {
        "iss": "vitrine", "aud": "vitrine", "sub": USER, "exp": now + LIFETIME_SECONDS, "nbf": now, "iat": now,
        "jti": str(uuid.uuid4()), "name": "bench", "roles": ["customer"],
    }
    signed = header + "." + _encode(json.dumps(payload, separators=(",", ":")).encode())
    signature = hmac.new(secret.encode(), signed.encode(), hashlib.sha256).digest()
    return signed + "." + _encode(signature)
