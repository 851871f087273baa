"""The checks that guard the publication, each shown to stop what it is for, and edges of quarantine and questions."""

from __future__ import annotations

from decimal import Decimal

import duckdb
import polars as pl
import pytest

from pipelines import quarantine
from pipelines.assets import GUARDS
from pipelines.households import Members
from pipelines.warehouse import Warehouse, ddl
from schemas import gate, tax
from schemas.fields import INSTANT
from schemas.inputs import INPUTS
from schemas.intake import Legs
from schemas.ledger import Movements
from tests.transforms.frames import frame
from transforms import lots, questions

MODELS = {
    "gains": tax.Gains,
    "wash_sales": tax.WashSales,
    "form_8949": tax.Form8949,
    "schedule_d": tax.ScheduleD,
    "carryforwards": tax.Carryforwards,
    "shadow_carryforwards": tax.Carryforwards,
    "return_inputs": tax.ReturnInputs,
    "book_balance": tax.BookBalance,
    "firm_profiles": INPUTS["profiles"].model,
}


@pytest.fixture
def con():
    con = duckdb.connect()
    con.execute("ATTACH ':memory:' AS mart")
    for name, model in MODELS.items():
        columns = ", ".join(f'"{c}" {k}' for c, k in ddl(model).items())
        con.execute(f"CREATE TABLE {name} ({columns})")
        con.execute(f"CREATE TABLE mart.{name} ({columns})")
    return con


SOUND = """
    INSERT INTO gains (return_id, tax_year, disposal_id, lot_id, gain, disallowed, on_return) VALUES ('r', 2025, 'd', 'l', 5000, 0, true);
    INSERT INTO mart.gains (return_id, tax_year, disposal_id, lot_id, gain, on_return) VALUES ('r', 2025, 'd', 'l', 5000, true);
    INSERT INTO form_8949 (return_id, tax_year, part, proceeds, basis, adjustment, gain, disposal_id, lot_id)
        VALUES ('r', 2025, 'I', 7000, 2000, 0, 5000, 'd', 'l');
    INSERT INTO return_inputs (return_id, tax_year, short_term, long_term) VALUES ('r', 2025, 500000, 0);
    INSERT INTO carryforwards (return_id, taxpayer_id, tax_year, short_term_in, long_term_in, short_term_net, long_term_net,
        deduction, deduction_used, short_term_out, long_term_out, source)
        VALUES ('r', 'r', 2025, 1000, 0, 5000, 0, 0, 0, 0, 0, 'computed');
    INSERT INTO shadow_carryforwards SELECT * FROM carryforwards;
    INSERT INTO book_balance (taxpayer_id, holds) VALUES ('r', true);
    INSERT INTO gains (disposal_id, gain, disallowed, disallowed_code, on_return) VALUES ('w', -400, 240, 'W', true);
    INSERT INTO mart.gains (disposal_id) VALUES ('w');
    INSERT INTO form_8949 (disposal_id, proceeds, basis, gain, adjustment) VALUES ('w', 600, 1000, -160, 240);
    INSERT INTO wash_sales (disposal_id, disallowed, basis_added, lost) VALUES ('w', 240, 200, 40);
"""


