"""Results over a real line: nothing leaves the outbox without a receipt that verifies, whatever is lost on the way."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import func, select

from edge import clock
from edge.cli import main
from edge.errors import BadInput, Refused, Unavailable, VerificationFailed
from edge.gateway.page import overview
from edge.gateway.rooms import issue_token
from edge.gateway.settings import Province
from edge.gateway.tables import alarms, requests, results
from edge.ops.ports import free_port
from edge.store import ledger, outbox, records
from edge.store.db import transaction
from edge.trust.protocol import ReceiptsFile, ResultItem, ResultsAnswer, open_receipt, sign_receipt
from edge.trust.signer import Ed25519Signer
from edge.uplink.client import Endpoint, GatewayClient
from edge.uplink.enrol import enrol
from edge.uplink.outbox import Sent, export, import_receipts, resend_all, send_waiting
from support.gateways import (
    GatewayProcess,
    RealRoom,
    flipped,
    make_province,
    payload_of,
    real_room,
    result_envelope,
)
from support.serving import write_config


def send(room: RealRoom, client: GatewayClient | None = None) -> Sent:
    return send_waiting(room.db, client or room.client, room.identity)


def states(room: RealRoom) -> dict[int, str]:
    return {one.seq: one.state for one in outbox.after(room.db, (0, 0), 1000)}


def stored(province: Province, room: str) -> int:
    with province.engine.connect() as connection:
        query = select(func.count()).select_from(results).where(results.c.room == room)
        return int(connection.execute(query).scalar_one())


def test_every_result_gets_its_receipt_and_ledger_entry(room: RealRoom, province: Province) -> None:
    made = room.add_results(120)
    assert send(room) == Sent(sent=120, new=120)
    assert outbox.counts(room.db) == {"waiting": 0, "receipted": 120, "refused": 0}
    for result in made:
        row = outbox.find(room.db, result.epoch, result.seq)
        assert row is not None and row.receipt is not None
        receipt = open_receipt(row.receipt, province.key.public)
        assert (receipt.room, receipt.seq, receipt.body_sha256) == (room.name, result.seq, result.sha256)
    noted = {entry.body["seq"]: entry.body for entry in ledger.entries(room.db, kinds=("receipt",))}
    assert sorted(noted) == list(range(1, 121))
    assert noted[7]["receipt_sha256"] == hashlib.sha256(outbox.find(room.db, 1, 7).receipt or b"").hexdigest()  # type: ignore[union-attr]
    assert stored(province, room.name) == 120
    assert send(room) == Sent()


def test_everything_sent_twice_is_stored_once_with_identical_receipts(room: RealRoom, province: Province) -> None:
    room.add_results(70)
    send(room)
    before = [one.receipt for one in outbox.after(room.db, (0, 0), 100)]
    size = ledger.size(room.db)
    assert resend_all(room.db, room.client, room.identity) == Sent(sent=70, same=70)
    assert [one.receipt for one in outbox.after(room.db, (0, 0), 100)] == before
    assert ledger.size(room.db) == size
    assert stored(province, room.name) == 70
    with province.engine.connect() as connection:
        rows = connection.execute(select(requests).where(requests.c.room == room.name)).all()
    shas = [sha for row in rows if row.route.endswith("/results") for sha in json.loads(row.shas)]
    assert len(shas) == 140 and len(set(shas)) == 70


def test_without_a_line_results_wait_and_then_go(room: RealRoom) -> None:
    room.add_results(3)
    nowhere = Endpoint(f"https://127.0.0.1:{free_port()}", room.client.endpoint.ca, 2.0)
    with GatewayClient(nowhere, room.identity) as client, pytest.raises(Unavailable) as error:
        send(room, client)
    assert error.value.code == "gateway_unreachable"
    rows = outbox.waiting(room.db, 10)
    assert [(one.tries, one.last_error) for one in rows] == [(1, "gateway_unreachable")] * 3
    assert send(room).new == 3


def test_another_provinces_line_is_not_trusted(room: RealRoom, tmp_path: Path) -> None:
    other = make_province(tmp_path / "other")
    other.close()
    room.add_results(1)
    with (
        GatewayClient(Endpoint(room.client.endpoint.url, other.ca, 2.0), room.identity) as client,
        pytest.raises(Unavailable) as error,
    ):
        send(room, client)
    assert error.value.code == "gateway_untrusted"
    assert states(room) == {1: "waiting"}


def test_a_wrong_clock_signs_by_the_gateways(room: RealRoom, monkeypatch: pytest.MonkeyPatch) -> None:
    room.add_results(2)
    now = clock.wall_ms()
    monkeypatch.setattr(clock, "wall_ms", lambda: now - 40 * 365 * 86_400_000)
    assert send(room).new == 2
    assert abs(room.client.now_ms() - now) < 60_000


class Bent(GatewayClient):
    """A client whose answers somebody bends on the way."""

    bend: Callable[[list[ResultItem]], list[ResultItem]] = staticmethod(lambda items: items)

    def send_results(self, envelopes: list[bytes]) -> ResultsAnswer:
        return ResultsAnswer(items=self.bend(super().send_results(envelopes).items))


def with_receipt(item: ResultItem, receipt: bytes) -> ResultItem:
    return item.model_copy(update={"receipt": receipt.decode("latin-1")})


def test_receipts_that_do_not_verify_leave_their_results_waiting(room: RealRoom, province: Province) -> None:
    room.add_results(6)
    stranger = Ed25519Signer.generate()

    def bend(items: list[ResultItem]) -> list[ResultItem]:
        receipts = [(item.receipt or "").encode() for item in items]
        if len(items) < 6:
            return [with_receipt(item, flipped(receipt, 60)) for item, receipt in zip(items, receipts, strict=True)]
        told = open_receipt(receipts[3], province.key.public)
        return [
            with_receipt(items[0], flipped(receipts[0], 60)),
            with_receipt(items[1], receipts[2]),
            items[2],
            with_receipt(items[3], sign_receipt(told, stranger)),
            with_receipt(items[4], sign_receipt(told.model_copy(update={"seq": 5, "room": "other"}), province.key)),
            with_receipt(items[5], sign_receipt(told.model_copy(update={"seq": 6}), province.key)),
        ]

    client = Bent(room.client.endpoint, room.identity)
    client.bend = bend
    with client:
        done = send(room, client)
    assert done.new == 1 and done.error in ("envelope_broken", "signature_wrong", "receipt_wrong")
    assert [seq for seq, state in states(room).items() if state == "receipted"] == [3]
    assert len(ledger.entries(room.db, kinds=("receipt",))) == 1
    assert send(room).new == 5, "an honest answer settles them"


def test_any_flipped_byte_of_a_receipt_is_refused(room: RealRoom) -> None:
    room.add_results(1)
    [answer] = room.client.send_results([one.envelope for one in outbox.waiting(room.db, 1)]).items
    receipt = (answer.receipt or "").encode()

    class Replay(GatewayClient):
        at = 0

        def send_results(self, envelopes: list[bytes]) -> ResultsAnswer:
            return ResultsAnswer(items=[with_receipt(answer, flipped(receipt, self.at))])

    client = Replay(room.client.endpoint, room.identity)
    for client.at in range(0, len(receipt), 3):
        assert send(room, client).new == 0
    client.close()
    assert states(room) == {1: "waiting"}
    assert send(room).new == 1


def test_a_fork_is_refused_noted_and_does_not_hold_up_the_rest(room: RealRoom, province: Province) -> None:
    certificate = room.identity.certificate
    twin = result_envelope(room.name, 1, 2, room.identity.keys.sign, from_a_copied_box=True)
    room.client.send_results([twin])
    room.add_results(3)
    done = send(room)
    assert (done.new, done.refused, done.error) == (2, 1, "result_fork")
    assert states(room) == {1: "receipted", 2: "refused", 3: "receipted"}
    [entry] = ledger.entries(room.db, kinds=("result_refused",))
    assert (entry.body["seq"], entry.body["reason"]) == (2, "result_fork")
    with province.engine.connect() as connection:
        codes = connection.execute(select(alarms.c.code).where(alarms.c.room == certificate.room)).scalars().all()
    assert codes == ["result_fork"]
    assert send(room) == Sent()


def test_a_result_too_large_is_refused_here_and_the_rest_goes(room: RealRoom) -> None:
    large = result_envelope(room.name, 1, 1, room.identity.keys.sign, filler="x" * 300_000)
    with transaction(room.db):
        sha256 = hashlib.sha256(large).hexdigest()
        records.add_result(room.db, records.Result(1, 1, "S", "p0", large, sha256))
    room.add_results(2)
    send(room)
    assert send(room).sent == 0
    assert states(room) == {1: "refused", 2: "receipted", 3: "receipted"}


def test_results_of_a_closed_epoch_keep_their_receipts(make_room: Callable[[], RealRoom], province: Province) -> None:
    room = make_room()
    room.add_results(2)
    send(room)
    late = room.add_results(1)
    token = issue_token(province, room.name, "示例学校")
    fresh = enrol(room.config, None, None, token, again=True, leave_waiting=True)
    with pytest.raises(Refused) as closed:
        send(room)
    assert closed.value.code == "epoch_closed", "the old key speaks for nobody now"
    with GatewayClient(room.client.endpoint, fresh) as client:
        done = send_waiting(room.db, client, fresh)
        assert (done.new, done.refused, done.error) == (0, 1, "epoch_closed")
        again = resend_all(room.db, client, fresh)
    assert (again.sent, again.same) == (3, 2)
    assert states(room)[late[0].seq] == "refused"


@pytest.fixture
def cut(tmp_path: Path) -> Any:
    province = make_province(tmp_path / "province")
    script = str(Path(__file__).parent.parent / "support" / "cut_gateway.py")
    gateway = GatewayProcess(province.folder, script).start()
    room = real_room(tmp_path / "room", province, gateway, "room-1")
    yield province, gateway, room
    room.close()
    gateway.stop()
    province.close()


def test_answers_lost_behind_the_commit_end_with_one_of_each(cut: tuple[Province, GatewayProcess, RealRoom]) -> None:
    """The gateway commits and dies before it answers, again and again: stored once, receipted once."""
    province, _, room = cut
    room.add_results(120)
    for lost in (1, 2, 3):
        (province.folder / "cut").write_text("1")
        with pytest.raises(Unavailable):
            send(room)
        committed = stored(province, room.name)
        assert committed == 50 * min(lost, 2) or committed == 120
    while outbox.counts(room.db)["waiting"]:
        send(room)
    assert stored(province, room.name) == 120
    assert outbox.counts(room.db)["receipted"] == 120
    report = overview(province, 100)
    arrivals = [sha for row in report.requests if row["route"].endswith("/results") for sha in row["shas"]]
    assert len(arrivals) > 120 and len(set(arrivals)) == 120
    seqs = sorted(entry.body["seq"] for entry in ledger.entries(room.db, kinds=("receipt",)))
    assert seqs == list(range(1, 121))


def test_by_memory_stick(make_room: Callable[[], RealRoom], province: Province, tmp_path: Path) -> None:
    room, other = make_room(), make_room()
    room.add_results(5)
    file = write_config(room.config, tmp_path)
    stick, receipts = tmp_path / "results.json", tmp_path / "receipts.json"

    def run(*arguments: object, config: Path | None = file) -> tuple[int, str]:
        lead = [] if config is None else ["--config", str(config)]
        result = CliRunner().invoke(main, [*lead, *(str(one) for one in arguments)])
        assert "Traceback" not in result.output
        return result.exit_code, result.output

    assert run("uplink", "export", stick, "--json")[0] == 0
    assert export(room.db, room.identity).model_dump_json() == stick.read_text()
    assert run("gateway", "intake", "--dir", province.folder, stick, "--out", receipts, config=None)[0] == 0
    foreign = write_config(other.config, room.config.paths.state)
    assert run("uplink", "import", receipts, config=foreign)[0] == 2
    status, said = run("uplink", "import", receipts, "--json")
    assert (status, json.loads(said)["new"]) == (0, 5)
    assert json.loads(run("uplink", "import", receipts, "--json")[1])["same"] == 5
    assert json.loads(run("uplink", "status", "--json")[1])["receipted"] == 5
    assert json.loads(run("uplink", "resend", "--json")[1])["same"] == 5
    assert run("uplink", "import", tmp_path / "none")[0] == 2
    assert run("uplink", "export", tmp_path / "none" / "x")[0] == 2
    stick.write_text("{}")
    assert run("uplink", "import", stick)[0] == 2


def test_receipts_on_a_stick_are_verified_like_any(room: RealRoom, province: Province) -> None:
    room.add_results(2)
    answer = room.client.send_results([one.envelope for one in outbox.waiting(room.db, 2)])
    good = ReceiptsFile(
        format="examroom-receipts-1", room=room.name, gateway=province.statement.decode(), items=answer.items
    )
    one, two = answer.items
    swapped = one.model_copy(update={"receipt": two.receipt})
    unknown = payload_of((one.receipt or "").encode()) | {"seq": 77}
    forged = sign_receipt(open_receipt((one.receipt or "").encode(), province.key.public), Ed25519Signer.generate())
    for wrong in (
        good.model_copy(update={"gateway": (one.receipt or "")}),
        good.model_copy(update={"items": [with_receipt(one, forged)]}),
        good.model_copy(update={"items": [one, with_receipt(two, forged)]}),
        good.model_copy(update={"room": "other"}),
    ):
        with pytest.raises((VerificationFailed, BadInput)):
            import_receipts(room.db, room.identity, wrong)
    assert unknown["seq"] == 77
    assert outbox.counts(room.db)["receipted"] == 0, "nothing of a file of which anything does not hold"
    assert import_receipts(room.db, room.identity, good.model_copy(update={"items": [swapped]})).new == 1
    assert states(room) == {1: "waiting", 2: "receipted"}, "a receipt goes to the result it names"
    assert import_receipts(room.db, room.identity, good).new == 1
