"""Bybit's signatures. Pure: times come in."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping

from litehedge.venues.keys import Keys

RECV_WINDOW_MS = 5000
"""How late a request may arrive; Bybit takes none that is more than a second early."""


def sign(keys: Keys, text: str) -> str:
    """Return the HMAC-SHA256 of a text, in hex."""
    return hmac.new(keys.secret.encode(), text.encode(), hashlib.sha256).hexdigest()


def headers(keys: Keys, now_ms: int, payload: str) -> Mapping[str, str]:
    """Return the headers of a signed request.

    Parameters
    ----------
    payload
        The query of a GET or the body of a POST, exactly as it goes on the wire.
    """
    window = str(RECV_WINDOW_MS)
    return {
        "X-BAPI-API-KEY": keys.key,
        "X-BAPI-TIMESTAMP": str(now_ms),
        "X-BAPI-RECV-WINDOW": window,
        "X-BAPI-SIGN": sign(keys, f"{now_ms}{keys.key}{window}{payload}"),
        "Content-Type": "application/json",
    }


def login(keys: Keys, now_ms: int, request_id: str = "") -> dict[str, object]:
    """Return the message that logs a private or a trading socket in."""
    expires_ms = now_ms + 10_000
    signature = sign(keys, f"GET/realtime{expires_ms}")
    message: dict[str, object] = {"op": "auth", "args": [keys.key, expires_ms, signature]}
    return message | ({"reqId": request_id} if request_id else {})
