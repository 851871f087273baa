"""The firm's folder: what is taken, what is refused and in which words, whom a broken row stops, what AS_OF hides."""

from __future__ import annotations

import csv
import io
import tomllib
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.gate import check, dtypes
from schemas.inputs import INPUTS, FirmSettings, FolderProblems, PlatformCost
from schemas.review import ReviewItems
from transforms import firm as reader
from transforms import holding
from transforms.firm import FirmFolderError, read_folder, read_settings, read_table

TOML = {"name": "Hill Street Tax", "time_zone": "America/New_York"}
TAXPAYERS = "taxpayer_id,entity,birth_year\nann,individual,1980\nbob,,1950\nzed,partnership,\n"
ACCOUNTS = "account_id,taxpayer_id,platform,custody\nann-cb,ann,Coinbase,us_broker\nbob-kr,bob,kraken,\n"
PROFILES = "return_id,tax_year,filing_status,wages,deduction\nann,2025,single,100000.50,standard\nbob,2025,single,,\n"


class Text(NamedTuple):
    rows: list[list[str]]
    line_nos: list[int]


def sheet(text: str) -> Text:
    rows = list(csv.reader(io.StringIO(text)))
    return Text(rows, list(range(1, len(rows) + 1)))


def folder(folders: tuple[str, ...] = (), **files: str) -> reader.Firm:
    files = {"taxpayers": TAXPAYERS, "accounts": ACCOUNTS, "profiles": PROFILES} | files
    return read_folder({name: sheet(text) for name, text in files.items()}, TOML, folders)


def table(name: str, text: str) -> reader.Reading:
    return read_table(name, *sheet(text))


def told(problems: pl.DataFrame) -> list[str]:
    return problems.select(reader.sentence()).to_series().to_list()


def refused(**files: str) -> str:
    with pytest.raises(FirmFolderError) as caught:
        folder(**files)
    return str(caught.value)


# --- a table


def test_text_becomes_typed_columns_with_the_documented_defaults():
    frame = table("profiles", PROFILES).frame
    assert frame["wages"].to_list() == [Decimal("100000.50"), None]
    assert frame["deduction"].to_list() == ["standard", None]
    people = table("taxpayers", TAXPAYERS).frame
    assert people["entity"].to_list() == ["individual", "individual", "partnership"]
    accounts = table("accounts", ACCOUNTS).frame
    assert accounts["treatment"].to_list() == ["taxable", "taxable"]
    assert accounts["custody"].to_list() == ["us_broker", None]


def test_an_order_without_effective_from_is_in_force_when_recorded():
    frame = table("lot_orders", "taxpayer_id,method,recorded_at\nann,hifo,2025-03-01T09:00:00-05:00\n").frame
    at = datetime(2025, 3, 1, 14, tzinfo=UTC)
    assert frame.select("recorded_at", "effective_from", "account_id").row(0) == (at, at, None)


