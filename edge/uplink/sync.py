"""Fetching banks, rosters and policies: resumed, verified against the province's root, never an older one for a newer.

The files stay sealed on disk. What is refused is told once and not fetched again until the gateway lists another.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from edge.config import Paths
from edge.domain.reasons import words
from edge.errors import BadInput, Conflict, ExamroomError, Refused, Unavailable
from edge.store import bundles, ledger
from edge.store.db import transaction
from edge.trust.enrolment import Identity
from edge.trust.protocol import BundleItem
from edge.trust.seal import BundleManifest, read_manifest
from edge.uplink.client import GatewayClient
from edge.why import why

_HEADROOM = 64 * 1024 * 1024
# a roster is no use before its policy and bank
_ORDER = ("policy", "bank", "roster")


@dataclass
class Sync:
    """What one process remembers between rounds: refusals by the SHA-256 of what was refused, with their code."""

    refused: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Synced:
    """What a round came to: bundles taken, and (kind, name, version, code) of those that were not."""

    taken: list[tuple[str, str, int]]
    refused: list[tuple[str, str, int, str]]


def sync_bundles(
    connection: sqlite3.Connection, client: GatewayClient, identity: Identity, paths: Paths, memory: Sync
) -> Synced:
    """Fetch what the gateway lists and we lack. Raises what the line raises; a wrong bundle is refused by itself."""
    listed = client.bundles().bundles
    _clear_parts(paths, {item.sha256 for item in listed})
    taken: list[tuple[str, str, int]] = []
    refused: list[tuple[str, str, int, str]] = []
    for item in sorted(listed, key=lambda one: (_ORDER.index(one.kind), one.name, one.version)):
        key = (item.kind, item.name, item.version)
        if item.sha256 in memory.refused:
            refused.append((*key, memory.refused[item.sha256]))
            continue
        try:
            if _wanted(connection, paths, item, listed):
                _take(connection, client, identity, paths, item)
                taken.append(key)
        except Unavailable:
            raise
        except OSError as error:
            raise Unavailable("bundle_storage", name=item.name, detail=why(error)) from error
        except ExamroomError as error:
            memory.refused[item.sha256] = error.code
            refused.append((*key, error.code))
            body = {"kind": item.kind, "name": item.name, "version": item.version, "reason": error.code}
            with transaction(connection):
                ledger.append(connection, "bundle_refused", body)
                bundles.set_unfit(connection, *key, error.code, error.facts)
    return Synced(taken, refused)


def _wanted(connection: sqlite3.Connection, paths: Paths, item: BundleItem, listed: Sequence[BundleItem]) -> bool:
    """Whether to fetch `item`: we lack it, or hold it sealed for a key of the past.

    Refused `bundle_older` when all the gateway offers of this name is older than what is here: that is how a
    rollback looks. An older version listed beside the one we have is only history.
    """
    here = bundles.get(connection, item.kind, item.name, item.version)
    if here is not None:
        return here.sha256 != item.sha256 or not (paths.bundles / here.path).exists()
    newest = bundles.newest(connection, item.kind, item.name)
    if newest is None or item.version > newest.version:
        return True
    if max(one.version for one in listed if (one.kind, one.name) == (item.kind, item.name)) < newest.version:
        raise Refused("bundle_older", name=item.name, version=item.version, have=newest.version)
    return False


def _clear_parts(paths: Paths, listed: set[str]) -> None:
    """Remove beginnings of files that are no longer offered."""
    for part in paths.bundles.glob(".*.part"):
        if part.name[1:-5] not in listed:
            part.unlink(missing_ok=True)


def _take(
    connection: sqlite3.Connection, client: GatewayClient, identity: Identity, paths: Paths, item: BundleItem
) -> None:
    paths.bundles.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = paths.bundles / f".{item.sha256}.part"
    room_left = os.statvfs(paths.bundles)
    if item.size > room_left.f_bavail * room_left.f_frsize - _HEADROOM:
        raise Unavailable("bundle_storage", name=item.name, detail=words("os_ENOSPC"))
    client.fetch_bundle(item, part)
    try:
        manifest = check_bundle(part.read_bytes(), identity, item, client.now_ms())
        file = paths.bundles / f"{item.kind}-{item.name}-{item.version}.bundle"
        _same_content(file, identity, manifest)
    except (ExamroomError, OSError):
        part.unlink(missing_ok=True)
        raise
    _settle(part, file)
    with transaction(connection):
        bundles.put(connection, item.kind, item.name, item.version, file.name, item.sha256)
        body = {"kind": item.kind, "name": item.name, "version": item.version, "sha256": item.sha256}
        ledger.append(connection, "bundle", body)


def check_bundle(data: bytes, identity: Identity, item: BundleItem, now_ms: int) -> BundleManifest:
    """The manifest of a fetched file, once the province signed it, it is the one listed, for this room, and in time."""
    manifest = read_manifest(data, [identity.root_public])
    if (manifest.kind, manifest.name, manifest.version) != (item.kind, item.name, item.version):
        raise BadInput("bundle_mismatch", name=item.name, version=item.version)
    if now_ms > manifest.expires_ms:
        raise Refused("bundle_expired", name=item.name)
    if identity.certificate.room not in manifest.keys:
        raise Refused("bundle_other_room", name=item.name, room=identity.certificate.room)
    return manifest


def _same_content(file: Path, identity: Identity, manifest: BundleManifest) -> None:
    """A version sealed anew must hold what it held: one version, one content."""
    if not file.exists():
        return
    try:
        before = read_manifest(file.read_bytes(), [identity.root_public])
    except ExamroomError:
        return  # what is there is damaged or another province's: the verified one replaces it
    if before.content_sha256 != manifest.content_sha256:
        raise Conflict("bundle_changed", name=manifest.name, version=manifest.version)


def _settle(part: Path, file: Path) -> None:
    """Give the verified file its name, on disk before anything refers to it."""
    for path in (part, part.parent):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if path is part:
            part.replace(file)
