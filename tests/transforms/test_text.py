"""Bytes to rows: encodings, delimiters, line ends and quotes that exports really have."""

from __future__ import annotations

import pytest

from transforms.text import MAX_CELL, MAX_COLUMNS, Sheet, UnreadableError, read_sheet, sanitised

ROWS = [["time", "note"], ["1", "a, b"], ["2", ""]]
TEXT = 'time,note\n1,"a, b"\n2,\n'


@pytest.mark.parametrize(
    "data",
    [
        TEXT.encode(),
        b"\xef\xbb\xbf" + TEXT.encode(),
        TEXT.encode("utf-16"),
        TEXT.replace("\n", "\r\n").encode(),
        TEXT.replace("\n", "\r").encode(),
        b'"time";"note"\r\n"1";"a, b"\r\n"2";""\r\n',
        b'time\tnote\n1\t"a, b"\n2\t\n',
        TEXT.replace("a,", "a\x00,").encode(),
    ],
    ids=["utf-8", "mark", "utf-16", "crlf", "cr", "semicolon", "tab", "nul"],
)
def test_one_table_in_eight_spellings(data: bytes) -> None:
    assert read_sheet(data).rows == ROWS


def test_row_numbers_are_those_of_an_editor() -> None:
    sheet = read_sheet(b'\nTransactions\n\nid,note\n1,"two\nlines"\n2,x\n')
    assert sheet.rows == [["Transactions"], ["id", "note"], ["1", "two\nlines"], ["2", "x"]]
    assert sheet.line_nos == [2, 4, 5, 7]


def test_a_row_wrapped_in_quotes_once_more_is_opened() -> None:
    assert read_sheet(b'a,b,c\n"1,""2,000"",3"\n4,5,6\n').rows == [
        ["a", "b", "c"],
        ["1", "2,000", "3"],
        ["4", "5", "6"],
    ]


def test_a_file_whose_every_row_is_wrapped_is_opened() -> None:
    assert read_sheet(b'"a,""b"""\n"1,""2"""\n').rows == [["a", "b"], ["1", "2"]]


def test_a_quoted_sentence_with_commas_stays_one_cell() -> None:
    assert read_sheet(b'"Please note, this is no advice, ask"\na,b\n1,2\n').rows[0] == [
        "Please note, this is no advice, ask"
    ]


def test_decimal_commas_do_not_make_a_semicolon_file_a_comma_file() -> None:
    sheet = read_sheet(b"a;b\n1,5;2,5\n3,5;4,5\n")
    assert (sheet.delimiter, sheet.rows[1]) == (";", ["1,5", "2,5"])


def test_no_bytes_are_no_rows() -> None:
    assert read_sheet(b"") == Sheet([], [], "utf-8", ",")


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"PK\x03\x04rest", "zip archive or an Excel workbook"),
        (b"%PDF-1.7", "PDF"),
        (b"caf\xe9,1", "neither UTF-8 nor UTF-16"),
        (bytes(range(1, 9)) * 50, "binary"),
        (b"a," * MAX_COLUMNS + b"a", "more than 2000"),
        (b"a," + b"x" * (MAX_CELL + 1), "more than 100000 characters"),
    ],
)
def test_what_is_no_table_says_why_and_quotes_nothing(data: bytes, why: str) -> None:
    with pytest.raises(UnreadableError, match=why) as error:
        read_sheet(data)
    assert error.value.reason == str(error.value)
    assert "xxx" not in error.value.reason


def test_quoted_client_text_is_short_and_has_no_control_or_direction_characters() -> None:
    assert sanitised("a\x1b[31m\u202eb\nc") == "a [31m b c"
    assert len(sanitised("x" * 10_000)) == 60