def test_columns_in_any_order_spaces_around_cells_blank_lines_and_trailing_commas_do_no_harm():
    frame, problems = table("taxpayers", " birth_year , taxpayer_id,\n 1980 , ann ,\n,,\n1950,bob,\n")
    assert problems.is_empty()
    assert frame.select("taxpayer_id", "birth_year", "row_no").rows() == [("ann", 1980, 2), ("bob", 1950, 4)]


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("accounts", "account_id,taxpayer_id,custody\na,ann,broker\n",
         "accounts.csv row 2, column custody: found broker; expected one of: us_broker, foreign_custodian, self"),
        ("taxpayers", "taxpayer_id,birth_year\nann,1980.5\n",
         "taxpayers.csv row 2, column birth_year: found 1980.5; expected a whole number"),
        ("taxpayers", "taxpayer_id,birth_year\nann,1492\n",
         "taxpayers.csv row 2, column birth_year: found 1492; expected 1900 or more"),
        ("profiles", "return_id,tax_year,filing_status,wages\nann,2025,single,-1\n",
         "profiles.csv row 2, column wages: found -1; expected 0 or more"),
        ("profiles", "return_id,tax_year,filing_status,wages\nann,2025,single,1.005\n",
         "profiles.csv row 2, column wages: found 1.005; expected a number such as 1234.5 with at most 2 decimals"),
        ("profiles", "return_id,tax_year,filing_status,deduction\nann,2025,single,itemized\n",
         "profiles.csv row 2, column deduction: found itemized; expected standard, or an amount such as 31500.00"),
        ("profiles", "return_id,tax_year,filing_status\nann,2025,\n",
         "profiles.csv row 2, column filing_status: found nothing; expected a value"),
        ("residency", "taxpayer_id,from,time_zone\nann,2020-01-01,Mars/Olympus\n",
         "residency.csv row 2, column time_zone: found Mars/Olympus; expected an IANA time zone such as America/New_York"),
        ("residency", "taxpayer_id,from\nann,02/01/2020\n",
         "residency.csv row 2, column from: found 02/01/2020; expected a date such as 2025-12-31"),
        ("filed_methods", "taxpayer_id,tax_year,method\nann,2025,fifo\n",
         "filed_methods.csv row 2, column tax_year: found 2025; expected 2024 or less"),
        ("positions", "taxpayer_id,from_year,topic,choice\nann,2020,own_transfer,carry\n", None),
        ("acquisitions", "event_id,tx_id,origin\n,,gift\n", None),
        ("taxpayers", "taxpayer_id,birth_year\nann\n",
         "taxpayers.csv row 2: found 1 cells; expected 2 cells, as in the header"),
        ("lot_picks", "event_id,lot_id,quantity\ne,l,0\n",
         "lot_picks.csv row 2, column quantity: found 0; expected more than 0"),
    ],
)  # fmt: skip
def test_a_cell_that_cannot_be_right_costs_its_row_and_says_why(name, text, sentence):
    frame, problems = table(name, text)
    assert frame.is_empty()
    assert problems.height == 1
    assert not problems["fatal"].any()
    if sentence:
        assert told(problems) == [sentence]


@pytest.mark.parametrize(
    "text", ["2025-03-01T09:00:00", "2025-03-01", "03/01/2025 09:00", "2025-02-30T09:00:00Z", "2025-03-01T09:00:00 EST"]
)
def test_an_instant_needs_its_offset(text):
    problems = table("lot_orders", f"taxpayer_id,method,recorded_at\nann,fifo,{text}\n").problems
    assert set(problems["column"]) <= {"recorded_at", "effective_from"}
    assert "with its offset" in problems["expected"][0]


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2025-03-01T09:00:00-05:00", datetime(2025, 3, 1, 14, tzinfo=UTC)),
        ("2025-03-01 09:00Z", datetime(2025, 3, 1, 9, tzinfo=UTC)),
        ("2025-03-01T09:00:00.250000+0530", datetime(2025, 3, 1, 3, 30, 0, 250000, tzinfo=UTC)),
    ],
)
def test_an_instant_is_kept_in_utc(text, utc):
    frame = table("lot_orders", f"taxpayer_id,method,recorded_at\nann,fifo,{text}\n").frame
    assert frame["recorded_at"].item() == utc


def test_quantities_keep_eighteen_decimals_and_refuse_a_nineteenth():
    frame, problems = table(
        "lot_picks", "event_id,lot_id,quantity\ne,l,0.000000000000000001\ne,m,0.0000000000000000001\n"
    )
    assert frame["quantity"].to_list() == [Decimal("0.000000000000000001")]
    assert problems["row_no"].to_list() == [3]


def test_two_rows_for_one_key_are_both_left_out():
    frame, problems = table("taxpayers", "taxpayer_id,entity\nann,trust\nbob,trust\nann,estate\n")
    assert frame["taxpayer_id"].to_list() == ["bob"]
    assert told(problems) == [
        "taxpayers.csv row 2, column taxpayer_id: found ann; expected one row for each taxpayer_id",
        "taxpayers.csv row 4, column taxpayer_id: found ann; expected one row for each taxpayer_id",
    ]