@pytest.mark.parametrize(
    ("broken", "guard"),
    [
        ("SELECT 1", None),
        ("UPDATE book_balance SET holds = false", "lots_conserved"),
        ("DELETE FROM mart.gains", "gains_complete"),
        ("DELETE FROM form_8949", "form_ties_to_pieces"),
        ("DELETE FROM gains; DELETE FROM mart.gains", "form_ties_to_pieces"),
        ("UPDATE form_8949 SET gain = 5000.02 WHERE disposal_id = 'd'", "form_ties_to_pieces"),
        ("UPDATE form_8949 SET gain = -400 WHERE disposal_id = 'w'", "form_ties_to_pieces"),
        ("UPDATE form_8949 SET adjustment = 0.01 WHERE disposal_id = 'd'", "form_lines_add_up"),
        ("UPDATE form_8949 SET adjustment = NULL WHERE disposal_id = 'd'", "form_lines_add_up"),
        ("UPDATE wash_sales SET basis_added = 199", "disallowed_losses_go_somewhere"),
        ("DELETE FROM wash_sales", "disallowed_losses_go_somewhere"),
        ("UPDATE gains SET disallowed = 0, gain = -160", "disallowed_losses_go_somewhere"),
        ("UPDATE return_inputs SET short_term = 500001", "schedule_d_ties_to_form"),
        ("UPDATE carryforwards SET short_term_out = 1", "carryovers_conserved"),
        ("UPDATE carryforwards SET short_term_in = 9000", "carryovers_conserved"),
        ("UPDATE shadow_carryforwards SET short_term_in = 9000", "carryovers_conserved"),
        # what was filed carries over as it was filed, right or wrong
        ("UPDATE carryforwards SET short_term_out = 1, source = 'filed'", None),
    ],
)
def test_each_guard_sees_what_it_guards(con, broken, guard):
    con.execute(SOUND)
    con.execute(broken)
    found = {name for name, query in GUARDS.items() if con.execute(query).fetchall()[0][0]}
    assert (found == set()) if guard is None else (guard in found)


def test_the_long_side_of_schedule_d_is_guarded_too(con):
    con.execute(SOUND)
    con.execute("UPDATE return_inputs SET long_term = 99")
    assert con.execute(GUARDS["schedule_d_ties_to_form"]).fetchall()[0][0]


# questions
WHO = {"taxpayer_id": "t", "account_id": "a"}


def asked(found):
    return pl.concat(found).select("question", "severity").rows()


def test_questions_of_the_lot_book():
    fault = dict.fromkeys(lots.FAULTS) | {
        "taxpayer_id": "t",
        "tax_year": 2025,
        "asset": "BTC",
        "quantity": Decimal(2),
        "dollars_at_stake": Decimal(80),
    }
    rows = [
        fault | {"fault": "shortfall", "movement": "depart"},
        fault | {"fault": "shortfall", "movement": "dispose"},
        fault | {"fault": "universal_unallocated"},
    ]
    faults = pl.DataFrame(rows, schema=lots.FAULTS).with_columns(at=pl.lit(None, INSTANT), on=pl.lit(None, pl.Date))
    assert asked(questions.lot_book(faults, frame(Movements))) == [
        ("move_without_lots", "blocking"),
        ("universal_unallocated", "blocking"),
    ]


def test_questions_of_intake():
    leg = {
        "account_id": "a",
        "file_id": "f",
        "row_no": 3,
        "source": "s",
        "row_key": "k",
        "occurred_at": "2025-01-01T00:00:00",
        "role": "sent",
        "asset": "BTC",
        "raw_asset": "XBT",
        "quantity": "1",
        "rounded": True,
    }
    legs = frame(Legs, leg, leg | {"row_no": 4, "rounded": False}).with_columns(taxpayer_id=pl.lit("t"))
    found = pl.concat(questions.digits(legs))
    assert found.select("question", "message").rows() == [
        ("digits_rounded", "1 rows carry digits past the 18th decimal place; each was rounded half up once")
    ]
    breaks = legs.head(1).with_columns(expected=pl.lit("2"), found=pl.lit("3"))
    assert asked(questions.balances(breaks)) == [("balance_break", "warning")]
    refused = pl.DataFrame({"event_id": ["e"], "field": ["kind"], "why": ["its event is gone"]})
    assert asked(questions.overrides(refused)) == [("override_without_event", "blocking")]
    stopped = pl.DataFrame({"taxpayer_id": ["t", "t"], "table_name": ["events", "lots"], "reason": ["x", "y"]})
    assert asked(questions.quarantine(stopped)) == [("client_stopped", "blocking")]


