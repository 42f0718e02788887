"""Names and document numbers as a public screen may show them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.domain.masking import mask_document, mask_name


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("张三", "张*"),
        ("张三丰", "张**"),
        ("欧阳修", "欧阳*"),
        ("欧阳修远", "欧阳**"),
        ("欧阳", "欧*"),
        ("买买提·艾力", "买买提·**"),
        ("买买提•艾力", "买买提·**"),
        ("Grace Hopper", "G*** H***"),
        (" 张 三 ", "张**"),
        ("李", "李"),
        ("", ""),
    ],
)
def test_names(name: str, shown: str) -> None:
    assert mask_name(name) == shown


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        ("11010519491231002X", "110***********002X"),
        ("E12345678", "E*****678"),
        ("123456", "****56"),
        ("1234", "****"),
        ("", ""),
        ("1101 0519 4912 31002X", "110***********002X"),
    ],
)
def test_documents(number: str, shown: str) -> None:
    assert mask_document(number) == shown


@given(st.text(alphabet="0123456789ABCDEFX", min_size=5, max_size=40))
def test_most_of_a_document_is_hidden(number: str) -> None:
    shown = mask_document(number)
    assert len(shown) == len(number)
    assert shown.count("*") * 2 >= len(number)


@given(st.text(alphabet="王李张刘陈杨赵黄周吴司马光亮", min_size=2, max_size=6))
def test_the_given_name_is_hidden(name: str) -> None:
    shown = mask_name(name)
    assert "*" in shown
    assert not shown.endswith(name[-1])
    assert shown[0] == name[0]