def test_what_is_shown_of_a_cell_is_short_and_printable():
    hostile = "\x1b[31m" + "x" * 100 + "\u202e"
    found = table("taxpayers", f"taxpayer_id,entity\nann,{hostile}\n").problems["found"].item()
    assert len(found) == 60
    assert found.isprintable()


@settings(max_examples=30, deadline=None)
@given(st.lists(st.lists(st.text(max_size=12), max_size=5), max_size=5), st.sampled_from(sorted(INPUTS)))
def test_no_text_breaks_the_reader(cells, name):
    rows = [reader.header_columns(name)[0], *cells]
    frame, problems = read_table(name, rows, range(1, len(rows) + 1))
    assert frame.height + problems["row_no"].n_unique() == sum(any(c.strip() for c in row) for row in cells)
    assert check(problems, FolderProblems).rejected.is_empty()


@pytest.mark.parametrize("account_id", ["..", ".", "a/b", "..\\\\x", "x" * 129])
def test_an_id_can_never_lead_out_of_the_folder(account_id):
    frame, problems = table("accounts", f"account_id,taxpayer_id\n{account_id},ann\n")
    assert frame.is_empty()
    assert problems["expected"].to_list() == ["1 to 128 printable characters, no slash, no leading dot"]


# --- the folder: what stops the night


def test_an_unknown_column_is_refused_by_name():
    text = refused(taxpayers="taxpayer_id,birthyear\nann,1980\n")
    assert text == (
        "taxpayers.csv, column birthyear: found unknown column 'birthyear'; expected one of: "
        "taxpayer_id, entity, birth_year"
    )


def test_a_missing_column_an_unknown_file_and_a_missing_file_are_all_told_at_once():
    with pytest.raises(FirmFolderError) as caught:
        read_folder({"taxpayers": sheet(TAXPAYERS), "acounts": sheet(ACCOUNTS), "profiles": sheet("wages\n1\n")}, TOML)
    text = str(caught.value)
    assert "acounts.csv: found unknown file" in text
    assert "accounts.csv: found no such file; expected a file with: account_id, taxpayer_id" in text
    assert "profiles.csv, column return_id: found no column 'return_id'" in text


def test_a_file_without_a_header_is_refused_without_quoting_its_rows():
    text = refused(taxpayers="ann,individual,1980\n")
    assert "taxpayers.csv: found no header" in text
    assert "ann" not in text


def test_a_column_named_twice_is_refused():
    assert "column 'entity' twice" in refused(taxpayers="taxpayer_id,entity,entity\nann,,\n")


def test_an_optional_file_that_is_absent_or_empty_is_a_table_of_no_rows():
    firm = folder(lot_orders="")
    for name, read_as in INPUTS.items():
        assert firm[name].schema == dtypes(read_as.model), name
    assert firm["lot_orders"].is_empty()
    assert firm.problems.is_empty()
    assert firm.stopped == ()


# --- the folder: whom a broken row stops


def test_a_broken_row_stops_its_client_alone():
    firm = folder(
        lot_orders="taxpayer_id,method,recorded_at\nann,best,2025-01-01T00:00:00Z\nbob,lifo,2025-01-01T00:00:00Z\n"
    )
    assert firm.stopped == ("ann",)
    assert firm["lot_orders"]["taxpayer_id"].to_list() == ["bob"]


def test_a_row_that_names_an_account_stops_the_account_s_owner():
    firm = folder(
        instructions="instruction_id,account_id,asset,lot_id,quantity,recorded_at\ni1,bob-kr,BTC,l,-1,2025-01-01T00:00:00Z\n"
    )
    assert firm.stopped == ("bob",)


