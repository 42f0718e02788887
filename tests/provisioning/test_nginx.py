"""What nginx is told, against what the pages are. That nginx accepts and does it is seen by make vmtest."""

from __future__ import annotations

import gzip
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from werkzeug.exceptions import TooManyRequests

from edge.config import Paths, Web
from edge.ui.errors import as_error, error_body

TREE = Path(__file__).parents[2]
SITE = (TREE / "provisioning" / "nginx" / "examroom.conf").read_text(encoding="utf-8")


def test_it_leads_to_the_pages_and_to_nothing_else() -> None:
    assert f"server {Web().host}:{Web().port} " in SITE
    assert set(re.findall(r"proxy_pass (.+);", SITE)) == {"http://examroom_web"}


def test_every_persons_static_files_are_served() -> None:
    found = re.search(r"location ~ \^/\(([a-z|]+)\)/static/", SITE)
    assert found is not None
    with_files = {folder.parent.name for folder in (TREE / "edge" / "web").glob("*/static")}
    assert with_files <= set(found[1].split("|"))


def test_a_room_behind_one_router_is_within_the_limits_and_is_told_when_it_is_not() -> None:
    """Two hundred tablets: a clock every 1.5 s, an answer every 5 s, then everybody's page and paper at once."""
    rates = {name: int(rate) for name, rate in re.findall(r"zone=(\w+):\w+ rate=(\d+)r/s", SITE)}
    bursts = {name: int(burst) for name, burst in re.findall(r"limit_req zone=(\w+) burst=(\d+) nodelay", SITE)}
    assert rates.keys() == bursts.keys()
    assert rates["examroom_pages"] >= 2 * (200 / 1.5 + 200 / 5) and bursts["examroom_pages"] >= 200 * 4
    assert bursts["examroom_seats"] >= 200
    told = re.search(r"error_page 429 @busy;.*location @busy \{.*?return 429 '(\{.+?\})';", SITE, re.DOTALL)
    assert told is not None
    busy = as_error(TooManyRequests())
    assert json.loads(told[1]) == error_body(busy)


def test_files_are_packed_where_nginx_takes_them_from(tmp_path: Path) -> None:
    """bootstrap's own line, over a copy of the pages."""
    assert "gzip_static on;" in SITE
    bootstrap = (TREE / "provisioning" / "bootstrap.sh").read_text(encoding="utf-8")
    line = next(line for line in bootstrap.splitlines() if "gzip -9" in line)
    for part in ("web", "ui"):
        shutil.copytree(TREE / "edge" / part, tmp_path / part)
    for _ in range(2):  # an update packs again
        subprocess.run(["/bin/sh", "-c", line], env={"package": str(tmp_path), "PATH": "/usr/bin:/bin"}, check=True)
    for file in (tmp_path / "web/exam/static/js/main.js", tmp_path / "ui/static/base.css"):
        packed = file.with_name(file.name + ".gz")
        assert gzip.decompress(packed.read_bytes()) == file.read_bytes()


def test_a_client_cannot_say_where_it_comes_from() -> None:
    """`X-Forwarded-For: $proxy_add_x_forwarded_for` would keep what the client wrote."""
    assert re.findall(r"proxy_set_header X-Forwarded-For (.+);", SITE) == ["$remote_addr"]
    assert 'proxy_set_header X-Forwarded-Host "";' in SITE
    # a proxy_set_header inside a location would drop those of the server
    assert len(re.findall(r"^    proxy_set_header", SITE, re.M)) == SITE.count("proxy_set_header ")


@pytest.mark.parametrize(
    ("uri", "goes_on"),
    [
        ("/", True),
        ("/exam/", True),
        ("/exam/api/claim", True),
        ("/staff/login", True),
        ("/setupx", True),
        ("/x/setup/", True),
        ("/ui/staticx", True),
        ("/setup", False),
        ("/setup/", False),
        ("/setup/ca.crt", False),
        ("/setup/static/setup.css", False),
        ("/ui/static/base.css", False),
    ],
)
def test_plain_http_is_for_setting_tablets_up_and_for_nothing_else(uri: str, goes_on: bool) -> None:
    """nginx matches the address after decoding it and resolving its dots."""
    found = re.search(r'map "\$scheme:\$uri" \$examroom_to_https \{\s+default 0;\s+"~(.+)" 1;\s+\}', SITE)
    assert found is not None
    assert bool(re.search(found[1], f"http:{uri}")) is goes_on
    assert not re.search(found[1], f"https:{uri}")
    assert re.search(r"if \(\$examroom_to_https\) \{\s+return 308 https://\$host\$request_uri;\s+\}", SITE)


def test_the_room_is_told_by_which_way_somebody_came() -> None:
    """A candidate's browser proves itself by the address it asked for: a scheme from outside would be a lie."""
    assert re.findall(r"proxy_set_header X-Forwarded-Proto (.+);", SITE) == ["$scheme"]
    assert re.findall(r"proxy_set_header Host (.+);", SITE) == ["$http_host"]


def test_it_shows_the_certificate_that_is_made_and_renewed() -> None:
    folder = Paths().tls
    assert f"ssl_certificate {folder}/room.crt;" in SITE
    assert f"ssl_certificate_key {folder}/room.key;" in SITE
    bootstrap = (TREE / "provisioning" / "bootstrap.sh").read_text(encoding="utf-8")
    assert f"TLS={folder}\n" in bootstrap
    assert "examroom tls make" in bootstrap and "openssl" not in bootstrap
    service = (TREE / "provisioning" / "nginx" / "examroomtls.service").read_text(encoding="utf-8")
    assert "/opt/examroom/bin/examroom tls make --quiet" in service
    assert "systemctl reload nginx.service" in service
    assert f"ReadWritePaths={folder}" in service
    assert "User=" not in service  # the keys are root's
    assert "units+=(examroomtls.timer)" in bootstrap


def test_systemd_accepts_the_renewal(tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("no systemd-analyze")
    units = [str(shutil.copy(file, tmp_path)) for file in (TREE / "provisioning" / "nginx").glob("examroomtls.*")]
    done = subprocess.run([analyze, "verify", "--man=no", *units], capture_output=True, text=True, check=False)
    complaints = [line for line in done.stderr.splitlines() if "examroomtls" in line]
    assert done.returncode == 0 and not complaints, done.stderr


def test_the_renewals_line_reloads_only_when_something_changed(tmp_path: Path) -> None:
    """The unit's own shell line, with stand-ins for the two commands it calls."""
    service = (TREE / "provisioning" / "nginx" / "examroomtls.service").read_text(encoding="utf-8")
    found = re.search(r"ExecStart=/bin/sh -c '(.+)'", service)
    assert found is not None
    line = found[1].replace("$$", "$").replace("/opt/examroom/bin/examroom", str(tmp_path / "examroom"))
    reloaded = tmp_path / "reloaded"
    (tmp_path / "systemctl").write_text(f"#!/bin/sh\ntouch {reloaded}\n")
    for said, code, wanted in (("", 0, False), ("", 1, False), ("changed", 0, True)):
        (tmp_path / "examroom").write_text(f"#!/bin/sh\nprintf '%s' '{said}'\nexit {code}\n")
        for name in ("examroom", "systemctl"):
            (tmp_path / name).chmod(0o755)
        environment = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
        done = subprocess.run(["/bin/sh", "-c", line], env=environment, check=False)
        assert (done.returncode, reloaded.exists()) == (code, wanted)
