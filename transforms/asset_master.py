"""What each asset is and which names mean it: the common assets, and the firm's rows over them. No price belongs here.

An asset's id is its ticker, or the CAIP-19 id of a token that has none (`eip155:1/erc20:0x…`, lower case on EVM chains).
A ticker in a token's own metadata proves nothing; only its contract does, so each contract here is listed by hand.
"""

from __future__ import annotations

import csv
import io
from functools import cache
from importlib import resources

import polars as pl

from schemas.fields import FIAT
from schemas.gate import conform
from schemas.inputs import STANDS_FOR, Assets

_COINS = (
    "BTC", "ETH", "SOL", "ADA", "XRP", "LTC", "BCH", "BSV", "BTG", "DOGE", "DOT", "KSM", "AVAX", "ATOM", "ALGO", "XLM",
    "XMR", "ZEC", "DASH", "ETC", "TRX", "BNB", "EOS", "XTZ", "NEAR", "FIL", "ICP", "HBAR", "VET", "XEM", "NEO", "IOTA",
    "LUNA", "LUNC", "CELO", "XNO", "INJ", "OSMO", "AKT", "RUNE", "KAVA", "ROSE", "ONE", "HNT", "AR", "THETA",
    "KAIA", "KLAY", "CFX", "MOVR", "GLMR", "ASTR", "CSPR", "XDC", "XCH", "BTT", "TFUEL", "IOTX", "ICX", "ONT",
    "DGB", "SYS", "ZEN", "ARRR", "FIRO", "GRS", "NMC", "PPC", "VTC", "XVG", "BTS", "STEEM", "HIVE", "STRK", "S", "FTM",
    "BERA", "TAO", "AXL", "DYDX", "CRO", "OKB", "LEO", "XRD", "ERG", "CKB", "KDA", "SCRT", "EVMOS", "JUNO",
    "EGLD", "FLOW", "MINA", "APT", "SUI", "SEI", "TIA", "TON", "KAS", "STX", "QTUM", "WAVES", "ZIL", "RVN", "DCR", "SC",
)  # fmt: skip
_STABLECOINS = {
    "USDC": (
        "eip155:1/0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48",
        "eip155:10/0x0b2c639c533813f4aa9d7837caf62653d097ff85",
        "eip155:137/0x3c499c542cef5e3811e1192ce70d8cc03d5c3359",
        "eip155:8453/0x833589fcd6edb6e08f4c7c32d4f71b54bda02913",
    ),
    "USDT": (
        "eip155:1/0xdac17f958d2ee523a2206206994597c13d831ec7",
        "eip155:137/0xc2132d05d31c914a87c6611c10748aeb04b58e8f",
    ),
    "DAI": (
        "eip155:1/0x6b175474e89094c44da98b954eedeac495271d0f",
        "eip155:137/0x8f3cf7ad23cd3cadbd9735aff958023239c6a063",
        "eip155:8453/0x50c5725949a6f0c72e6c4a641f24049a917db0cb",
    ),
    **dict.fromkeys(
        ("USTC", "FDUSD", "USD1", "RLUSD", "USDS", "USDG", "EURT", "EURS", "XCHF", "PAXUSD", "sUSD", "MIM"), ()
    ),
    "TUSD": ("eip155:1/0x0000000000085d4780b73119b644ae5ecd22b376",),
    "BUSD": ("eip155:1/0x4fabb145d64652a948d72533023f6e7a623c7c53",),
    "GUSD": ("eip155:1/0x056fd409e1d7a124bd7017459dfea2f387b6d5cd",),
    "PYUSD": ("eip155:1/0x6c3ea9036406852006290770bedfcaba0e23a0e8",),
    "USDP": ("eip155:1/0x8e870d67f660d95d5be530380d0ec0bd388289e1",),
    "FRAX": ("eip155:1/0x853d955acef822db058eb8505911ed77f175b99e",),
    "LUSD": ("eip155:1/0x5f98805a4e8be255a32880fdec7f6728c6568ba0",),
    "EURC": ("eip155:1/0x1abaea1f7c830bd89acc67ec4af516284b1bc33c",),
}
_TOKENS = {
    "LINK": ("eip155:1/0x514910771af9ca656af840dff83e8264ecf986ca",),
    "UNI": ("eip155:1/0x1f9840a85d5af5bf1d1762f925bdaddc4201f984",),
    "AAVE": ("eip155:1/0x7fc66500c84a76ad7e9c93437bfc5ac33e2ddae9",),
    "MKR": ("eip155:1/0x9f8f72aa9304c8b593d555f12ef6589cc3a579a2",),
    "COMP": ("eip155:1/0xc00e94cb662c3520282e6f5717214004a7f26888",),
    "CRV": ("eip155:1/0xd533a949740bb3306d119cc777fa900ba034cd52",),
    "SNX": ("eip155:1/0xc011a73ee8576fb46f5e1c5751ca3b9fe0af2a6f",),
    "YFI": ("eip155:1/0x0bc529c00c6401aef6d220be8c6ea1667f6ad93e",),
    "GRT": ("eip155:1/0xc944e90c64b2c07662a292be6244bdf05cda44a7",),
    "LDO": ("eip155:1/0x5a98fcbea516cf06857215779fd812ca3bef1b32",),
    "ENS": ("eip155:1/0xc18360217d8f7ab5e7c516566761ea12ce7f9d72",),
    "BAT": ("eip155:1/0x0d8775f648430679a709e98d2b0cb6250d2887ef",),
    "ZRX": ("eip155:1/0xe41d2489571d322189246dafa5ebde1f4699f498",),
    "LRC": ("eip155:1/0xbbbbca6a901c926f240b89eacb641d8aec7aeafd",),
    "1INCH": ("eip155:1/0x111111111117dc0aa78b770fa6a738034120c302",),
    "SUSHI": ("eip155:1/0x6b3595068778dd592e39a122f4f5a5cf09c90fe2",),
    "SHIB": ("eip155:1/0x95ad61b0a150d79219dcf64e1e6cc01f0b64c4ce",),
    "PEPE": ("eip155:1/0x6982508145454ce325ddbe47a25d4ec3d2311933",),
    "APE": ("eip155:1/0x4d224452801aced8b2f0aebe155379bb5d594381",),
    "MANA": ("eip155:1/0x0f5d2fb29fb7d3cfee444a200298f468908cc942",),
    "SAND": ("eip155:1/0x3845badade8e6dff049820680d1f14bd3903a5d0",),
    "MATIC": ("eip155:1/0x7d1afa7b718fb893db30a3abc0cfc608aacfebb0",),
    "POL": ("eip155:1/0x455e53cbb86018ac2b8092fdcd39d8444affc3f6",),
    **dict.fromkeys(
        (
            "JUP",
            "WIF",
            "BONK",
            "PYTH",
            "JTO",
            "RAY",
            "ORCA",
            "RENDER",
            "RNDR",
            "W",
            "HYPE",
            "ENA",
            "PENDLE",
            "EIGEN",
            "OP",
            "IMX",
            "AXS",
            "GALA",
            "CHZ",
            "ENJ",
            "FLOKI",
            "TRUMP",
            "PENGU",
            "ZRO",
            "ZK",
            "WLD",
            "ONDO",
            "JASMY",
            "BLUR",
            "LPT",
            "ANKR",
            "STORJ",
            "BAND",
            "RLC",
            "NMR",
            "REP",
            "OMG",
            "GNO",
            "KEEP",
            "NU",
            "AMP",
            "SKL",
            "CVX",
            "RPL",
            "SSV",
            "GMX",
            "MAGIC",
            "QNT",
            "AUDIO",
            "ALICE",
            "API3",
            "COTI",
            "DENT",
            "HOT",
            "FUN",
            "GLM",
            "AGIX",
            "CRVUSD",
            "SKY",
            "BNT",
            "REN",
            "XAUT",
            "PAXG",
            "STG",
            "RSR",
            "CVC",
            "DATA",
            "SNT",
            "PAX",
            "WAXP",
            "XCN",
            "LEND",
            "KFEE",
            "KIN",
            "BTRST",
            "RARI",
            "GTC",
            "RAD",
            "YOYOW",
            "FORTH",
            "TRB",
            "POLY",
            "ORN",
            "NEXO",
            "CEL",
            "HT",
            "KCS",
            "GT",
            "BGB",
            "MX",
            "FTT",
            "SRM",
        ),
        (),
    ),
    "ARB": ("eip155:1/0xb50721bcf8d664c30412cfbc6cf7a15145234ad1",),
}
_STANDING_FOR: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "WETH": (
        "wrapped",
        "ETH",
        (
            "eip155:1/0xc02aaa39b223fe8d0a0e5c4f27ead9083c756cc2",
            "eip155:137/0x7ceb23fd6bc0add59e62ac25578270cff1b9f619",
            "eip155:8453/0x4200000000000000000000000000000000000006",
        ),
    ),
    "WBTC": (
        "wrapped",
        "BTC",
        (
            "eip155:1/0x2260fac5e5542a773aa44fbcfedf7c193bc2c599",
            "eip155:137/0x1bfd67037b42cf73acf2047067bd4f2c47d9bfd6",
        ),
    ),
    "cbBTC": ("wrapped", "BTC", ("eip155:1/0xcbb7c0000ab88b473b1f5afd9ef808440eed33bf",)),
    "USDC.e": (
        "bridged",
        "USDC",
        (
            "eip155:137/0x2791bca1f2de4661ed88a30c99a7a9449aa84174",
            "eip155:10/0x7f5c764cbc14f9669b88837ca1490cca17c31607",
            "eip155:42161/0xff970a61a04b1ca14834a43f5de4533ebddb5cc8",
        ),
    ),
    "USDbC": ("bridged", "USDC", ("eip155:8453/0xd9aaec86b65d86f6a7b5b1b0c42ffa531710b6ca",)),
    "stETH": ("liquid_staking", "ETH", ("eip155:1/0xae7ab96520de3a18e5e111b5eaab095312d7fe84",)),
    "wstETH": ("liquid_staking", "ETH", ("eip155:1/0x7f39c581f595b53c5cb19bd0b3f8da6c935e2ca0",)),
    "rETH": ("liquid_staking", "ETH", ("eip155:1/0xae78736cd615f374d3085123a210448e74fc6393",)),
    "cbETH": ("liquid_staking", "ETH", ("eip155:1/0xbe9895146f7af43049ca1c1ae358b0541ea49704",)),
    "mSOL": ("liquid_staking", "SOL", ()),
    "JitoSOL": ("liquid_staking", "SOL", ()),
}
"""Token -> class, the coin that it stands for, its contracts; whether the swap is one is unsettled (tax rules 1.4)."""

