"""The room's side of the gateway's contract: a call is a request, with no hidden retry; the loop decides on those."""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import requests
from pydantic import BaseModel, ValidationError

from edge import clock
from edge.config import Config
from edge.domain.reasons import REASONS, bare
from edge.errors import (
    BadInput,
    Conflict,
    ExamroomError,
    NotFound,
    NotSignedIn,
    Refused,
    TooMany,
    Unavailable,
    VerificationFailed,
)
from edge.trust.enrolment import Identity
from edge.trust.protocol import (
    IN_ENGLISH,
    BundleItem,
    BundleList,
    CheckpointAnswer,
    CheckpointRequest,
    EnrolAnswer,
    EnrolRequest,
    ErrorBody,
    Health,
    ReleaseAnswer,
    ReleaseRequest,
    ResultsAnswer,
    ResultsRequest,
    RoomStatus,
    authorization,
)
from edge.trust.remote import ClipEnd, ClipFile, ClipList, ClipPlan, ClipRefusal, ClipState, PartAddress
from edge.uplink.pace import Pace, Paced
from edge.uplink.patience import wait_for
from edge.why import why

log = logging.getLogger("examroom.uplink")

CONNECT_SECONDS = 4.0
_LARGEST_ANSWER = 20 * 1024 * 1024
_CHUNK = 64 * 1024
_CLASSES: dict[int, type[ExamroomError]] = {
    400: BadInput,
    401: NotSignedIn,
    403: Refused,
    404: NotFound,
    409: Conflict,
    422: VerificationFailed,
    429: TooMany,
}

T = TypeVar("T")
Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True)
class Endpoint:
    """Where the gateway is; `ca` None trusts the system's authorities. `timeout` in seconds, between two bytes."""

    url: str
    ca: Path | None
    timeout: float


def endpoint(config: Config, identity: Identity | None, url: str | None = None, ca: Path | None = None) -> Endpoint:
    """The gateway in force: the one given, else the configured one, else the one that enrolled this room.

    Unavailable `gateway_unset` where there is none; BadInput for what is no HTTPS address or no CA file.
    """
    address = url or config.gateway.url or (identity.url if identity is not None else None)
    if not address:
        unset = Unavailable("gateway_unset")
        unset.exit_code = 2  # a command lacks its configuration
        raise unset
    if not address.startswith("https://") or len(address) > 500:
        raise BadInput("gateway_url", url=address[:200])
    authority = ca or config.gateway.ca or (identity.ca if identity is not None else None)
    if authority is not None and not authority.is_file():
        raise BadInput("ca_unreadable", path=authority)
    return Endpoint(address.rstrip("/"), authority, config.gateway.timeout_seconds)


