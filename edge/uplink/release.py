"""Asking the gateway for the second share of a bank, when a session that needs it is near."""

from __future__ import annotations

import base64
import hashlib
import sqlite3

from cryptography.exceptions import InvalidTag

from edge.config import Paths
from edge.errors import ExamroomError, Unavailable, VerificationFailed
from edge.store import ledger, sessions, unlocks
from edge.store.db import transaction
from edge.trust import shares
from edge.trust.enrolment import Identity
from edge.trust.protocol import ReleaseRequest, open_release, release_info
from edge.trust.seal import BundleManifest, read_manifest
from edge.uplink.client import GatewayClient

LATEST_MS = 24 * 3_600_000
STATES = ("planned", "checkin", "running")


def fetch_releases(
    connection: sqlite3.Connection,
    client: GatewayClient,
    identity: Identity,
    paths: Paths,
    early_ms: int,
    refused: dict[tuple[str, str, int], str],
) -> str | None:
    """Unlock what may be unlocked by now; the first refusal's code, or None. Raises what the line raises.

    `refused` remembers what was refused and why, so that the ledger says it once.
    """
    first = None
    for session in sessions.all_sessions(connection, *STATES):
        if not session.planned_ms - early_ms <= client.now_ms() <= session.planned_ms + LATEST_MS:
            continue
        for file, name, version in (
            (session.bank_file, session.bank_id, session.bank_version),
            (session.local_bank_file, session.local_bank_id, session.local_bank_version),
        ):
            if file is None or name is None or version is None or unlocks.key(name, version) in session.unlocked:
                continue
            try:
                manifest = _manifest(paths, file, identity)
                if manifest is None or manifest.release is None or "gateway" not in manifest.release.ways:
                    continue
                _take(connection, client, identity, session.id, manifest, manifest.release)
            except Unavailable:
                raise
            except ExamroomError as error:
                first = first or error.code
                if refused.get((session.id, name, version)) != error.code:
                    refused[session.id, name, version] = error.code
                    body = {"bank": name, "version": version, "reason": error.code, "way": "gateway"}
                    with transaction(connection):
                        ledger.append(connection, "bank_unlock_refused", body, session=session.id)
    return first


def _manifest(paths: Paths, file: str, identity: Identity) -> BundleManifest | None:
    try:
        return read_manifest((paths.bundles / file).read_bytes(), [identity.root_public])
    except OSError:
        return None  # the sample, or a bank that has not come yet


def _take(
    connection: sqlite3.Connection,
    client: GatewayClient,
    identity: Identity,
    session: str,
    manifest: BundleManifest,
    release: shares.Release,
) -> None:
    if identity.gateway is None:
        raise Unavailable("gateway_unset")
    name, version, certificate = manifest.name, manifest.version, identity.certificate
    envelope = client.release(ReleaseRequest(name=name, version=version, session=session)).encode()
    grant = open_release(envelope, identity.gateway.public)
    said = (grant.room, grant.epoch, grant.name, grant.version, grant.session)
    if said != (certificate.room, certificate.epoch, name, version, session):
        raise VerificationFailed("unlock_share_wrong", name=name)
    try:
        info = release_info(certificate.room, certificate.epoch, name, version)
        share = identity.keys.seal.unwrap(base64.b64decode(grant.share), info)
    except (InvalidTag, ValueError) as error:
        raise VerificationFailed("unlock_share_wrong", name=name) from error
    share = shares.check_share(release, manifest.content, share)
    sealed = identity.keys.data.encrypt(share, unlocks.context(session, name, version))
    with transaction(connection):
        facts = {"way": "gateway", "release_sha256": hashlib.sha256(envelope).hexdigest()}
        unlocks.keep(connection, session, name, version, sealed, facts)