def test_a_broken_client_is_told_once_not_for_every_file_that_names_it():
    firm = folder(taxpayers=TAXPAYERS.replace("bob,,1950", "bob,,fifty"))
    assert firm.stopped == ("bob",)
    assert firm.problems["file"].to_list() == ["taxpayers.csv"]
    assert firm["accounts"]["account_id"].to_list() == ["ann-cb"]
    assert firm["profiles"]["return_id"].to_list() == ["ann"]


def test_references_must_exist():
    firm = folder(
        ("ann-cb", "ann-old"),
        accounts=ACCOUNTS + "x-cb,xavier,coinbase,\n",
        profiles=PROFILES + "ann-bob,2025,mfj,,\n",
        opening_lots="taxpayer_id,account_id,asset,acquired_at,quantity\nann,bob-kr,BTC,2019-01-01T00:00:00Z,1\n",
    )
    assert told(firm.problems) == [
        "accounts.csv row 4, column taxpayer_id: found xavier; expected a taxpayer_id of taxpayers.csv",
        "intake/ann-old: found a folder of no account; expected an account_id of accounts.csv",
        "opening_lots.csv row 2, column account_id: found bob-kr; expected an account_id of accounts.csv of this taxpayer",
        "profiles.csv row 4, column return_id: found ann-bob; expected a taxpayer_id, or a return_id of returns.csv, of that year",
    ]
    assert firm["opening_lots"].is_empty()


JOINT = "return_id,tax_year,taxpayer_id,role\nann-bob,2025,ann,primary\nann-bob,2025,bob,spouse\n"
PROFILE_JOINT = "return_id,tax_year,filing_status\nann-bob,2025,{}\n"


def test_a_couple_that_files_jointly_is_one_return_of_two_people():
    firm = folder(returns=JOINT, profiles=PROFILE_JOINT.format("mfj"))
    assert firm.problems.is_empty()
    assert reader.members(firm, [2024, 2025]).rows() == [
        ("ann", 2024, "ann", "primary"),
        ("ann-bob", 2025, "ann", "primary"),
        ("ann-bob", 2025, "bob", "spouse"),
        ("bob", 2024, "bob", "primary"),
        ("zed", 2024, "zed", "primary"),
        ("zed", 2025, "zed", "primary"),
    ]


def test_a_return_of_two_is_married_filing_jointly_or_both_are_stopped():
    firm = folder(returns=JOINT, profiles=PROFILE_JOINT.format("mfs"))
    assert firm.stopped == ("ann", "bob")
    assert set(firm.problems["column"]) == {"filing_status"}
    assert set(firm.problems["taxpayer_id"]) == {"ann", "bob"}


def test_a_spouse_s_broken_row_stops_the_joint_return():
    firm = folder(returns=JOINT.replace("bob,spouse", "bob,wife"), profiles=PROFILE_JOINT.format("mfj"))
    assert firm.stopped == ("ann", "bob")
    # and one in a file of bob's own, too
    firm = folder(
        returns=JOINT, profiles=PROFILE_JOINT.format("mfj"), basis_pools="taxpayer_id,until_2025\nbob,pooled\n"
    )
    assert firm.stopped == ("ann", "bob")


def test_a_couple_stops_when_one_spouse_s_own_row_breaks():
    """The joint return's row of the one falls with the taxpayer's: the other may not file the couple's return alone."""
    firm = folder(
        taxpayers=TAXPAYERS.replace("bob,,1950", "bob,,fifty"), returns=JOINT, profiles=PROFILE_JOINT.format("mfj")
    )
    assert firm.problems["file"].to_list() == ["taxpayers.csv"]
    assert firm.stopped == ("ann", "bob")
    people, returns, accounts = reader.kin(firm)
    assert set(people["taxpayer_id"]) == {"ann", "bob", "zed"}
    assert set(returns.rows()) == {("ann-bob", "ann"), ("ann-bob", "bob")}
    assert ("bob-kr", "bob") in accounts.rows()


