"""A file to its sheets: workbooks to the digit, archives bounded before they are opened, every encoding said."""

from __future__ import annotations

import gzip
import zipfile
from collections.abc import Callable
from datetime import datetime
from io import BytesIO
from pathlib import Path

import pytest
import xlsxwriter

from transforms import containers
from transforms.containers import read_sheets
from transforms.sources.base import Context
from transforms.sources.registry import Reading, read_file
from transforms.text import UnreadableError

WORKBOOKS = Path(__file__).parent / "workbooks"
STATEMENT = "User_ID,UTC_Time,Account,Operation,Coin,Change,Remark\n7,2021-06-01 10:00:00,Spot,Deposit,BTC,0.1,{}\n"
ROWS = [line.split(",") for line in STATEMENT.format("x").splitlines()]
CONTENT = '<?xml version="1.0"?><worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>{}</sheetData></worksheet>'


def workbook(**sheets: list[list[object]]) -> bytes:
    out = BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True, "default_date_format": "yyyy-mm-dd hh:mm:ss.000"}) as book:
        for name, rows in sheets.items():
            sheet = book.add_worksheet(name)
            for number, row in enumerate(rows):
                sheet.write_row(number, 0, row)
    return out.getvalue()


def zipped(**members: bytes) -> bytes:
    out = BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name.replace("_csv", ".csv"), data)
    return out.getvalue()


def with_part(book: bytes, name: str, part: bytes) -> bytes:
    """The workbook with one of its parts replaced."""
    out = BytesIO()
    with zipfile.ZipFile(BytesIO(book)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for member in old.namelist():
            new.writestr(member, part if member == name else old.read(member))
    return out.getvalue()


def read(data: bytes) -> Reading:
    return read_file(data, Context("account", "file", None, "export"))


def message(reading: Reading) -> tuple[str, str | None]:
    file = reading.file.row(0, named=True)
    return file["status"], file["message"]


def test_a_workbooks_cells_are_the_shortest_text_of_what_the_file_holds() -> None:
    cells: list[object] = [0.1, 1e-8, 1287e-8, 250.0, 1e16, -0.00000230340864977892, 123456.78901234567, True, "0.10", datetime(2015, 10, 15, 18, 7, 46, 83000), datetime(2015, 10, 15)]  # fmt: skip
    sheet = read_sheets(workbook(one=[["a"], [], cells])).sheets[0]
    assert (sheet.name, sheet.line_nos) == ("one", [1, 3])  # the empty row keeps its number
    assert sheet.rows[1] == [
        "0.1", "0.00000001", "0.00001287", "250", "10000000000000000", "-0.00000230340864977892", "123456.7890123457",
        "TRUE", "0.10", "2015-10-15 18:07:46.083000", "2015-10-15 00:00:00",
    ]  # fmt: skip


def test_a_table_that_begins_below_and_to_the_right_keeps_its_row_numbers() -> None:
    sheet = read_sheets(workbook(one=[[], [], ["", "", "id"], ["", "", 7.0]])).sheets[0]
    assert (sheet.line_nos, sheet.rows) == ([3, 4], [["", "", "id"], ["", "", "7"]])


def test_a_workbook_is_read_as_its_csv_is() -> None:
    assert read(workbook(one=ROWS)).legs.equals(read(STATEMENT.format("x").encode()).legs)


def test_of_several_sheets_the_one_of_a_known_format_is_read_and_the_others_are_named() -> None:
    reading = read(workbook(Notes=[["hello"], ["there"], ["you"]], Empty=[], Data=ROWS))
    assert message(reading) == ("parsed", "read sheet 'Data', not 1 others that hold rows (Notes)")
    assert reading.legs.height == 1


def test_a_workbook_with_two_tables_is_asked_for_in_two_files() -> None:
    status, said = message(read(workbook(One=ROWS, Two=ROWS)))
    assert (status, said) == ("unreadable", "the workbook has 2 sheets with a table: save each as a file of its own")


def test_one_csv_in_a_zip_or_gzip_is_read_and_it_is_said() -> None:
    text = STATEMENT.format("x").encode()
    for packed, how in ((zipped(a_csv=text, **{"__MACOSX/a.csv": b"junk"}), "zip"), (gzip.compress(text), "gzip")):
        reading = read(packed)
        assert message(reading) == ("parsed", f"unpacked from {how}")
        assert reading.legs.equals(read(text).legs)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (lambda: zipped(a_csv=b"a,b\n1,2\n", b_csv=b"a,b\n1,2\n"), "holds 2 files: unpack it"),
        (lambda: zipped(a_csv=bytes(50 * 10**6)), "unpacks to more than 200 times its size"),
        (lambda: zipped(a_csv=b"a,b\n" * 10)[:60], "broken or cut off"),
        (lambda: gzip.compress(b"a,b\n" * 100)[:-12], "broken or cut off"),
        (lambda: workbook(one=[[1.0]])[:-300], "broken or cut off"),
        (lambda: zipped(mimetype=b"application/vnd.oasis.opendocument.spreadsheet", content=b"x"), "another kind"),
        (lambda: b"\xd0\xcf\x11\xe0" + bytes(600), "cannot be read"),
        (lambda: with_part(workbook(one=[[1.0]]), "xl/worksheets/sheet1.xml", b"<oops"), "cannot be read|broken"),
        (lambda: workbook(one=[["a"] * 3000]), "more than 2000"),
        (lambda: b"a,b\n" * 60 + b"x" * 200_000, "more than 100000 characters"),
    ],
    ids=["two files", "bomb", "cut zip", "cut gzip", "cut workbook", "ods", "old", "xml", "columns", "cell"],
)
def test_what_is_not_opened_says_why(data: Callable[[], bytes], why: str) -> None:
    with pytest.raises(UnreadableError, match=why):
        read_sheets(data())
    assert read(data()).file["status"].item() == "unreadable"