_NAMES = {
    "bitcoin": "BTC", "ethereum": "ETH", "ether": "ETH", "solana": "SOL", "cardano": "ADA", "ripple": "XRP",
    "litecoin": "LTC", "bitcoin cash": "BCH", "dogecoin": "DOGE", "polkadot": "DOT", "kusama": "KSM",
    "avalanche": "AVAX", "cosmos": "ATOM", "algorand": "ALGO", "stellar": "XLM", "stellar lumens": "XLM",
    "monero": "XMR", "zcash": "ZEC", "ethereum classic": "ETC", "tron": "TRX", "binance coin": "BNB", "tezos": "XTZ",
    "near protocol": "NEAR", "filecoin": "FIL", "internet computer": "ICP", "hedera": "HBAR", "vechain": "VET",
    "aptos": "APT", "celestia": "TIA", "toncoin": "TON", "kaspa": "KAS", "stacks": "STX", "ravencoin": "RVN",
    "decred": "DCR", "usd coin": "USDC", "usdcoin": "USDC", "tether": "USDT", "tether usd": "USDT", "trueusd": "TUSD",
    "gemini dollar": "GUSD", "paypal usd": "PYUSD", "pax dollar": "USDP", "euro coin": "EURC",
    "wrapped ether": "WETH", "wrapped bitcoin": "WBTC", "chainlink": "LINK", "uniswap": "UNI", "maker": "MKR",
    "compound": "COMP", "synthetix": "SNX", "the graph": "GRT", "lido dao": "LDO", "basic attention token": "BAT",
    "shiba inu": "SHIB", "apecoin": "APE", "decentraland": "MANA", "the sandbox": "SAND", "arbitrum": "ARB",
}  # fmt: skip
"""Names by which brokers' forms call an asset. A name that two assets share (Polygon) stays out: it is asked."""