@dataclass
class GatewayClient:
    """Calls to one gateway. `stop` cuts any of them short; `beat` hears that we still wait.

    Errors: Unavailable where there is no line or no trust in it (`gateway_unreachable`, `gateway_untrusted`,
    `gateway_answer`, `uplink_stopping`); the gateway's own refusals as the error class of their status and code.
    """

    endpoint: Endpoint
    identity: Identity | None = None
    stop: threading.Event = field(default_factory=threading.Event)
    beat: Callable[[], None] = lambda: None
    offset_ms: int = 0  # the gateway's clock minus ours, learnt from its answer when ours is wrong
    _session: requests.Session = field(default_factory=requests.Session)

    def __post_init__(self) -> None:
        self._session.trust_env = False  # no .netrc may replace our Authorization, no variable our CA

    def close(self) -> None:
        self._session.close()

    def __enter__(self) -> GatewayClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def now_ms(self) -> int:
        """The gateway's time as far as we know it."""
        return clock.wall_ms() + self.offset_ms

    def health(self) -> Health:
        return self._call("GET", "/v1/health", None, Health, signed=False)

    def enrol(self, request: EnrolRequest) -> EnrolAnswer:
        return self._call("POST", "/v1/enrol", request, EnrolAnswer, signed=False)

    def status(self) -> RoomStatus:
        return self._call("GET", self._room("status"), None, RoomStatus)

    def bundles(self) -> BundleList:
        return self._call("GET", self._room("bundles"), None, BundleList)

    def release(self, wanted: ReleaseRequest) -> str:
        """The envelope in which the gateway releases the second share of a bank; nothing in it is believed yet."""
        return self._call("POST", self._room("releases"), wanted, ReleaseAnswer).release

    def send_results(self, envelopes: list[bytes]) -> ResultsAnswer:
        wanted = ResultsRequest(envelopes=[envelope.decode() for envelope in envelopes])
        answer = self._call("POST", self._room("results"), wanted, ResultsAnswer)
        if len(answer.items) != len(envelopes):
            raise Unavailable("gateway_answer", status=200)
        return answer

    def push_checkpoint(self, request: CheckpointRequest) -> str:
        return self._call("POST", self._room("checkpoints"), request, CheckpointAnswer).note

    def clips(self) -> ClipList:
        return self._call("GET", self._room("clips"), None, ClipList)

    def refuse_clip(self, clip: str, reason: str) -> ClipState:
        return self._call("POST", self._room(f"clips/{clip}/refusal"), ClipRefusal(reason=reason), ClipState)

    def clip_file(self, clip: str, file: ClipFile) -> ClipPlan:
        """What of the file is still to be sent, and where to."""
        return self._call("POST", self._room(f"clips/{clip}/file"), file, ClipPlan)

    def end_clip(self, clip: str, sha256: str) -> ClipState:
        return self._call("POST", self._room(f"clips/{clip}/end"), ClipEnd(sha256=sha256), ClipState)

    def put_part(self, part: PartAddress, data: bytes, pace: Pace) -> None:
        """PUT one part where the gateway said, no faster than `pace`.

        An address without a host is the gateway's; another has to be HTTPS, with a certificate that the system trusts,
        and gets nothing of ours but the part. Unavailable `clip_store` where such a store fails or refuses.
        """
        own = part.url.startswith("/")
        if not own and not part.url.startswith("https://"):
            raise Unavailable("clip_store", detail=part.url.partition("?")[0][:100])

        def once() -> None:
            url = self.endpoint.url + part.url if own else part.url
            verify = True if self.endpoint.ca is None or not own else str(self.endpoint.ca)
            timeout = (min(CONNECT_SECONDS, self.endpoint.timeout), self.endpoint.timeout)
            with _network_errors() if own else _store_errors():
                body = Paced(data, pace)
                with self._session.put(
                    url, data=body, timeout=timeout, verify=verify, allow_redirects=False, stream=True
                ) as answer:
                    status, content = answer.status_code, _read(answer)
            if own:
                _check(status, content, (200,))
            elif status != 200:
                raise Unavailable("clip_store", detail=f"HTTP {status}")

        wait_for(once, self.stop, self.beat)

    def fetch_bundle(self, item: BundleItem, part: Path) -> None:
        """Fetch a sealed file into `part`, going on where an earlier try ended, and check size and SHA-256.

        Unavailable when the line broke: `part` stays for the next try. VerificationFailed when the whole file is not
        what the list said: `part` is removed.
        """
        target = self._room(f"bundles/{item.kind}/{item.name}/{item.version}")
        resumed = part.exists()
        self._with_clock(lambda: wait_for(lambda: self._download(target, item, part), self.stop, self.beat))
        if self.stop.is_set():
            raise Unavailable("uplink_stopping")
        if part.stat().st_size < item.size:
            raise Unavailable("gateway_unreachable")
        if part.stat().st_size == item.size and _sha256(part) == item.sha256:
            return
        part.unlink()
        if not resumed:
            raise VerificationFailed("bundle_content", name=item.name)
        self.fetch_bundle(item, part)  # the old beginning may have been what was wrong

    def _room(self, rest: str) -> str:
        if self.identity is None:
            raise Unavailable("room_not_enrolled")
        return f"/v1/rooms/{self.identity.certificate.room}/{rest}"

    def _call(
        self, method: str, target: str, body: BaseModel | None, model: type[Model], *, signed: bool = True
    ) -> Model:
        data = b"" if body is None else body.model_dump_json().encode()

        def once() -> Model:
            with self._request(method, target, data, signed) as response:
                content = _read(response)
            _check(response.status_code, content, (200,))
            try:
                return model.model_validate_json(content)
            except ValidationError as error:
                raise Unavailable("gateway_answer", status=response.status_code) from error

        return self._with_clock(lambda: wait_for(once, self.stop, self.beat))

    def _with_clock(self, call: Callable[[], T]) -> T:
        """`call`, and once more by the gateway's clock when it says that ours is off."""
        try:
            return call()
        except _ClockSkew as error:
            self.offset_ms = error.time_ms - clock.wall_ms()
            log.warning("our clock is %d s off the gateway's; signing by its time", -self.offset_ms // 1000)
            return call()

    @contextmanager
    def _request(
        self, method: str, target: str, data: bytes, signed: bool, headers: dict[str, str] | None = None
    ) -> Iterator[requests.Response]:
        sent = dict(headers or {})
        if data:
            sent["Content-Type"] = "application/json"
        if signed and self.identity is not None:
            certificate, signer = self.identity.certificate, self.identity.keys.sign
            sent["Authorization"] = authorization(
                signer, certificate.room, certificate.epoch, method, target, data, self.now_ms()
            )
        with _network_errors():
            response = self._session.request(
                method,
                self.endpoint.url + target,
                data=data or None,
                headers=sent,
                timeout=(min(CONNECT_SECONDS, self.endpoint.timeout), self.endpoint.timeout),
                verify=True if self.endpoint.ca is None else str(self.endpoint.ca),
                allow_redirects=False,
                stream=True,
            )
            try:
                yield response
            finally:
                response.close()

    def _download(self, target: str, item: BundleItem, part: Path) -> None:
        have = part.stat().st_size if part.exists() else 0
        if have > item.size:
            part.unlink()
            have = 0
        if have == item.size:
            return
        headers = {"Accept-Encoding": "identity"}
        if have:
            headers |= {"Range": f"bytes={have}-", "If-Range": f'"{item.sha256}"'}
        with self._request("GET", target, b"", True, headers) as response:
            if response.status_code not in (200, 206):
                _check(response.status_code, _read(response), ())
            resumed = response.headers.get("Content-Range", "").startswith(f"bytes {have}-")
            if response.status_code == 206 and not resumed:
                raise Unavailable("gateway_answer", status=206)
            written = have if response.status_code == 206 else 0
            try:
                with part.open("ab" if written else "wb") as file:
                    for chunk in response.iter_content(_CHUNK):
                        written += len(chunk)
                        if written > item.size or self.stop.is_set():
                            break
                        file.write(chunk)
            except requests.RequestException:
                raise
            except OSError as error:
                raise Unavailable("bundle_storage", name=item.name, detail=why(error)) from error


class _ClockSkew(NotSignedIn):
    """The gateway refused our clock and told its own."""

    def __init__(self, body: ErrorBody) -> None:
        super().__init__("clock_skew", **_facts(body))
        self.time_ms = body.time_ms


@contextmanager
def _network_errors() -> Iterator[None]:
    """What `requests` raises, as sentences an operator can act on."""
    try:
        yield
    except requests.exceptions.SSLError as error:
        broken = "EOF occurred" in str(error)  # the line ended in the middle, which says nothing of the certificate
        raise Unavailable("gateway_unreachable" if broken else "gateway_untrusted") from error
    except requests.exceptions.RequestException as error:
        raise Unavailable("gateway_unreachable") from error
    except OSError as error:
        raise Unavailable("ca_unreadable", path="ca") from error


@contextmanager
def _store_errors() -> Iterator[None]:
    """The same of a store that is not the gateway: the line to the gateway may be good."""
    try:
        yield
    except requests.exceptions.RequestException as error:
        raise Unavailable("clip_store", detail=why(error)) from error


def _read(response: requests.Response) -> bytes:
    content = b""
    for chunk in response.iter_content(_CHUNK):
        content += chunk
        if len(content) > _LARGEST_ANSWER:
            raise Unavailable("gateway_answer", status=response.status_code)
    return content


def _check(status: int, content: bytes, good: tuple[int, ...]) -> None:
    """Raise what an answer other than `good` says, in our own words where our catalogue has the code."""
    if status in good:
        return
    try:
        body = ErrorBody.model_validate_json(content)
    except ValidationError as error:
        raise Unavailable("gateway_answer", status=status) from error
    if status == 401 and body.error == "clock_skew":
        raise _ClockSkew(body)
    kind = _CLASSES.get(status, Unavailable)
    if body.error in REASONS:
        raise kind(body.error, **_facts(body))
    raise kind("gateway_refused", detail={"zh": bare(body.zh), "en": bare(body.en)})


def _facts(body: ErrorBody) -> dict[str, object]:
    given = {name: value for name, value in body.facts.items() if name not in ("self", "code")}
    twice = {name for name in given if name + IN_ENGLISH in given}
    single = {name: value for name, value in given.items() if name.removesuffix(IN_ENGLISH) not in twice}
    return single | {name: {"zh": str(given[name]), "en": str(given[name + IN_ENGLISH])} for name in twice}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