def test_a_return_that_bears_a_stranger_s_id_binds_no_stranger():
    firm = folder(returns=JOINT.replace("ann-bob", "zed"), profiles=PROFILES)
    assert reader.kin(firm)[1].is_empty()


def test_the_folder_of_an_account_whose_owner_is_broken_is_no_stray():
    firm = folder(("bob-kr",), taxpayers=TAXPAYERS.replace("bob,,1950", "bob,,fifty"))
    assert firm.problems["file"].to_list() == ["taxpayers.csv"]


def test_a_file_that_is_no_table_is_told_once_with_what_is_expected():
    sheets = {"taxpayers": sheet(TAXPAYERS), "profiles": sheet(PROFILES)}
    with pytest.raises(FirmFolderError) as caught:
        read_folder(sheets, TOML, (), {"accounts": ("bytes", "a CSV in UTF-8")})
    assert str(caught.value) == "accounts.csv: found bytes; expected a CSV in UTF-8"


def test_a_return_has_one_primary():
    firm = folder(returns=JOINT.replace("bob,spouse", "bob,primary"), profiles=PROFILE_JOINT.format("mfj"))
    assert firm.stopped == ("ann", "bob")
    assert "one primary" in firm.problems["expected"].str.join("").item()


def test_a_joint_return_may_not_bear_the_id_of_a_third_client():
    firm = folder(returns=JOINT.replace("ann-bob", "zed"), profiles="return_id,tax_year,filing_status\n")
    assert {"ann", "bob"} <= set(firm.stopped)


def test_the_order_of_rows_changes_nothing():
    rows = ["ann,2025,single,x,standard", "bob,2025,nobody,,", "ann,2024,single,1,"]
    header = "return_id,tax_year,filing_status,wages,deduction\n"
    one = folder(profiles=header + "\n".join(rows))
    other = folder(profiles=header + "\n".join(reversed(rows)))
    items = [reader.problem_items(f.problems).sort("item_id")["item_id"].to_list() for f in (one, other)]
    assert items[0] == items[1]
    assert one.stopped == other.stopped == ("ann", "bob")


def test_problems_become_blocking_review_items_that_survive_a_row_inserted_above():
    row = "ann,2025,single,x,"
    header = "return_id,tax_year,filing_status,wages,deduction\n"
    before = reader.problem_items(folder(profiles=header + row).problems)
    after = reader.problem_items(folder(profiles=header + "bob,2025,single,,\n" + row).problems)
    assert check(before, ReviewItems).rejected.is_empty()
    assert before.select("taxpayer_id", "question", "severity", "state").row(0) == (
        "ann", "firm_folder_error", "blocking", "open")  # fmt: skip
    assert before["item_id"].to_list() == after["item_id"].to_list()


# --- firm.toml


def toml(text: str) -> FirmSettings:
    head = 'name = "Hill Street Tax"\ntime_zone = "America/New_York"\n'
    return read_settings(tomllib.loads(head + text, parse_float=Decimal))


def test_settings_and_their_defaults():
    settings = toml(
        "as_of = 2026-11-20\n[assumptions]\ndiscount_rate = 0.045\n"
        "[assumptions.platforms.Kraken]\nfee_bp = 26\nspread_bp = 7.5\n[positions]\nwrapping = 'carry'\n"
    )
    assert settings.as_of == date(2026, 11, 20)
    assert settings.discount_rate == Decimal("0.045")
    assert settings.platforms == {
        "default": PlatformCost(Decimal(60), Decimal(20)),
        "kraken": PlatformCost(Decimal(26), Decimal("7.5")),
    }
    assert settings.positions["wrapping"] == "carry"
    assert set(settings.positions) == {"wrapping"}  # what the firm did not say is nobody's stand
    assert settings.assumed == ("horizon_years", "holding_years", "min_rebuy_hours", "max_price_age_days")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("as_off = 2026-11-20", "column as_off: found 'unknown key'; expected one of: alerts, as_of"),
        ('as_of = "2026-11-20"', "column as_of"),
        ("[assumptions]\nhorizon = 3", "column assumptions.horizon"),
        ("[assumptions]\nhorizon_years = 2.5", "expected a whole number from 0 to 1000"),
        ("[assumptions]\ndiscount_rate = 5", "column assumptions.discount_rate: found '5'; expected 0 to 1"),
        ("[assumptions.platforms.kraken]\nfee = 1", "expected fee_bp and spread_bp"),
        ("[positions]\nwrapping = 'maybe'", "wrapping: taxable or carry"),
        ("assumptions = 3", "expected a section [assumptions]"),
    ],
)
def test_a_wrong_setting_is_refused_by_name(text, named):
    with pytest.raises(FirmFolderError) as caught:
        toml(text)
    assert str(caught.value).startswith("firm.toml")
    assert named in str(caught.value)


