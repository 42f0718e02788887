"""The two hashes of Safe Exam Browser, against one that SEB 2.1.4 for macOS itself computed.

The settings are those that this version saved as an unencrypted file, with the Config Key it showed for them; both are
known from the test data of Moodle's quiz module, and are written down here as facts, key by key.
"""

from __future__ import annotations

import base64
import hashlib
from datetime import datetime
from typing import Any

import pytest

from edge.domain import seb


def words(text: str) -> list[str]:
    return text.split()


PROXY = "org_safeexambrowser_SEB_"
MAC_KEY = "4fa9af8ec8759eb7c680752ef4ee5eaf1a860628608fccae2715d519849f9292"
FALSE = words(
    """
    URLFilterEnable URLFilterEnableContentFilter allowBrowsingBackForward allowDictation allowDictionaryLookup
    allowDisplayMirroring allowDownUploads allowFlashFullscreen allowPDFPlugIn allowScreenSharing allowSiri
    allowSpellCheck allowSwitchToApplications allowUserAppFolderInstall allowVideoCapture allowVirtualMachine
    allowWlan blockPopUpWindows browserMediaAutoplay browserScreenKeyboard configFileCreateIdentity
    configFileEncryptUsingIdentity downloadPDFFiles enableAltEsc enableAltF4 enableAltMouseWheel
    enableBrowserWindowToolbar enableCtrlEsc enableDrawingEditor enableJava enablePrintScreen enableStartMenu
    enableTouchExit examSessionReconfigureAllow hideBrowserWindowToolbar ignoreQuitPassword
    insideSebEnableChangeAPassword insideSebEnableEaseOfAccess insideSebEnableLockThisComputer
    insideSebEnableLogOff insideSebEnableNetworkConnectionSelector insideSebEnableShutDown
    insideSebEnableStartTaskManager insideSebEnableSwitchUser insideSebEnableVmWareClientShade killExplorerShell
    logSendingRequiresAdminPassword mobileAllowPictureInPictureMediaPlayback mobileAllowQRCodeConfig
    mobileAllowSingleAppMode mobileCompactAllowInlineMediaPlayback mobileEnableGuidedAccessLinkTransform
    mobileShowSettings mobileSupportedScreenOrientationsCompactPortraitUpsideDown
    newBrowserWindowByLinkBlockForeign newBrowserWindowByScriptBlockForeign newBrowserWindowShowReloadWarning
    openDownloads pinEmbeddedCertificates quitURLRestart removeBrowserProfile removeLocalStorage
    restartExamUseStartURL sebServerFallback showInputLanguage showNavigationButtons showReloadWarning
    showScanQRCodeButton startURLAllowDeepLink startURLAppendQueryParameter touchOptimized
    urlFilterTrustedContent
    """
)
TRUE = words(
    """
    allowPreferencesWindow allowQuit allowUserSwitching allowedDisplayBuiltin browserURLSalt
    browserWindowAllowReload createNewDesktop detectStoppedProcess downloadAndOpenSebConfig enableAltTab
    enableAppSwitcherCheck enableEsc enableF1 enableF10 enableF11 enableF12 enableF2 enableF3 enableF4 enableF5
    enableF6 enableF7 enableF8 enableF9 enableJavaScript enableLogging enablePlugIns enablePrivateClipboard
    enableRightMouse enableSebBrowser enableZoomPage enableZoomText examSessionClearSessionCookies
    forceAppFolderInstall hookKeys ignoreExitKeys mobileAllowInlineMediaPlayback mobileEnableASAM
    mobilePreventAutoLock mobileSupportedFormFactorsCompact mobileSupportedFormFactorsNonTelephonyCompact
    mobileSupportedFormFactorsRegular mobileSupportedScreenOrientationsCompactLandscapeLeft
    mobileSupportedScreenOrientationsCompactLandscapeRight mobileSupportedScreenOrientationsCompactPortrait
    mobileSupportedScreenOrientationsRegularLandscapeLeft mobileSupportedScreenOrientationsRegularLandscapeRight
    mobileSupportedScreenOrientationsRegularPortrait mobileSupportedScreenOrientationsRegularPortraitUpsideDown
    monitorProcesses newBrowserWindowAllowReload newBrowserWindowNavigation quitURLConfirm
    restartExamPasswordProtected sendBrowserExamKey showBackToStartButton showMenuBar showQuitButton
    showReloadButton showTaskBar showTime urlFilterRegex
    """
)
EMPTY_TEXT = words(
    """
    blacklistURLFilter browserUserAgent browserUserAgentMacCustom browserUserAgentWinDesktopModeCustom
    browserUserAgentWinTouchModeCustom browserUserAgentiOSCustom examSessionReconfigureConfigURL
    hashedAdminPassword hashedQuitPassword logDirectoryOSX logDirectoryWin quitURL restartExamText
    restartExamURL sebServerURL whitelistURLFilter
    """
)
EMPTY_LIST = words(
    """
    URLFilterIgnoreList URLFilterRules additionalResources embeddedCertificates permittedProcesses
    prohibitedProcesses
    """
)
ZERO = words(
    """
    URLFilterMessage allowiOSBetaVersionNumber browserUserAgentMac browserUserAgentWinDesktopMode
    browserUserAgentWinTouchMode browserUserAgentiOS browserViewMode browserWindowShowURL
    chooseFileToUploadPolicy proxySettingsPolicy sebConfigPurpose sebMode zoomMode
    """
)
NUMBERS = {
    "allowedDisplaysMaxNumber": 1, "allowiOSVersionNumberMajor": 9, "allowiOSVersionNumberMinor": 3,
    "allowiOSVersionNumberPatch": 5, "browserMessagingPingTime": 120000, "exitKey1": 2, "exitKey2": 10, "exitKey3": 5,
    "logLevel": 4, "mainBrowserWindowPositioning": 1, "minMacOSVersion": 4, "mobileStatusBarAppearance": 1,
    "mobileStatusBarAppearanceExtended": 1, "newBrowserWindowByLinkPolicy": 1, "newBrowserWindowByLinkPositioning": 2,
    "newBrowserWindowByScriptPolicy": 2, "newBrowserWindowShowURL": 2, "oskBehavior": 2, "sebServicePolicy": 2,
    "taskBarHeight": 40,
}  # fmt: skip
TEXTS = {
    "browserMessagingSocket": "ws:\\localhost:8706",
    "browserUserAgentWinTouchModeIPad": "Mozilla/5.0 (iPad; CPU OS 11_4_1 like Mac OS X) AppleWebKit/605.1.15"
    " (KHTML, like Gecko) Version/11.0 Mobile/15E148 Safari/604.1",
    "downloadDirectoryOSX": "/Users/andrewmadden/Downloads",
    "downloadDirectoryWin": "Downloads",
    "mainBrowserWindowHeight": "100%",
    "mainBrowserWindowWidth": "100%",
    "newBrowserWindowByLinkHeight": "100%",
    "newBrowserWindowByLinkWidth": "1000",
    "originatorVersion": "SEB_OSX_2.1.4_2B66",
    "startURL": "https://www.google.com",
}