def shipped() -> pl.DataFrame:
    """The common assets as rows of `Assets`: a row for each contract, one without a contract for every other asset."""
    rows: list[tuple[str | None, ...]] = [(asset, asset, None, None, "coin", None) for asset in _COINS]
    rows += [(asset, asset, None, None, "fiat", None) for asset in FIAT]
    for group, kind in ((_STABLECOINS, "stablecoin"), (_TOKENS, "token")):
        for asset, places in group.items():
            rows += [(asset, asset, *place.split("/"), kind, None) for place in places]
            rows += [] if places else [(asset, asset, None, None, kind, None)]
    for asset, (kind, coin, places) in _STANDING_FOR.items():
        rows += [(asset, asset, *place.split("/"), kind, coin) for place in places]
        rows += [] if places else [(asset, asset, None, None, kind, coin)]
    rows += _listed()
    columns = ["asset", "symbol", "chain", "contract", "class", "represents"]
    return conform(pl.DataFrame(rows, schema=dict.fromkeys(columns, pl.String), orient="row"), Assets)


@cache
def _listed() -> list[tuple[str | None, ...]]:
    """Tokens by contract from a public list (known_tokens.licence.txt): asset, symbol, chain, contract, class, coin.

    Most keep their CAIP-19 id as the asset: a symbol is no identity. What the list adds for them is that they are known.
    """
    text = resources.files(__package__).joinpath("known_tokens.csv").read_text(encoding="utf-8")
    return [
        (row["asset"], row["symbol"], row["chain"], row["contract"], row["class"], row["represents"] or None)
        for row in csv.DictReader(io.StringIO(text))
    ]


