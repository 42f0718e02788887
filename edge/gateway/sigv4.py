"""AWS Signature Version 4 as S3 and stores like it take it: signed headers, and presigned addresses."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote, urlsplit

ALGORITHM = "AWS4-HMAC-SHA256"
UNSIGNED = "UNSIGNED-PAYLOAD"


@dataclass(frozen=True)
class Signing:
    """Who signs, and for which region and service."""

    access_key: str
    secret: str
    region: str
    service: str = "s3"

    def scope(self, at: datetime) -> str:
        return f"{at:%Y%m%d}/{self.region}/{self.service}/aws4_request"

    def key(self, at: datetime) -> bytes:
        key = f"AWS4{self.secret}".encode()
        for part in (f"{at:%Y%m%d}", self.region, self.service, "aws4_request"):
            key = hmac.digest(key, part.encode(), "sha256")
        return key


def presign(signing: Signing, method: str, url: str, query: Mapping[str, str], at: datetime, expires_s: int) -> str:
    """`url` (scheme, host and path as they are to be sent) with `query` and a signature good for `expires_s` from `at`.

    The body is not signed, and of the headers the host alone.
    """
    parts = urlsplit(url)
    whole = {
        **query,
        "X-Amz-Algorithm": ALGORITHM,
        "X-Amz-Credential": f"{signing.access_key}/{signing.scope(at)}",
        "X-Amz-Date": f"{at:%Y%m%dT%H%M%SZ}",
        "X-Amz-Expires": str(expires_s),
        "X-Amz-SignedHeaders": "host",
    }
    signed = signature(signing, method, parts.path, whole, {"host": parts.netloc}, UNSIGNED, at)
    return f"{parts.scheme}://{parts.netloc}{parts.path}?{_query(whole)}&X-Amz-Signature={signed}"


def signature(
    signing: Signing,
    method: str,
    path: str,
    query: Mapping[str, str],
    headers: Mapping[str, str],
    payload_sha256: str,
    at: datetime,
) -> str:
    """Hex signature over a request; `path` is encoded already, names of `headers` are in lower case."""
    lines = "".join(f"{name}:{headers[name].strip()}\n" for name in sorted(headers))
    canonical = "\n".join((method, path, _query(query), lines, ";".join(sorted(headers)), payload_sha256))
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    message = f"{ALGORITHM}\n{at:%Y%m%dT%H%M%SZ}\n{signing.scope(at)}\n{digest}"
    return hmac.digest(signing.key(at), message.encode(), "sha256").hex()


def _query(query: Mapping[str, str]) -> str:
    pairs = sorted((quote(name, safe="-_.~"), quote(text, safe="-_.~")) for name, text in query.items())
    return "&".join(f"{name}={text}" for name, text in pairs)