def test_the_firm_needs_a_name_and_a_zone_and_exact_numbers():
    with pytest.raises(FirmFolderError, match="IANA time zone"):
        read_settings({"name": "x", "time_zone": "New York"})
    with pytest.raises(FirmFolderError, match="discount_rate"):
        read_settings(TOML | {"assumptions": {"discount_rate": 0.05}})


def test_stands_are_those_that_somebody_took():
    firm = folder(positions="taxpayer_id,from_year,topic,choice\nann,2023,wrapping,carry\n")
    assert reader.stands(firm).rows() == [("ann", 2023, "wrapping", "carry")]
    said = replace(firm, settings=replace(firm.settings, positions={"bridging": "carry"}))
    assert reader.stands(said).rows() == [("ann", 2023, "wrapping", "carry"), (None, 2009, "bridging", "carry")]


# --- AS_OF


def test_as_of_hides_what_is_dated_later():
    firm = folder(
        lot_orders="taxpayer_id,method,recorded_at,communicated_to_broker_at\n"
        "ann,hifo,2025-06-30T23:30:00-04:00,2025-07-02T00:00:00Z\n"  # 1 July in UTC, still 30 June for the firm
        "ann,lifo,2025-07-01T00:30:00-04:00,\n",
        opening_lots="taxpayer_id,account_id,asset,acquired_at,quantity\n"
        "ann,ann-cb,BTC,2019-01-01T00:00:00Z,1\nann,ann-cb,BTC,2025-12-01T00:00:00Z,1\n",
        residency="taxpayer_id,from\nann,2020-01-01\nann,2025-07-01\n",
        profiles="return_id,tax_year,filing_status\nann,2024,single\nann,2025,single\nann,2026,single\n",
        filed_methods="taxpayer_id,tax_year,method\nann,2023,fifo\nann,2024,hifo\n",
        forms_1099da="taxpayer_id,tax_year,account_id\nann,2025,ann-cb\n",
        review_answers="item_id,state,by,at\ni,answered,eve,2025-06-01T00:00:00Z\ni,resolved,eve,2025-08-01T00:00:00Z\n",
    )
    then = reader.as_of(firm, date(2025, 6, 30))
    assert then.settings.as_of == date(2025, 6, 30)
    assert then["lot_orders"].select("method", "communicated_to_broker_at").rows() == [("hifo", None)]
    assert then["opening_lots"]["acquired_at"].dt.year().to_list() == [2019]
    assert then["residency"]["from"].to_list() == [date(2020, 1, 1)]
    assert then["profiles"]["tax_year"].to_list() == [2024, 2025]
    assert then["filed_methods"]["tax_year"].to_list() == [2023, 2024]
    assert then["forms_1099da"].is_empty()  # the year 2025 is not over
    assert then["review_answers"]["state"].to_list() == ["answered"]
    assert reader.as_of(firm, date(2026, 12, 31)).tables["lot_orders"].equals(firm["lot_orders"])


