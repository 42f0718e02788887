"""What nginx is told, against what the pages are. That nginx accepts and does it is seen by make vmtest."""

from __future__ import annotations

import re
from pathlib import Path

from edge.config import Web

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


def test_a_client_cannot_say_where_it_comes_from() -> None:
    """`X-Forwarded-For: $proxy_add_x_forwarded_for` would keep what the client wrote."""
    assert re.findall(r"proxy_set_header X-Forwarded-For (.+);", SITE) == ["$remote_addr"]
    assert 'proxy_set_header X-Forwarded-Host "";' in SITE
    # a proxy_set_header inside a location would drop those of the server
    assert len(re.findall(r"^    proxy_set_header", SITE, re.M)) == SITE.count("proxy_set_header ")
