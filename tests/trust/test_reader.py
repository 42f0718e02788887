"""One form of JSON: what the two verifiers could read otherwise is read by neither."""

from __future__ import annotations

import pytest

from edge.trust.verifier.reader import strict_json


def nested(deep: int, inner: bytes = b"") -> bytes:
    return b"[" * deep + inner + b"]" * deep


@pytest.mark.parametrize(
    "data",
    [
        b"1.0", b"0.1", b"1e5", b"-0", b"NaN", b"Infinity", b"9007199254740992", b"-9007199254740992", b"1" * 501,
        b"1" * 5000, nested(501), nested(501, b"7"), nested(100_000), b'{"a":' * 501 + b"7" + b"}" * 501, b"[1, 2]",
        b'{"b":1,"a":2}', b'{"a":1,"a":1}', b'"\\u0041"', b"\xff", b"", b"1 ", b"01",
    ],
)  # fmt: skip
def test_what_is_not_of_the_form_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError):
        strict_json(data)


def test_what_is_of_the_form_is_read() -> None:
    assert strict_json(b'{"a":[9007199254740991,-9007199254740991,true,null],"b":"[1.5{"}') == {
        "a": [2**53 - 1, 1 - 2**53, True, None], "b": "[1.5{",
    }  # fmt: skip
    assert strict_json(nested(500)) is not None and strict_json(nested(500, b"7")) is not None
    assert len(strict_json(b"[" + b",".join([b"[]"] * 900) + b"]")) == 900


def test_points_alone_may_be_no_integers() -> None:
    assert strict_json(b"[86.5,1e-05,1e+16]", floats=True) == [86.5, 1e-05, 1e16]
    for data in (b"[86.50]", b"1E5", b"NaN", b"1e400", b"9007199254740992"):
        with pytest.raises(ValueError):
            strict_json(data, floats=True)