def test_an_archive_is_refused_by_what_its_directory_promises(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(containers, "MAX_BYTES", 15_000)
    text = b"".join(b"%d,%d\n" % (n, n * n) for n in range(2_000))
    for packed in (zipped(a_csv=text), gzip.compress(text)):
        assert len(packed) < 15_000
        with pytest.raises(UnreadableError, match="unpacks to more than"):
            read_sheets(packed)
    with pytest.raises(UnreadableError, match="export it in parts"):
        read_sheets(text)


def test_a_directory_that_promises_too_little_does_not_open_more_than_it_says() -> None:
    honest = zipped(a_csv=b"a,b\n" * 50_000)
    # the central directory's size of the member: 20 bytes instead of 200,000
    lying = honest.replace((200_000).to_bytes(4, "little"), (20).to_bytes(4, "little"))
    assert lying != honest
    with pytest.raises(UnreadableError, match="broken"):
        read_sheets(lying)


def test_two_cells_at_the_far_corners_of_a_sheet_are_not_laid_out() -> None:
    corners = '<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'
    with pytest.raises(UnreadableError, match="spans more than 5,000,000 cells"):
        read_sheets(with_part(workbook(one=[[1.0]]), "xl/worksheets/sheet1.xml", CONTENT.format(corners).encode()))


def test_one_long_text_in_every_cell_is_not_copied() -> None:
    row = "".join(f'<c r="A{n}" t="s"><v>0</v></c>' for n in range(1, 2))
    many = CONTENT.format("".join(f"<row>{row}</row>" for _ in range(20_000))).encode()
    shared = (
        b'<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><si><t>'
        + b"x" * 150_000
        + b"</t></si></sst>"
    )
    book = with_part(workbook(one=[["text"]]), "xl/worksheets/sheet1.xml", many)
    with pytest.raises(UnreadableError, match="more text than any export"):
        read_sheets(with_part(book, "xl/sharedStrings.xml", shared))


def test_a_member_with_a_password_is_asked_for_without_one() -> None:
    locked = bytearray(zipped(a_csv=b"a,b\n1,2\n"))
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        locked[locked.index(mark) + place] |= 1
    with pytest.raises(UnreadableError, match="password"):
        read_sheets(bytes(locked))


@pytest.mark.parametrize(
    ("encoding", "said"),
    [
        ("utf-8", None),
        ("utf-8-sig", None),
        ("utf-16", "read as UTF-16"),
        ("utf-16-le", "read as UTF-16-LE"),
        ("utf-16-be", "read as UTF-16-BE"),
        ("cp1252", "the bytes are not UTF-8 and were read as Windows-1252: letters such as é in notes may be others"),
    ],
)
def test_an_encoding_other_than_utf_8_is_said(encoding: str, said: str | None) -> None:
    reading = read(STATEMENT.format("café").encode(encoding))
    assert message(reading) == ("parsed", said)
    assert reading.legs["note"].to_list() == ["café"]


def test_a_broken_byte_rejects_its_row_and_no_other() -> None:
    text = STATEMENT.format("café") + "7,2021-06-02 10:00:00,Spot,Deposit,BTC,0.2,X\n"
    reading = read(text.encode().replace(b"X", b"\xff"))
    assert message(reading) == ("parsed", "some bytes are not UTF-8: their rows are rejected")
    assert reading.legs["row_no"].to_list() == [2]
    # in Windows-1252 0x81 is no letter
    reading = read(text.replace("é", "e").encode().replace(b"X", b"\x81"))
    assert reading.legs["row_no"].to_list() == [2]
    assert reading.file["rows_rejected"].item() == 1


@pytest.mark.parametrize(
    ("cell", "with_what", "why"),
    [
        ("2021-06-01 10:00:00", "1970-01-01 00:00:00", "expected 2009-01-03 to 2099-12-31"),
        ("2021-06-01 10:00:00", "2999-01-01 00:00:00", "expected 2009-01-03 to 2099-12-31"),
        ("0.1", "1e60", "expected a number below 10^15"),
        ("0.1", "-1e60", "expected a number below 10^15"),
        ("0.1", "=1+1", "expected a number below 10^15"),
    ],
)
def test_a_hostile_cell_rejects_its_row_in_a_workbook_as_in_text(cell: str, with_what: str, why: str) -> None:
    rows: list[list[object]] = [list(row) for row in ROWS]
    rows[1][rows[1].index(cell)] = f"'{with_what}" if with_what.startswith("=") else with_what
    text = STATEMENT.format("x").replace(cell, with_what)
    for reading in (read(workbook(one=rows)), read(text.encode())):
        assert reading.legs.is_empty()
        assert why in reading.raw_rows["reason"].to_list()[-1]


def test_a_header_of_ten_thousand_columns_is_no_table() -> None:
    assert message(read(b"a," * 10_000 + b"\n1,2\n")) == ("unreadable", "line 1 has 10001 columns, more than 2000")


def test_an_old_workbook_is_read_to_the_digit() -> None:
    sheet = read_sheets((WORKBOOKS / "trade_history.xls").read_bytes()).sheets[0]
    assert (sheet.name, sheet.line_nos) == ("tradeHistory", [1, 3])
    assert sheet.rows[1] == ["2017-12-12 20:30:22", "BNBBTC", "BUY", "0.0001716", "100", "0.01716", "0.05", "BNB"]


def test_a_locked_workbook_is_asked_for_without_its_password() -> None:
    assert (
        message(read((WORKBOOKS / "locked.xlsx").read_bytes()))[1]
        == "the file is locked with a password: save it without one"
    )
