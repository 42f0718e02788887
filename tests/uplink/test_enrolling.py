"""Enrolling a box over real HTTPS: wrong line, wrong province, lost answers, and what a person is told."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from edge.cli import main
from edge.config import Config
from edge.errors import BadInput, Conflict, ExamroomError, Refused, Unavailable, VerificationFailed
from edge.gateway import rooms as gateway_rooms
from edge.gateway.rooms import issue_token
from edge.gateway.settings import Province
from edge.ops.ports import free_port
from edge.store import identity, ledger
from edge.store.db import open_room
from edge.trust import enrolment
from edge.trust.token import spaced
from edge.uplink.enrol import enrol, enrol_local
from support.gateways import GatewayProcess, RealRoom, add_results, make_province, real_room, room_config
from support.serving import write_config


def kinds(config: Config) -> list[str]:
    connection = open_room(config.paths.room_db)
    try:
        return [entry.kind for entry in ledger.entries(connection)]
    finally:
        connection.close()


def test_a_box_becomes_a_room(tmp_path: Path, province: Province, gateway: GatewayProcess) -> None:
    config = room_config(tmp_path, gateway)
    token = issue_token(province, "enrol-1", "示例学校")
    made = enrol(config, None, None, spaced(token).lower())
    assert made.certificate.room == "enrol-1"
    assert made.root_public == province.root.public
    assert enrol(config, None, None, token).envelope == made.envelope, "the same token again is harmless"
    assert kinds(config) == ["enrolled"]
    assert enrolment.load(config.paths).url == gateway.url


def test_a_box_remembers_its_gateway_without_configuration(
    tmp_path: Path, province: Province, gateway: GatewayProcess
) -> None:
    config = room_config(tmp_path, None)
    with pytest.raises(Unavailable) as error:
        enrol(config, None, None, issue_token(province, "enrol-2", "示例学校"))
    assert error.value.code == "gateway_unset"
    made = enrol(config, gateway.url, gateway.ca, issue_token(province, "enrol-2", "示例学校"))
    assert made.url == gateway.url
    assert made.ca is not None and made.ca.read_bytes() == gateway.ca.read_bytes()


def code_of(config: Config, url: str | None, ca: Path | None, token: str) -> str:
    with pytest.raises(ExamroomError) as error:
        enrol(config, url, ca, token)
    assert kinds(config) == []
    with pytest.raises(Unavailable):
        enrolment.load(config.paths)
    return error.value.code


def test_what_can_be_wrong_is_told_and_changes_nothing(
    tmp_path: Path, province: Province, gateway: GatewayProcess
) -> None:
    config = room_config(tmp_path / "room", gateway)
    other = make_province(tmp_path / "other")
    try:
        token = issue_token(province, "enrol-3", "示例学校")
        foreign = issue_token(other, "enrol-3", "示例学校")
        assert code_of(config, None, None, "ABCD") == "token_malformed"
        assert code_of(config, "http://127.0.0.1", None, token) == "gateway_url"
        assert code_of(config, None, tmp_path / "none.pem", token) == "ca_unreadable"
        assert code_of(config, f"https://127.0.0.1:{free_port()}", None, token) == "gateway_unreachable"
        assert code_of(config, None, other.ca, token) == "gateway_untrusted"
        assert code_of(config, None, None, foreign) == "token_unknown"
        rubbish = tmp_path / "rubbish.pem"
        rubbish.write_text("rubbish")
        assert code_of(config, None, rubbish, token) == "ca_unreadable"
    finally:
        other.close()
    assert enrol(config, None, None, token).certificate.epoch == 1


def test_a_gateway_of_another_province_is_not_believed(tmp_path: Path, province: Province) -> None:
    """The line is trusted, the token even known there, but the root is not the one the token names."""
    impostor = make_province(tmp_path / "impostor")
    try:
        token = issue_token(province, "enrol-4", "示例学校")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(gateway_rooms, "new_token", lambda _root: token)
            issue_token(impostor, "enrol-4", "示例学校")
            patch.setattr(gateway_rooms, "is_for", lambda _token, _root: True)
            request = enrolment.request_for(room_config(tmp_path / "room", None).paths, token)
            answer = gateway_rooms.enrol(impostor, request)
        config = room_config(tmp_path / "room", None)
        with pytest.raises(VerificationFailed) as error:
            enrolment.accept(config.paths, token, answer, "https://gateway", None)
        assert error.value.code == "root_other"
    finally:
        impostor.close()


def test_a_spent_token_and_an_enrolled_box_are_refused(
    tmp_path: Path, province: Province, gateway: GatewayProcess
) -> None:
    token = issue_token(province, "enrol-5", "示例学校")
    first, second = room_config(tmp_path / "one", gateway), room_config(tmp_path / "two", gateway)
    enrol(first, None, None, token)
    with pytest.raises(Refused) as spent:
        enrol(second, None, None, token)
    assert spent.value.code == "token_used"
    with pytest.raises(Conflict) as already:
        enrol(first, None, None, issue_token(province, "enrol-5", "示例学校"))
    assert already.value.code == "already_enrolled"


def test_enrolling_anew_needs_the_results_delivered(make_room: Callable[[], RealRoom], province: Province) -> None:
    room = make_room()
    room.add_results(2)
    token = issue_token(province, room.name, "示例学校")
    with pytest.raises(Conflict) as waiting:
        enrol(room.config, None, None, token, again=True)
    assert (waiting.value.code, waiting.value.facts["count"]) == ("results_waiting", 2)
    assert enrolment.load(room.config.paths).envelope == room.identity.envelope
    fresh = enrol(room.config, None, None, token, again=True, leave_waiting=True)
    assert fresh.certificate.epoch == 2
    assert identity.noted(room.db) == (room.name, 2)


def test_an_answer_lost_behind_the_commit_is_asked_for_again(tmp_path: Path) -> None:
    """The gateway commits the enrolment and dies before it answers; the same keys get the same certificate."""
    province = make_province(tmp_path / "province")
    script = str(Path(__file__).parent.parent / "support" / "cut_gateway.py")
    gateway = GatewayProcess(province.folder, script).start()
    try:
        config = room_config(tmp_path / "room", gateway)
        token = issue_token(province, "room-1", "示例学校")
        (province.folder / "cut").write_text("1")
        with pytest.raises(Unavailable) as lost:
            enrol(config, None, None, token)
        assert lost.value.code == "gateway_unreachable"
        made = enrol(config, None, None, token)
        assert made.certificate.epoch == 1, "one epoch, not two"
    finally:
        gateway.stop()
        province.close()


def test_a_small_site_needs_no_gateway(tmp_path: Path) -> None:
    config = room_config(tmp_path, None)
    made = enrol_local(config, "示例学校", "room-1")
    assert enrol_local(config, "示例学校", "room-1").envelope == made.envelope
    assert kinds(config) == ["enrolled"]
    with pytest.raises(Conflict):
        enrol_local(config, "示例学校", "room-2")
    connection = open_room(config.paths.room_db)
    add_results(connection, made, 1)
    connection.close()
    with pytest.raises(Conflict):
        enrol_local(config, "示例学校", "room-1", again=True)
    assert enrol_local(config, "示例学校", "room-1", again=True, leave_waiting=True).certificate.epoch == 2
    with pytest.raises(BadInput):
        enrol_local(config, "示例学校", "考场", again=True, leave_waiting=True)


def test_the_command_prints_what_it_did(tmp_path: Path, province: Province, gateway: GatewayProcess) -> None:
    config = room_config(tmp_path, gateway)
    file = write_config(config, tmp_path)
    token = issue_token(province, "enrol-9", "示例学校")
    run = CliRunner().invoke(main, ["--config", str(file), "enrol", "--token", token, "--json"])
    assert run.exit_code == 0, run.output
    said = json.loads(run.output)
    assert (said["room"], said["epoch"], said["root"]) == ("enrol-9", 1, province.root.public.hex())
    for arguments, status in (
        (["--token", "x"], 2),
        (["--local", "学校"], 2),
        (["--local", "学校", "--room", "other"], 1),
        (["--token", issue_token(province, "enrol-9", "示例学校")], 1),
    ):
        wrong = CliRunner().invoke(main, ["--config", str(file), "enrol", *arguments])
        assert wrong.exit_code == status, wrong.output
        assert wrong.output.strip() and "Traceback" not in wrong.output


def test_no_key_leaves_the_device(tmp_path: Path, province: Province, gateway: GatewayProcess) -> None:
    room = real_room(tmp_path, province, gateway, "enrol-10")
    try:
        secrets = [file.read_bytes() for file in room.config.paths.keys.glob("*.key")]
        assert len(secrets) == 3
        for path in province.folder.rglob("*"):
            if path.is_file():
                data = path.read_bytes()
                assert not any(secret in data or secret.hex().encode() in data for secret in secrets), path
    finally:
        room.close()
