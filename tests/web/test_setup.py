"""The setup page: the files it hands out, who is told which address, and the check as a tablet's browser runs it."""

from __future__ import annotations

import base64
import hashlib
import plistlib
import re
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np
import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from playwright.sync_api import Browser, Page, Playwright, expect

from edge.ops.ports import free_port
from edge.trust import addresses, roomtls
from support.pictures import shot
from support.rooms import DeskRoom, make_desk_room
from support.serving import TECHNICIAN, serving, signed_in
from support.tablet_page import CHROMIUM, PORTRAIT


@contextmanager
def tls_in_front(folder: Path, port: int, to: int) -> Iterator[None]:
    """What nginx does for HTTPS: bytes on, with the scheme told. One request a connection."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "room.crt", folder / "room.key")
    listener = socket.create_server(("127.0.0.1", port))
    threads: list[threading.Thread] = []

    def one(client: socket.socket) -> None:
        try:
            with client, context.wrap_socket(client, server_side=True) as secure:
                secure.settimeout(10)
                head = b""
                while b"\r\n\r\n" not in head:
                    more = secure.recv(65536)
                    if not more:
                        return
                    head += more
                start, rest = head.split(b"\r\n", 1)
                told = b"\r\nX-Forwarded-Proto: https\r\nConnection: close\r\n"
                rest = re.sub(rb"(?im)^connection:.*\r\n", b"", rest)
                with socket.create_connection(("127.0.0.1", to), 10) as inside:
                    inside.sendall(start + told + rest)
                    while got := inside.recv(65536):
                        secure.sendall(got)
        except OSError:  # a browser that does not trust us hangs up
            return

    def serve() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=one, args=(client,))
            thread.start()
            threads.append(thread)

    main = threading.Thread(target=serve)
    main.start()
    try:
        yield
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        main.join()
        for thread in threads:
            thread.join()


class Site:
    """A room with HTTPS in front of its pages."""

    def __init__(self, desk: DeskRoom, http: str, https: str) -> None:
        self.desk, self.http, self.https = desk, http, https

    @property
    def tls(self) -> roomtls.RoomTls:
        return roomtls.load(self.desk.config.paths.tls)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("setup")
    desk = make_desk_room(folder, size=2, web={"port": free_port(), "behind_proxy": True})
    roomtls.make(desk.config.paths.tls, ["room7", "room7.local"], addresses.addresses(), datetime.now(UTC))
    outside = free_port()
    with (
        serving(desk, folder) as (_, base),
        tls_in_front(desk.config.paths.tls, outside, desk.config.web.port),
    ):
        yield Site(desk, base, f"https://127.0.0.1:{outside}")
    desk.db.close()


def get(site: Site, path: str, **headers: str) -> requests.Response:
    return requests.get(site.http + path, headers=headers, timeout=10)


def test_the_authority_in_each_form_is_the_same(site: Site) -> None:
    der, pem = get(site, "/setup/ca.crt"), get(site, "/setup/ca.pem")
    assert der.headers["Content-Type"] == "application/x-x509-ca-cert"
    assert x509.load_der_x509_certificate(der.content) == x509.load_pem_x509_certificate(pem.content)
    profile = get(site, "/setup/room.mobileconfig")
    assert profile.headers["Content-Type"] == "application/x-apple-aspen-config"
    whole = plistlib.loads(profile.content)
    (inner,) = whole["PayloadContent"]
    assert (whole["PayloadType"], inner["PayloadType"]) == ("Configuration", "com.apple.security.root")
    assert inner["PayloadContent"] == der.content
    assert {"PayloadIdentifier", "PayloadUUID", "PayloadVersion"} <= whole.keys() & inner.keys()
    assert whole["PayloadUUID"] != inner["PayloadUUID"]
    assert get(site, "/setup/room.mobileconfig").content == profile.content
    for answer in (der, pem, profile):
        assert b"PRIVATE" not in answer.content
        assert "attachment" in answer.headers["Content-Disposition"]


def test_what_is_downloaded_is_what_makes_the_room_believed(site: Site, tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    ca.write_bytes(get(site, "/setup/ca.pem").content)
    assert requests.get(f"{site.https}/setup/api/probe", verify=str(ca), timeout=10).ok
    with pytest.raises(requests.exceptions.SSLError):
        requests.get(f"{site.https}/setup/api/probe", timeout=10)


def test_the_fingerprint_is_that_of_the_file_and_staff_see_the_same(site: Site) -> None:
    digest = hashlib.sha256(get(site, "/setup/ca.crt").content).hexdigest().upper()
    wanted = ":".join(digest[at : at + 2] for at in range(0, 64, 2))
    assert wanted in get(site, "/setup/?lang=en").text.replace("<wbr>", "")
    assert wanted == site.tls.fingerprint
    technician = signed_in(site.http, TECHNICIAN, "/console/")
    page = technician._http.get(f"{site.http}/staff/", timeout=10).text
    assert wanted in page


def test_no_key_can_be_had(site: Site) -> None:
    for path in ("ca.key", "room.key", "static/../../../ca.key", "..%2Fca.key", "static/%2e%2e/ca.key"):
        assert get(site, f"/setup/{path}").status_code == 404


def test_the_code_holds_the_bare_address(site: Site) -> None:
    """By the address it was reached by, and by the main one where it was reached by a name."""
    own = [str(one) for one in addresses.addresses() if one.version == 4]
    by_number = get(site, "/setup/?lang=zh", Host="192.168.9.9").text
    assert "http://192.168.9.9/setup/" in by_number
    by_name = get(site, "/setup/?lang=zh", Host="room7.local").text
    if own:
        assert f"http://{own[0]}/setup/" in by_name
    assert 'class="qr"' in by_name
    on_the_box = get(site, "/setup/?lang=zh", Host="127.0.0.1").text
    assert not own or f'<p class="url num">http://{own[0]}/setup/</p>' in on_the_box
    drawn = re.search(r"<svg.*?</svg>", by_name, re.S)
    assert drawn and "style=" not in drawn[0] and "<script" not in drawn[0]


def test_a_host_that_is_no_host_stays_text(site: Site) -> None:
    answer = get(site, "/setup/", Host='"><script>alert(1)</script>')
    assert "<script>alert" not in answer.text
    answer = get(site, "/setup/", Host="a; script-src *")
    assert "script-src" not in answer.headers.get("Content-Security-Policy", "")


def test_without_certificates_it_says_so(tmp_path: Path) -> None:
    desk = make_desk_room(tmp_path, size=2, web={"port": free_port()})
    with serving(desk, tmp_path) as (_, base):
        assert "tls make" in requests.get(f"{base}/setup/?lang=en", timeout=10).text
        for name in ("ca.crt", "ca.pem", "room.mobileconfig"):
            assert requests.get(f"{base}/setup/{name}", timeout=10).status_code == 404
        assert requests.get(f"{base}/setup/exam.seb", timeout=10).ok
        assert requests.get(f"{base}/setup/exam.seb?session=nothing", timeout=10).status_code == 404
        # made while the room runs: seen without a restart
        roomtls.make(desk.config.paths.tls, ["room7.local"], [], datetime.now(UTC))
        assert requests.get(f"{base}/setup/ca.crt", timeout=10).ok
    desk.db.close()


def checks(page: Page) -> dict[str, str]:
    """The check's lines: text -> kind."""
    expect(page.locator("#checks li").nth(1)).to_be_visible(timeout=20_000)
    lines = page.locator("#checks li").all()
    return {line.inner_text().strip(): str(line.get_attribute("class")) for line in lines}


