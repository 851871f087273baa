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


def test_a_line_whose_quote_never_closes_takes_no_other_line_with_it() -> None:
    sheet = read_sheet(b'id,what,note\n1,buy,"two\nlines"\n2,sell,"oops\n3,buy,y\n4,sell,x\n')
    assert sheet.rows[1:] == [["1", "buy", "two\nlines"], ["2", "sell", "oops"], ["3", "buy", "y"], ["4", "sell", "x"]]
    assert sheet.line_nos == [1, 2, 4, 5, 6]
    assert sheet.faults == {4: "a quote in this line does not close: the line could not be read"}


@pytest.mark.parametrize(
    ("tail", "rows", "broken"),
    [
        (b"", [], [2]),
        (b'"', None, []),
        (b'3,4,"', [["3", "4", ""]], [2, 3]),
        (b'3,4,"\r\n5,"6', [["3", "4", ""], ["5", "6"]], [2, 3, 4]),
        (b'"3', [["3"]], [2, 3]),
    ],
    ids=["open", "closed", "closed by the next row's quote", "closed and open again", "closed by a first cell's quote"],
)
def test_a_file_that_ends_after_an_open_quote(tail: bytes, rows: list[list[str]] | None, broken: list[int]) -> None:
    sheet = read_sheet(b'a,b,c\r\n1,2,"x\r\n' + tail)
    first = ["1", "2", "x\r\n" if rows is None else "x"]
    assert sheet.rows == [["a", "b", "c"], first, *(rows or [])]
    assert list(sheet.faults) == broken


def test_lines_that_an_unclosed_quote_swallowed_up_to_the_next_quote_are_questioned_one_by_one() -> None:
    sheet = read_sheet(b'id,what,note\n1,buy,"oops\n2,sell,x\n3,buy,"fine"\n4,sell,"y"\n')
    assert [row[0] for row in sheet.rows] == ["id", "1", "2", "3", "4"]
    assert list(sheet.faults) == [2, 3, 4]
    assert set(sheet.faults.values()) == {
        "a quote does not close: lines 2 to 4 run into one another, and none of them could be read"
    }


def test_a_note_of_several_lines_each_like_a_row_is_questioned() -> None:
    sheet = read_sheet(b'id,what,note\n1,buy,"see\n2,sell,x\n"\n3,buy,y\n4,buy,"a,\nb"\n')
    assert list(sheet.faults) == [2, 3, 4]
    assert sheet.rows[-1] == ["4", "buy", "a,\nb"]


def test_a_file_full_of_open_quotes_is_given_up_soon() -> None:
    with pytest.raises(UnreadableError, match="more than 100 lines have a quote that does not close"):
        read_sheet(b"a,b,c\n" + b'x","""\n' * 2_000)


def test_a_quote_that_opens_before_a_hundred_thousand_characters_takes_only_its_line() -> None:
    sheet = read_sheet(b'a,b\n1,"x\n' + b"2,y\n" * 50_000)
    assert (len(sheet.rows), list(sheet.faults)) == (50_002, [2])


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