def test_questions_of_returns():
    missing = pl.DataFrame(
        [("r", 2025, None, "profile_missing", None)],
        schema=["return_id", "tax_year", "taxpayer_id", "reason", "column"],
        orient="row",
    ).cast(
        pl.Schema(
            {
                "return_id": pl.String,
                "tax_year": pl.Int64,
                "taxpayer_id": pl.String,
                "reason": pl.String,
                "column": pl.String,
            }
        )
    )
    conflicts = pl.DataFrame(
        {
            "return_id": ["r"],
            "tax_year": [2025],
            "taxpayer_id": ["t"],
            "character": ["short"],
            "recorded": [Decimal("2500.00")],
            "computed": [Decimal("2000.00")],
        }
    )
    members = pl.DataFrame({"return_id": ["r"], "tax_year": [2025], "taxpayer_id": ["t"], "role": ["primary"]})
    found = pl.concat(questions.returns(missing, conflicts, members))
    assert found.select("question", "taxpayer_id", "dollars_at_stake").rows() == [
        ("profile_missing", "t", None),
        ("carry_in_conflict", "t", Decimal("500.00")),
    ]


def test_a_second_fee_is_asked():
    from tests.transforms.test_questions import asked as of

    assert ("second_fee", "warning") in of(
        {
            "kind": "fee",
            "event_id": "e2",
            "received_asset": None,
            "received_quantity": None,
            "fee_asset": "BNB",
            "fee_quantity": "1",
            "fee_usd_value": "3",
        }
    )


def test_a_deposit_over_new_year_is_no_year_boundary():
    from tests.transforms.test_questions import asked as of

    assert (
        of({"kind": "deposit", "occurred_at": "2027-01-01T01:30:00", "tax_date": "2026-12-31", "tax_year": 2026}) == []
    )


# pipelines
def test_a_broken_row_of_an_account_stops_its_owner(tmp_path):
    store = Warehouse(tmp_path / "w.duckdb")
    try:
        rows = [("taxpayer", "ann", "ann", "ann", 7), ("account", "ann-x", "ann", "ann", 7)]
        store.replace("members", pl.DataFrame(rows, schema=gate.dtypes(Members), orient="row"), Members)
        store.begin()
        assert quarantine.stop(store, "legs", pl.DataFrame({"account_id": ["ann-x"], "why": ["quantity: gt"]})) == 1
        assert store.read("quarantine", quarantine.Quarantine)["taxpayer_id"].to_list() == ["ann"]
        two = pl.DataFrame({"out_taxpayer_id": ["bob"], "in_taxpayer_id": ["ann"]})
        assert quarantine.leave_out(store, two).is_empty()
    finally:
        store.close()


def test_a_transform_must_answer_every_table(tmp_path):
    from pipelines.factory import table_assets
    from tests.pipelines.small_house import Balances, Deeds, make_firm
    from tests.pipelines.test_factory import failure, materialize

    made = table_assets(
        "x", {"balances": Balances, "deeds": Deeds}, {}, lambda night: {"balances": gate.empty(Balances)}
    )
    assert "the transform answers ['balances'], the asset promises ['balances', 'deeds']" in failure(
        materialize(make_firm(tmp_path, ""), made)
    )


def test_the_wal_is_gone_before_the_new_file_has_the_name(tmp_path, monkeypatch):
    from pathlib import Path

    from pipelines.publish import swap_in

    mart = tmp_path / "m.duckdb"
    (tmp_path / "m.duckdb.wal").write_bytes(b"x")
    duckdb.connect(str(tmp_path / "new")).close()
    seen = []
    real = Path.replace
    monkeypatch.setattr(
        Path, "replace", lambda self, to: (seen.append((tmp_path / "m.duckdb.wal").exists()), real(self, to))[1]
    )
    swap_in(tmp_path / "new", mart)
    assert seen == [False]
