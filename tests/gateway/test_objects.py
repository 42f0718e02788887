"""Where footage is kept: signatures as AWS publishes them, and a bucket behind a server that checks each one."""

from __future__ import annotations

import hashlib
import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests
from click.testing import CliRunner
from flask.testing import FlaskClient

from edge import clock
from edge.cli import main
from edge.errors import BadInput, ConfigError, Conflict, ExamroomError, NotFound, Unavailable, VerificationFailed
from edge.gateway import clips, joining, objects
from edge.gateway.objects import FolderStore, S3Store
from edge.gateway.rooms import Caller
from edge.gateway.settings import DAY_MS, Province
from edge.gateway.sigv4 import UNSIGNED, Signing, presign, signature
from edge.trust.remote import ClipFile, ClipPlan
from support.gateways import FakeRoom

# the example credentials of Amazon's documentation of S3, and of its signing keys
EXAMPLE = Signing("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "us-east-1")
AT = datetime(2013, 5, 24, tzinfo=UTC)
HOST = "examplebucket.s3.amazonaws.com"
EMPTY = hashlib.sha256(b"").hexdigest()
CLIP = "0" * 32


def test_a_presigned_address_is_the_published_one() -> None:
    assert presign(EXAMPLE, "GET", f"https://{HOST}/test.txt", {}, AT, 86400) == (
        f"https://{HOST}/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524"
        "%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
        "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
    )


@pytest.mark.parametrize(
    ("path", "query", "more", "wanted"),
    [
        (
            "/test.txt",
            {},
            {"range": "bytes=0-9"},
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
        ),
        ("/", {"lifecycle": ""}, {}, "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"),
        (
            "/",
            {"prefix": "J", "max-keys": "2"},
            {},
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
        ),
    ],
)
def test_signed_headers_are_the_published_ones(
    path: str, query: dict[str, str], more: dict[str, str], wanted: str
) -> None:
    headers = {"host": HOST, "x-amz-content-sha256": EMPTY, "x-amz-date": "20130524T000000Z", **more}
    assert signature(EXAMPLE, "GET", path, query, headers, EMPTY, AT) == wanted


def test_the_signing_key_is_the_published_one() -> None:
    example = Signing("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "us-east-1", "iam")
    assert example.key(datetime(2012, 2, 15, tzinfo=UTC)).hex() == (
        "f4780e2d9f65fa895f9c67b32ce1baf0b0d8a43505a000a1a9e090d414db404d"
    )


class Bucket:
    """The calls of S3 that are used, for one bucket: each has to carry a signature that holds."""

    def __init__(self) -> None:
        self.uploads: dict[str, dict[int, bytes]] = {}
        self.keys: dict[str, str] = {}
        self.lists = True
        self.objects: dict[str, bytes] = {}
        self.fails = False

    def answer(self, method: str, address: str, host: str, body: bytes) -> tuple[int, bytes]:
        parts = urlsplit(address)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        signed = query.pop("X-Amz-Signature", "")
        at = datetime.strptime(query["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        if self.fails or signed != signature(EXAMPLE, method, parts.path, query, {"host": host}, UNSIGNED, at):
            return 403, b"<Error><Code>SignatureDoesNotMatch</Code></Error>"
        key, upload = parts.path, query.get("uploadId", "")
        if method == "POST" and "uploads" in query:
            upload = f"u/{len(self.keys)}+"
            self.uploads[upload], self.keys[upload] = {}, key.removeprefix("/films/")
            return 200, f'<R xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><UploadId>{upload}</UploadId></R>'.encode()
        if "uploads" in query:
            of = [one for one in self.uploads if key == "/films" and self.keys[one] == query["prefix"]]
            listed = "".join(f"<Upload><UploadId>{one}</UploadId></Upload>" for one in of)
            return (
                (200, f"<L>{listed}</L>".encode()) if self.lists else (403, b"<Error><Code>AccessDenied</Code></Error>")
            )
        if upload and upload not in self.uploads:
            return 404, b""
        if method == "PUT":
            self.uploads[upload][int(query["partNumber"])] = body
            return 200, b""
        if method == "GET" and upload:
            return 200, self._listed(upload, int(query["part-number-marker"]))
        if method == "POST":
            there = self.uploads.pop(upload)
            if any(f'<PartNumber>{n}</PartNumber><ETag>"{n}"</ETag>'.encode() not in body for n in there):
                return 400, b""
            self.objects[key] = b"".join(there[n] for n in sorted(there))
            return 200, b"<CompleteMultipartUploadResult/>"
        if method == "DELETE":
            self.uploads.pop(upload, None)
            self.objects.pop(key, None)
            return 204, b""
        return (200, self.objects[key]) if key in self.objects else (404, b"")

    def _listed(self, upload: str, after: int) -> bytes:
        """Two parts a page, as a real list has a thousand."""
        left = sorted(n for n in self.uploads[upload] if n > after)
        page = "".join(
            f"<Part><PartNumber>{n}</PartNumber><ETag>&quot;{n}&quot;</ETag><Size>{len(self.uploads[upload][n])}</Size></Part>"
            for n in left[:2]
        )
        more = f"<IsTruncated>{'true' if len(left) > 2 else 'false'}</IsTruncated>"
        marker = f"<NextPartNumberMarker>{left[:2][-1] if left else 0}</NextPartNumberMarker>"
        return f"<ListPartsResult>{page}{more}{marker}</ListPartsResult>".encode()


@contextmanager
def serving(bucket: Bucket) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def _all(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, content = bucket.answer(self.command, self.path, self.headers["Host"], body)
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _all

        def log_message(self, format: str, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join(5)


@contextmanager
def bucket_of(province: Province) -> Iterator[Bucket]:
    """The bucket in which the province keeps footage from now on."""
    bucket = Bucket()
    with serving(bucket) as url:
        (province.folder / "keys" / "s3.secret").write_text(EXAMPLE.secret + "\n")
        wanted = {"s3_url": url, "s3_bucket": "films", "s3_access_key": EXAMPLE.access_key}
        object.__setattr__(province, "settings", province.settings.model_copy(update=wanted))
        yield bucket


def caller_of(room: FakeRoom) -> Caller:
    assert room.certificate is not None
    return Caller(room.room, 1, room.certificate, False)


def file_of(data: bytes, size: int) -> ClipFile:
    parts = [data[at : at + size] for at in range(0, len(data), size)]
    hashes = [hashlib.sha256(part).hexdigest() for part in parts]
    return ClipFile(size=len(data), sha256=hashlib.sha256(data).hexdigest(), part_bytes=size, parts=hashes)


def test_a_file_goes_through_a_bucket_in_parts(
    province: Province, room: FakeRoom, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = bytes(range(256)) * (5 << 14)  # 20 MiB and then some, in parts of the smallest size S3 takes
    file = file_of(data + b"end", 5 << 20)
    with bucket_of(province) as bucket:
        caller = caller_of(room)
        request = clips.ask(province, room.room, "door", 1, 9, "复核", "处长")
        plan = clips.plan(province, caller, request.id, file, "r")
        assert [part.number for part in plan.missing] == [1, 2, 3, 4, 5]
        for part in reversed(plan.missing[1:]):
            at = (part.number - 1) * file.part_bytes
            piece = (data + b"end")[at : at + file.part_bytes]
            assert requests.put(part.url, data=piece, timeout=5).status_code == 200
            assert requests.put(part.url.replace("partNumber=", "partNumber=1"), data=b"", timeout=5).status_code == 403
        assert [part.number for part in clips.plan(province, caller, request.id, file, "r").missing] == [1]
        with pytest.raises(Conflict):
            clips.finish(province, caller, request.id, file.sha256, "r")
        assert clips.listed(province)[0]["share"] == 80
        requests.put(plan.missing[0].url, data=data[: file.part_bytes], timeout=5)
        assert clips.finish(province, caller, request.id, file.sha256, "r").state == "received"
        clips.save(province, request.id, tmp_path / "out")
        assert (tmp_path / "out").read_bytes() == data + b"end"
        [key] = bucket.objects
        bucket.objects[key] = bucket.objects[key][:-1] + b"!"
        with pytest.raises(VerificationFailed):
            clips.save(province, request.id, tmp_path / "again")
        assert not list(tmp_path.glob("*again*"))
        clips.forget(province, request.id)
        assert not bucket.objects and not bucket.uploads
        # one that is taken back half way leaves no parts, and small parts are not begun at all
        other = clips.ask(province, room.room, "door", 1, 9, "复核", "处长")
        clips.plan(province, caller, other.id, file, "r")
        clips.forget(province, other.id)
        assert not bucket.uploads
        # while the bucket does not let us, what is taken back stays known, is not served, and goes later
        stuck = clips.ask(province, room.room, "door", 1, 9, "复核", "处长")
        clips.plan(province, caller, stuck.id, file, "r")
        bucket.fails = True
        with pytest.raises(Unavailable):
            clips.forget(province, stuck.id)
        [left] = [one for one in clips.listed(province) if one["id"] == stuck.id]
        assert left["state"] == "refused" and not clips.waiting(province, caller).requests
        bucket.fails = False
        clips.sweep(province)
        assert len(bucket.uploads) == 1, "not with every room's question"
        monkeypatch.setattr(clips, "_resting", {})
        clips.sweep(province)
        assert not bucket.uploads and stuck.id not in [one["id"] for one in clips.listed(province)]
        third = clips.ask(province, room.room, "door", 1, 9, "复核", "处长")
        with pytest.raises(BadInput):
            clips.plan(province, caller, third.id, file_of(data, 1 << 20), "r")
        bucket.fails = True
        with pytest.raises(Unavailable) as refused:
            clips.plan(province, caller, third.id, file, "r")
        assert refused.value.code == "clip_store"


def sent(province: Province, room: FakeRoom, data: bytes, file: ClipFile | None = None) -> tuple[str, ClipFile]:
    """A request whose file of one part has been sent and not ended."""
    file = file or file_of(data, 5 << 20)
    request = clips.ask(province, room.room, "door", 1, 9, "复核", "处长")
    [part] = clips.plan(province, caller_of(room), request.id, file, "r").missing
    assert requests.put(part.url, data=data, timeout=5).status_code == 200
    return request.id, file


def set_back(province: Province, clip: str) -> None:
    """As a gateway leaves it that was killed before it could note what the store had done."""
    with province.engine.begin() as connection:
        clips._set(connection, clip, state="sending", ended_ms=None)


def test_a_moment_lost_at_the_end_of_an_upload_holds_nothing_up(
    province: Province, room: FakeRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    caller = caller_of(room)
    with bucket_of(province) as bucket:
        ended, file = sent(province, room, b"x" * 9)
        clips.finish(province, caller, ended, file.sha256, "r")
        set_back(province, ended)
        assert clips.listed(province)[0]["share"] == 100
        assert clips.plan(province, caller, ended, file, "r") == ClipPlan(received=False, missing=[])
        assert clips.finish(province, caller, ended, file.sha256, "r").state == "received"
        assert list(bucket.objects.values()) == [b"x" * 9]
        # a bucket's own rules throw old uploads away
        aborted, file = sent(province, room, b"y" * 9)
        bucket.uploads.clear()
        assert next(one for one in clips.listed(province) if one["id"] == aborted)["share"] == 0
        assert code(lambda: clips.finish(province, caller, aborted, file.sha256, "r")) == "clip_part_missing"
        [part] = clips.plan(province, caller, aborted, file, "r").missing
        requests.put(part.url, data=b"y" * 9, timeout=5)
        assert clips.finish(province, caller, aborted, file.sha256, "r").state == "received"
        # while the bucket is down, the list says what it knows
        sent(province, room, b"z" * 9)
        bucket.fails = True
        assert sorted(str(one["share"]) for one in clips.listed(province)) == ["100", "100", "None"]
        shown = CliRunner().invoke(main, ["gateway", "clip", "list", "--dir", str(province.folder)])
        assert shown.exit_code == 0 and "None" not in shown.output


def test_what_a_bucket_holds_is_read_before_the_room_may_delete_it(province: Province, room: FakeRoom) -> None:
    caller, good = caller_of(room), b"x" * 9
    with bucket_of(province) as bucket:
        clip, file = sent(province, room, b"!" * 9, file_of(good, 5 << 20))
        assert code(lambda: clips.finish(province, caller, clip, file.sha256, "r")) == "clip_content_wrong"
        assert not bucket.objects and clips.listed(province)[0]["state"] == "sending"
        [part] = clips.plan(province, caller, clip, file, "r").missing
        requests.put(part.url, data=good, timeout=5)
        assert clips.finish(province, caller, clip, file.sha256, "r").state == "received"


def test_a_file_that_takes_long_is_put_together_once_and_asked_for_again(
    province: Province, room: FakeRoom, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    caller, data = caller_of(room), b"ab" * 40_000
    file, go_on, begun = file_of(data, 65_536), threading.Event(), list[str]()
    real = FolderStore.finish

    def slow(store: FolderStore, clip: str, upload: str, what: ClipFile) -> None:
        begun.append(clip)
        assert go_on.wait(20)
        real(store, clip, upload, what)

    def all_sent(what: ClipFile) -> str:
        request = clips.ask(province, room.room, "door", 1, 9, "复核", "处长")
        for part in clips.plan(province, caller, request.id, what, "r").missing:
            at = (part.number - 1) * 65_536
            assert client.put(part.url, data=data[at : at + 65_536]).status_code == 200
        return request.id

    def end(clip: str, what: ClipFile) -> str:
        return clips.finish(province, caller, clip, what.sha256, "r").state

    monkeypatch.setattr(FolderStore, "finish", slow)
    good, wrong = all_sent(file), file.model_copy(update={"sha256": "0" * 64})
    bad, withdrawn = all_sent(wrong), all_sent(file)
    with monkeypatch.context() as hurry:
        hurry.setattr(joining, "WAIT_S", 0.01)
        for _ in range(3):
            assert (end(good, file), end(bad, wrong), end(withdrawn, file)) == ("joining",) * 3
        assert clips.plan(province, caller, good, file, "r") == ClipPlan(received=False, missing=[])
        assert {one["id"]: one["share"] for one in clips.listed(province)} == dict.fromkeys((good, bad, withdrawn), 100)
        clips.refuse(province, caller, withdrawn, "no_footage", "r")
        going_on = list(joining._going_on.values())
        go_on.set()
        assert all(one.done.wait(10) for one in going_on)
    assert sorted(begun) == sorted((good, bad, withdrawn)), "once each"
    assert end(good, file) == "received" and not list((province.folder / "clips" / good).glob("0*"))
    assert code(lambda: clips.plan(province, caller, bad, wrong, "r")) == "clip_content_wrong"
    assert len(clips.plan(province, caller, bad, wrong, "r").missing) == 2, "told once, then begun anew"
    assert not (province.folder / "clips" / withdrawn).exists()
    set_back(province, good)
    assert clips.plan(province, caller, good, file, "r").missing == []
    assert end(good, file) == "received" and b"".join(FolderStore(province.folder / "clips", b"").blocks(good)) == data


@pytest.mark.parametrize("lists", [True, False])
def test_parts_of_an_upload_that_a_killed_gateway_never_noted_go_with_the_clip(lists: bool) -> None:
    """Where the bucket lets us ask for them; else its own rules have to."""
    bucket, file = Bucket(), file_of(b"x" * 9, 5 << 20)
    bucket.lists = lists
    with serving(bucket) as url:
        store = S3Store(url, "films", EXAMPLE)
        unnoted, noted, other = store.begin(CLIP, file), store.begin(CLIP, file), store.begin("1" * 32, file)
        store.delete(CLIP, noted)
    assert set(bucket.uploads) == ({other} if lists else {unnoted, other})


def test_a_bucket_without_its_secret_is_told(province: Province) -> None:
    wanted = province.settings.model_copy(update={"s3_url": "https://s3.example"})
    object.__setattr__(province, "settings", wanted)
    with pytest.raises(ConfigError):
        clips.open_store(province)


def query_of(address: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(address).query))


def code(call: Any) -> str:
    with pytest.raises(ExamroomError) as caught:
        call()
    return caught.value.code


def test_an_address_of_the_folder_lets_its_own_part_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, file = FolderStore(tmp_path, b"s" * 32), file_of(b"a" * 70_000, 65_536)
    address = store.address(CLIP, "", file, 2)
    query, good = query_of(address), b"a" * (70_000 - 65_536)
    assert code(lambda: store.take(CLIP, 1, query, io.BytesIO(good))) == "clip_address"
    assert code(lambda: store.take("1" * 32, 2, query, io.BytesIO(good))) == "clip_address"
    assert code(lambda: store.take(CLIP, 2, query | {"size": "9"}, io.BytesIO(good))) == "clip_address"
    assert code(lambda: store.take(CLIP, 2, query | {"signature": "é"}, io.BytesIO(good))) == "clip_address"
    assert code(lambda: store.take(CLIP, 2, {}, io.BytesIO(good))) == "clip_address"
    for wrong in (good[:-1], good + b"a", b"b" * len(good)):
        assert code(lambda body=wrong: store.take(CLIP, 2, query, io.BytesIO(body))) == "clip_part_wrong"
    now = clock.wall_ms()
    with monkeypatch.context() as later:
        later.setattr(clock, "wall_ms", lambda: now + 3_700_000)
        assert code(lambda: store.take(CLIP, 2, query, io.BytesIO(good))) == "clip_address"
    assert store.missing(CLIP, "", file) == [1, 2] and not list(tmp_path.glob("*/*"))
    store.take(CLIP, 2, query, io.BytesIO(good))
    assert store.missing(CLIP, "", file) == [1]
    monkeypatch.setattr(objects, "_SPARE", 1 << 60)
    assert code(lambda: store.take(CLIP, 2, query, io.BytesIO(good))) == "clip_store_full"
    assert code(lambda: store.begin(CLIP, file)) == "clip_store_full"


def test_a_whole_that_is_not_what_was_announced_is_thrown_away(tmp_path: Path) -> None:
    store, data = FolderStore(tmp_path, b"s" * 32), b"ab" * 40_000
    file = file_of(data, 65_536).model_copy(update={"sha256": "0" * 64})
    for number in (1, 2):
        at = (number - 1) * 65_536
        store.take(CLIP, number, query_of(store.address(CLIP, "", file, number)), io.BytesIO(data[at : at + 65_536]))
    assert code(lambda: store.finish(CLIP, "", file)) == "clip_content_wrong"
    assert store.missing(CLIP, "", file) == [1, 2]
    assert code(lambda: list(store.blocks(CLIP))) == "clip_not_here"


def test_what_has_had_its_days_is_deleted(
    province: Province, room: FakeRoom, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = clips.ask(province, room.room, "door", 1, 9, "复核", "处长")
    assert "等待考场" in client.get("/").text and "处长" not in client.get("/").text
    folder = province.folder / "clips" / request.id
    folder.mkdir(parents=True)
    now = clock.wall_ms()
    monkeypatch.setattr(clock, "wall_ms", lambda: now + 8 * DAY_MS)
    assert clips.listed(province)[0]["state"] == "expired"
    monkeypatch.setattr(clock, "wall_ms", lambda: now + (8 + province.settings.clip_days) * DAY_MS)
    assert clips.listed(province) == []
    with pytest.raises(NotFound):
        clips.forget(province, request.id)


def test_footage_of_no_request_does_not_stay(
    province: Province, room: FakeRoom, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    caller, data = caller_of(room), b"a" * 70_000
    request = clips.ask(province, room.room, "door", 1, 9, "复核", "处长")
    plan = clips.plan(province, caller, request.id, file_of(data, 65_536), "r")
    assert client.put(plan.missing[0].url, data=data[:65_536]).status_code == 200
    folder, gone = province.folder / "clips", province.folder / "clips" / ("9" * 32)
    gone.mkdir()
    for half in (gone / "00001-x", folder / request.id / ".half"):
        half.write_bytes(b"x")
    clips.tidy(province)
    assert [one.name for one in folder.iterdir()] == [request.id] and len(list((folder / request.id).iterdir())) == 1
    with monkeypatch.context() as bad:
        bad.setattr(objects.shutil, "rmtree", lambda _: (_ for _ in ()).throw(OSError(5, "no")))
        assert code(lambda: clips.forget(province, request.id)) == "clip_store"
        assert clips.listed(province)[0]["state"] == "refused"
    clips.forget(province, request.id)
    assert client.put(plan.missing[1].url, data=data[65_536:]).status_code == 403
    assert not list(folder.iterdir())


def test_s3_answers_that_are_none_are_told() -> None:
    with serving(Bucket()) as url:
        store = S3Store(url, "films", Signing("other", "key", "us-east-1"))
        assert code(lambda: store.missing(CLIP, "u", file_of(b"x", 65_536))) == "clip_store"
    assert code(lambda: store.delete(CLIP, "u")) == "clip_store"
    assert code(lambda: list(store.blocks(CLIP))) == "clip_store"
    assert code(lambda: S3Store._tree(b"<a")) == "clip_store"