def trusting(site: Site) -> str:
    """Chromium's word for a tablet on which somebody installed what this server shows."""
    public = site.tls.server.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return base64.b64encode(hashlib.sha256(public).digest()).decode()


@pytest.mark.browser
@pytest.mark.parametrize("lang", ["zh", "en"])
def test_a_tablet_that_does_not_trust_the_room_is_told(site: Site, browser: Browser, lang: str) -> None:
    size = {"width": PORTRAIT[0], "height": PORTRAIT[1]}
    context = browser.new_context(ignore_https_errors=True, viewport=size)
    page = context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto(f"{site.https}/setup/?lang={lang}")
    found = checks(page)
    wanted = "This tablet does not trust the room yet" if lang == "en" else "这台平板还不信任本考场"
    assert any(text.startswith(wanted) and "bad" in kind for text, kind in found.items()), found
    shot(page, f"setup-{lang}")
    page.goto(f"{site.https}/setup/leave?lang={lang}")
    shot(page, f"setup-leave-{lang}")
    assert not problems
    context.close()


@pytest.mark.browser
def test_a_tablet_that_trusts_the_room_is_told(site: Site, playwright: Playwright) -> None:
    flags = ["--no-sandbox", f"--ignore-certificate-errors-spki-list={trusting(site)}"]
    trusts = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
    page = trusts.new_page()
    page.goto(f"{site.https}/setup/?lang=en")
    found = checks(page)
    assert found["This tablet trusts the room."] == "notice good"
    assert found["The exam page can be reopened without the network."] == "notice good"
    assert found["The tablet's clock agrees with the room's."] == "notice good"
    assert not [text for text, kind in found.items() if "bad" in kind]
    trusts.close()


@pytest.mark.browser
def test_a_wrong_clock_is_told_and_paper_shows_every_system(site: Site, browser: Browser) -> None:
    context = browser.new_context(ignore_https_errors=True)
    page = context.new_page()
    page.add_init_script("const real = Date.now; Date.now = () => real() + 26 * 60000;")
    page.goto(f"{site.https}/setup/?lang=en")
    assert any("26 minutes fast" in text and "warn" in kind for text, kind in checks(page).items())
    assert page.locator("details[open]").count() <= 1
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details[open]").count() == 5
    page.emulate_media(media="print")
    assert page.locator("#check").is_hidden() and page.locator(".code svg").is_visible()
    picture = cv2.imdecode(np.frombuffer(page.locator(".code svg").screenshot(), np.uint8), cv2.IMREAD_GRAYSCALE)
    read, _, _ = cv2.QRCodeDetector().detectAndDecode(picture)
    assert read == page.locator(".url").inner_text()
    assert re.fullmatch(r"http://[0-9.]+/setup/", read)
    context.close()