def proxies() -> dict[str, Any]:
    found: dict[str, Any] = {
        "AutoConfigurationEnabled": False, "AutoConfigurationJavaScript": "", "AutoConfigurationURL": "",
        "AutoDiscoveryEnabled": False, "ExceptionsList": [], "ExcludeSimpleHostnames": False, "FTPPassive": True,
    }  # fmt: skip
    for kind, port in (("FTP", 21), ("HTTP", 80), ("HTTPS", 443), ("RTSP", 554), ("SOCKS", 1080)):
        found |= {f"{kind}Enable": False, f"{kind}Port": port, f"{kind}RequiresPassword": False}
        found |= {f"{kind}{name}": "" for name in ("Password", "Proxy", "Username")}
    return {PROXY + key: value for key, value in found.items()}


def mac_settings() -> dict[str, Any]:
    return {
        **dict.fromkeys(FALSE, False),
        **dict.fromkeys(TRUE, True),
        **dict.fromkeys(EMPTY_TEXT, ""),
        **{key: list[Any]() for key in EMPTY_LIST},
        **dict.fromkeys(ZERO, 0),
        **NUMBERS,
        **TEXTS,
        "configKeySalt": b"",
        "examKeySalt": base64.b64decode("4iLONVAc1yKWLxbe6Vbf2vWYQO6zIRAobKgc3f25LH8="),
        "proxies": proxies(),
    }


def test_the_key_is_the_one_that_seb_computed() -> None:
    assert seb.config_key(mac_settings()) == MAC_KEY


def test_the_order_of_the_settings_does_not_matter() -> None:
    backwards = dict(reversed(mac_settings().items()))
    assert seb.config_key(backwards) == MAC_KEY


@pytest.mark.parametrize("key", ["allowQuit", "startURL", "examKeySalt", "logLevel"])
def test_every_change_changes_it(key: str) -> None:
    changed = mac_settings()
    changed[key] = {bool: False, str: "https://elsewhere.example", bytes: b"x", int: 5}[type(changed[key])]
    assert seb.config_key(changed) != MAC_KEY


def test_who_wrote_the_file_does_not_matter() -> None:
    assert seb.config_key({**mac_settings(), "originatorVersion": "examroom"}) == MAC_KEY


def test_the_text_has_no_spaces_no_escapes_and_no_empty_dictionaries() -> None:
    settings = {
        "b": {"y": r"a\b", "X": {}},
        "A": [1, True, {}, 1.5, "中/文"],
        "c": {},
        "d": b"\x00\xff",
        "e": datetime(1940, 10, 9, 22, 13, 56),
    }
    wanted = r'{"A":[1,true,1.5,"中/文"],"b":{"y":"a\b"},"d":"AP8=","e":"1940-10-09T22:13:56+00:00"}'
    assert seb.seb_json(settings) == wanted


def test_what_a_property_list_cannot_hold_is_refused() -> None:
    with pytest.raises(TypeError):
        seb.config_key({"a": None})


def test_the_hash_of_an_address_leaves_its_fragment_out() -> None:
    wanted = hashlib.sha256(f"https://room/exam/?a=1{MAC_KEY}".encode()).hexdigest()
    assert seb.address_hash("https://room/exam/?a=1#top", MAC_KEY) == wanted
    assert seb.address_hash("https://room/exam/", MAC_KEY) != wanted
