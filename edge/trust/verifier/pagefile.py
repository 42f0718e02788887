"""The verifier for people without Python: one HTML file that opens from disk, in any current browser, without network.

Its sources are the modules in `page/`; here they become one script, with the catalogue's sentences in it. The page may
run that script and nothing else: its policy names the script by hash. It checks evidence, result files and completeness
certificates exactly as `examroom verify` does; tests hold the two to the same verdicts.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from importlib import resources
from pathlib import Path

import click

from edge.domain.reasons import REASONS
from edge.errors import Exists, Unavailable
from edge.trust.verifier.roots import read_root
from edge.why import why

_START = "main"
_SAID = ("completeness_", "container_", "evidence_", "result_", "timestamp_", "verified_", "verifier_", "verify_")
_IMPORT = re.compile(r'^import (\{[^}]*\}) from "\./([a-z0-9]+)\.js";$', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async function|function|class|const) (\w+))", re.MULTILINE)
_SOURCES = resources.files(__package__) / "page"


def page_file(roots: Sequence[bytes] = ()) -> bytes:
    """The page's bytes. `roots`: raw 32-byte public keys that it is to bring along; people may add more."""
    script = "".join(_modules(_START, {"sentences": _sentences(roots)}))
    style = _source("page.css")
    policy = (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; base-uri 'none';"
        " form-action 'none'"
    )
    parts = {"policy": policy, "style": style, "script": script}
    page = re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], _source("page.html"))
    return page.encode()


@click.command("verify-page")
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--root", "roots", multiple=True, metavar="FILE|HEX", help="写进网页的根公钥 / a root key to put in")
def verify_page(out: Path, roots: tuple[str, ...]) -> None:
    """写出核验网页：一个 HTML 文件，Windows 上用浏览器打开即可核验，不联网。

    Write the verifier as one HTML file: it opens from disk in a browser and needs neither Python nor network.
    """
    content = page_file([read_root(root) for root in roots])
    try:
        with out.open("xb") as file:
            file.write(content)
    except FileExistsError as error:
        raise Exists("evidence_exists", path=out) from error
    except OSError as error:
        raise Unavailable("evidence_unwritable", path=out, detail=why(error)) from error
    click.echo(out)


def _modules(name: str, made: dict[str, str], done: set[str] | None = None) -> Iterator[str]:
    """Each module after those it imports, as a function that gives what it exports."""
    done = set() if done is None else done
    if name in done:
        return
    done.add(name)
    source = made.get(name) or _source(f"{name}.js")
    for _, needed in _IMPORT.findall(source):
        yield from _modules(needed, made, done)
    inside = _EXPORT.sub("", _IMPORT.sub(r"const \1 = of_\2;", source))
    exported = ", ".join(_EXPORT.findall(source))
    yield f'const of_{name} = (function () {{ "use strict";\n{inside}\nreturn {{ {exported} }}; }})();\n'


def _sentences(roots: Sequence[bytes]) -> str:
    said = {code: {"zh": r.zh, "en": r.en} for code, r in REASONS.items() if code.startswith(_SAID)}
    return f"export const SENTENCES = {_literal(said)};\nexport const OWN_ROOTS = {_literal([r.hex() for r in roots])};"


def _literal(value: object) -> str:
    """JSON that may stand in a script inside HTML: no tag ends it."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True).replace("<", "\\u003c")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _source(name: str) -> str:
    return (_SOURCES / name).read_text(encoding="utf-8")