def unknown(assets: pl.DataFrame, asset: pl.Expr) -> pl.Expr:
    """Whether a canonical id is a ticker that nobody knows: no row of `master` has it, and it is no CAIP-19 id."""
    return ~asset.is_in(assets["asset"].unique().implode()) & ~asset.str.contains(
        r"^[a-z0-9-]{3,8}:[-_a-zA-Z0-9]{1,32}/"
    )


def master(assets: pl.DataFrame) -> pl.DataFrame:
    """All that is known of assets (`Assets`): the firm's rows first, then the shipped ones; earlier rows win."""
    return pl.concat([assets, shipped()])


def resolve(assets: pl.DataFrame, asset: pl.Expr) -> pl.Expr:
    """The canonical id of an asset that a file names by ticker or by CAIP-19 id.

    A known contract gives its asset; a ticker matches in any case; whatever nobody knows stays as it is (EVM ids in
    lower case).

    Args:
        assets: what `master` returns.
        asset: text.
    """
    name = pl.when(asset.str.starts_with("eip155:")).then(asset.str.to_lowercase()).otherwise(asset.str.strip_chars())
    contracts = _contracts(assets)
    exact = assets["asset"].unique()
    known = {a.lower(): a for a in reversed(assets["asset"].to_list())}
    folded = name.str.to_lowercase().replace_strict(known, default=name, return_dtype=pl.String)
    ticker = pl.when(name.is_in(exact.implode())).then(name).otherwise(folded)
    return name.replace_strict(contracts, default=ticker, return_dtype=pl.String)