def test_as_of_hides_a_filing_with_its_lines_and_lots():
    firm = folder(
        filed_years="return_id,tax_year,version,filed_at\nann,2024,1,2025-04-15T12:00:00Z\nann,2024,2,2025-09-01T12:00:00Z\n"
        "bob,2024,1,2025-09-01T12:00:00Z\n",
        filed_lines="return_id,tax_year,version,form,line,amount\nann,2024,1,Schedule D,16,-5000\nann,2024,2,Schedule D,16,-4000\n",
        filed_lots="taxpayer_id,tax_year,account_id,asset,acquired_at,quantity\n"
        "ann,2024,ann-cb,BTC,2019-01-01T00:00:00Z,1\nbob,2024,bob-kr,BTC,2019-01-01T00:00:00Z,1\n",
    )
    then = reader.as_of(firm, date(2025, 6, 1))
    assert then["filed_lines"]["amount"].to_list() == [Decimal("-5000.00")]
    assert then["filed_lots"]["taxpayer_id"].to_list() == ["ann"]  # bob's return was not filed yet


# --- zones and accounts


def test_the_zone_changes_at_local_midnight_of_the_move():
    firm = folder(residency="taxpayer_id,from,state,time_zone\nann,2025-07-01,CA,America/Los_Angeles\n")
    zones = reader.zones(firm)
    assert zones.filter(pl.col("taxpayer_id") == "ann")["time_zone"].to_list() == [
        "America/New_York",
        "America/Los_Angeles",
    ]
    midnight = datetime(2025, 7, 1, 7, tzinfo=UTC)  # 00:00 in Los Angeles in summer
    events = pl.DataFrame(
        {
            "taxpayer_id": ["ann", "bob", "ann"],
            "occurred_at": [midnight, midnight, midnight.replace(hour=6, minute=59)],
        },
        schema_overrides={"occurred_at": pl.Datetime("us", "UTC")},
    )
    placed = holding.with_time_zone(events, zones)
    assert placed["time_zone"].to_list() == ["America/Los_Angeles", "America/New_York", "America/New_York"]
    assert placed.drop("time_zone").equals(events)


def test_account_facts_fill_the_wallet_and_bring_the_entity():
    facts = reader.account_facts(
        folder(
            accounts=ACCOUNTS.replace("custody", "custody,wallet")
            .replace("us_broker", "us_broker,w1")
            .replace("kraken,", "kraken,,")
        )
    )
    assert facts.select("account_id", "platform", "wallet", "entity").rows() == [
        ("ann-cb", "coinbase", "w1", "individual"),
        ("bob-kr", "kraken", "bob-kr", "individual"),
    ]


def test_only_a_taxable_account_of_an_individual_enters_a_return():
    accounts = "account_id,taxpayer_id,treatment\na,ann,\nb,ann,ira\nc,ann,excluded\nd,zed,taxable\n"
    facts = reader.account_facts(folder(accounts=accounts))
    assert dict(facts.select("account_id", "taxable").iter_rows()) == {"a": True, "b": False, "c": False, "d": False}


def test_platform_costs_have_a_default():
    assert FirmSettings("x", "UTC").platforms == {"default": PlatformCost(Decimal(60), Decimal(20))}


# --- the manual


def test_the_manual_names_every_file_and_column():
    manual = (Path(__file__).parents[2] / "docs" / "firm-folder.md").read_text(encoding="utf-8")
    sections = {part.split("\n", 1)[0].strip(): part for part in manual.split("\n## ")[1:]}
    for name, read_as in INPUTS.items():
        section = sections[f"{name}.csv"]
        for column, kind in read_as.model.to_schema().columns.items():
            assert f"| `{column}` |" in section, (name, column)
            for rule in kind.checks:
                for word in rule.statistics.get("allowed_values", ()):
                    assert word in section, (name, column, word)
        example = section.split("```csv\n")[1].split("```")[0]
        assert table(name, example).problems.is_empty(), name
        assert table(name, example).frame.height > 0, name
