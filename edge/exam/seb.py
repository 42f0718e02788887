"""The Safe Exam Browser file of a room: which settings it has, and how they become a `.seb` file.

A Config Key is no secret from whoever holds the file: it proves that these settings are in force in an honest Safe Exam
Browser. A policy that lists Browser Exam Keys proves the browser's own build as well.
"""

from __future__ import annotations

import functools
import gzip
import hashlib
import plistlib
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from edge.domain import seb

_CERTIFICATE_AUTHORITY = 2
_FILTER_ALLOWS = 1
_MODERN_VIEW = 3
_BLOCK = 0
_CLIPBOARD_BLOCKED = 1
_FULL_SCREEN = 1
_SERVICE_OPTIONAL = 1
_PREFIX = b"plnd"


def demanded(policy: Mapping[str, Any]) -> bool:
    """Whether a session under `policy` may be answered in Safe Exam Browser only."""
    rule = policy.get("seb")
    return policy.get("lockdown") == "seb" or bool(rule and rule.get("required"))


def any_browser_can(policy: Mapping[str, Any]) -> bool:
    """Whether another browser can pass for the one `policy` demands: the file is public, Browser Exam Keys are not."""
    return demanded(policy) and not (policy.get("seb") or {}).get("browser_exam_keys")


def quit_hash(policy: Mapping[str, Any]) -> str:
    """SHA-256 of the password that closes the browser, by policy; empty: it closes without one."""
    rule = policy.get("seb") or {}
    return rule.get("quit_password_sha256") or ""


def settings(base: str, ca: bytes | None, quit_password_sha256: str = "") -> dict[str, Any]:
    """The settings for the room at `base` (https://ADDRESS, no path); `ca` is the room's authority in DER form.

    The same arguments give the same settings, so that the room knows its file's Config Key without keeping it.
    """
    salt = hashlib.sha256(b"examroom seb\n" + base.encode() + b"\n" + (ca or b"")).digest()
    certificate = {"certificateData": ca, "name": "Exam room CA", "type": _CERTIFICATE_AUTHORITY}
    allowed = {"action": _FILTER_ALLOWS, "active": True, "expression": f"{urlsplit(base).netloc}/*", "regex": False}
    return {
        "originatorVersion": "examroom",
        "sebConfigPurpose": 0,
        "startURL": f"{base}/exam/",
        "quitURL": f"{base}/setup/leave",
        "quitURLConfirm": False,
        "allowQuit": True,
        "hashedQuitPassword": quit_password_sha256,
        "sendBrowserExamKey": True,
        "browserWindowWebView": _MODERN_VIEW,
        "examKeySalt": salt,
        "embeddedCertificates": [certificate] if ca else [],
        "URLFilterEnable": True,
        # the content filter would force the old web view, whose script interface knows no keys
        "URLFilterEnableContentFilter": False,
        "URLFilterRules": [allowed],
        "newBrowserWindowByLinkPolicy": _BLOCK,
        "newBrowserWindowByScriptPolicy": _BLOCK,
        "browserViewMode": _FULL_SCREEN,
        # a reload must be possible, and must find the answers that are kept on the tablet
        "browserWindowAllowReload": True,
        "showReloadButton": True,
        "showReloadWarning": False,
        "examSessionClearCookiesOnStart": False,
        "examSessionClearCookiesOnEnd": False,
        "removeBrowserProfile": False,
        "removeLocalStorage": False,
        "sebServicePolicy": _SERVICE_OPTIONAL,
        "clipboardPolicy": _CLIPBOARD_BLOCKED,
        "enablePrivateClipboard": True,
        "monitorProcesses": True,
        "createNewDesktop": True,
        "mobileEnableASAM": True,
        "mobilePreventAutoLock": True,
        "showTime": True,
        **dict.fromkeys(_OFF, False),
    }


_OFF = (
    "allowAudioCapture",
    "allowBrowsingBackForward",
    "allowDeveloperConsole",
    "allowDictation",
    "allowDictionaryLookup",
    "allowDisplayMirroring",
    "allowDownUploads",
    "allowDownloads",
    "allowFind",
    "allowPreferencesWindow",
    "allowPrint",
    "allowScreenSharing",
    "allowSiri",
    "allowSpellCheck",
    "allowSwitchToApplications",
    "allowUploads",
    "allowUserSwitching",
    "allowVideoCapture",
    "allowVirtualMachine",
    "allowWlan",
    "downloadPDFFiles",
    "enableJava",
    "enablePlugIns",
    "enablePrintScreen",
    "enableRightMouse",
    "examSessionReconfigureAllow",
    "mobileAllowPictureInPictureMediaPlayback",
    "mobileShowSettings",
)


def seb_file(chosen: Mapping[str, Any]) -> bytes:
    """The settings as an unencrypted `.seb` file; the same settings give the same bytes."""
    xml = plistlib.dumps(dict(chosen), fmt=plistlib.FMT_XML)
    return gzip.compress(_PREFIX + gzip.compress(xml, mtime=0), mtime=0)


@functools.lru_cache(maxsize=256)
def own_key(base: str, ca: bytes | None, quit_password_sha256: str) -> str:
    """The Config Key of the file this room hands out under these circumstances."""
    return seb.config_key(settings(base, ca, quit_password_sha256))
