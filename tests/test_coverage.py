"""docs/coverage.md against the registry and, where LOTBOOK_SAMPLE_DATA names the samples, against what is counted there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipelines.coverage import VARIABLE, coverage, listed, main
from transforms.sources.registry import SOURCES

PAGE = Path(__file__).resolve().parent.parent / "docs" / "coverage.md"
FOLDER = os.environ.get(VARIABLE)


def test_the_page_lists_every_source_with_its_version() -> None:
    """A parser that changed has another version: the page is written anew with `make coverage`."""
    assert listed(PAGE.read_text()) == {source.name: source.version for source in SOURCES}


@pytest.mark.skipif(not FOLDER, reason="LOTBOOK_SAMPLE_DATA names no folder")
def test_the_page_is_what_the_samples_give() -> None:
    assert coverage(Path(FOLDER or ".")) == PAGE.read_text()


def test_a_folder_of_samples_is_counted_by_source_layout_and_reason(tmp_path: Path) -> None:
    own, other = "0x" + "a" * 40, "0x" + "b" * 40
    header = "Txhash,UnixTimestamp,From,To,ContractAddress,Value_IN(ETH),Value_OUT(ETH),CurrentValue @ $1.5/Eth,TxnFee(ETH),Status,ErrCode"
    rows = [
        f"0x{'1' * 64},1700000000,{other},{own},,1,0,1,0.1,,",
        f"0x{'2' * 64},1700000001,{own},{other},,0,many,1,0.1,,",
        f"0x{'3' * 64},1700000002,{other},{own},,0,0,1,0.1,,",
    ]
    files = {
        "chain/own/normal.csv": "\n".join([header, *rows]),
        "shop/list.csv": "what,how much\na,1\n",
        "chain/answer.json": "{}",
        "prices/day.csv": "date,usd\n2024-01-01,1\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    page = coverage(tmp_path)
    assert f"| `etherscan_normal` | {listed(page)['etherscan_normal']} | 1 | 3 | 1 | 1 | 1 | chain/own |" in page
    assert "CurrentValue @ $/Eth" in page
    assert "| `etherscan_normal` | value_out: found 'many', expected a number below 10^15 | 1 | 1 |" in page
    assert "| `etherscan_normal` | no value moved | 1 | 1 |" in page
    assert "| shop | unknown | .csv | 1 |" in page
    assert "| chain | .json | 1 |" in page
    assert "| prices | .csv | 1 |" in page
    assert str(tmp_path) not in page


def test_without_a_folder_the_command_says_what_to_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    with pytest.raises(SystemExit, match="names no folder"):
        main(tmp_path / "page.md")