def on_form(assets: pl.DataFrame, code: pl.Expr, name: pl.Expr) -> pl.Expr:
    """The canonical id of an asset that a Form 1099-DA names: box 1b a ticker or a name, box 1a a code (ISO 24165).

    A symbol that the firm's `assets.csv` gives to one asset alone counts as its name (or code) too. What nobody knows
    stays as it is written; a form that names nothing is `?`.

    Args:
        assets: what `master` returns.
        code: text of box 1a.
        name: text of box 1b.
    """
    symbols = assets.filter(pl.col("symbol").is_not_null()).select(pl.col("symbol").str.to_lowercase(), "asset")
    single = symbols.unique().filter(pl.len().over("symbol") == 1)
    names = {**_NAMES, **dict(single.rows())}
    every = assets["asset"].unique().implode()

    def known(text: pl.Expr) -> pl.Expr:
        asset = resolve(assets, text)
        called = text.str.strip_chars().str.to_lowercase().replace_strict(names, default=None, return_dtype=pl.String)
        return pl.coalesce(pl.when(asset.is_in(every)).then(asset), called)

    ticker = name.str.extract(r"\(([^()]+)\)\s*$")  # Bitcoin (BTC)
    return pl.coalesce(
        known(name), known(ticker), known(code), resolve(assets, name), resolve(assets, code), pl.lit("?")
    )


def _contracts(assets: pl.DataFrame) -> dict[str, str]:
    """CAIP-19 id -> asset, for every row with a chain and a contract; a token of a collection has its number too."""
    evm = pl.col("chain").str.starts_with("eip155:")
    contract = pl.when(evm).then(pl.col("contract").str.to_lowercase()).otherwise(pl.col("contract"))
    placed = assets.filter(pl.col("chain").is_not_null() & pl.col("contract").is_not_null())
    fungible = pl.when(evm).then(pl.lit("erc20")).otherwise(pl.lit("token"))
    single = placed.filter(pl.col("token_id").is_null()).select(
        pl.format("{}/{}:{}", "chain", fungible, contract), "asset"
    )
    tokens = [
        placed.filter(pl.col("token_id").is_not_null()).select(
            pl.format("{}/" + standard + ":{}/{}", "chain", contract, "token_id"), "asset"
        )
        for standard in ("erc721", "erc1155")
    ]
    return {key: asset for part in (single, *tokens) for key, asset in reversed(part.rows())}


def facts(assets: pl.DataFrame) -> pl.DataFrame:
    """(asset, class, collectible, indivisible, represents), one row an asset of `master`.

    `represents` (the canonical id of the coin that a wrapped, bridged, staked or pool token stands for) is the first
    that a row names, and so is the class with it: a firm's row that only adds a contract changes neither.

    An nft is a collectible (28 % rate) and indivisible unless the firm says otherwise: whether it is one depends on what
    it stands for (Notice 2023-27, look-through), so the firm's row decides.
    """
    nft = pl.col("class") == "nft"
    named = assets.filter(pl.col("represents").is_not_null()).unique("asset", keep="first", maintain_order=True)
    stands = named.select("asset", of_class="class", coin=resolve(assets, pl.col("represents")))
    first = assets.unique("asset", keep="first", maintain_order=True).join(
        stands, on="asset", how="left", maintain_order="left"
    )
    return first.with_columns(
        pl.when(pl.col("class").is_in(STANDS_FOR)).then("class").otherwise(pl.coalesce("of_class", "class"))
    ).select(
        "asset", "class", pl.col("collectible").fill_null(nft), pl.col("indivisible").fill_null(nft), represents="coin"
    )
