"""The bank's SQLite file: accounts, transfers and what may be done to them. Knows nothing of MCP."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

SCHEMA = """
create table accounts (id text primary key, name text, kind text, currency text, cents integer, status text);
create table transfers (id integer primary key, made_at text, from_account text references accounts (id),
    to_account text references accounts (id), cents integer check (cents > 0), memo text);
"""

ACCOUNTS = [
    ("ops-1001", "Operating account Hamburg", "operating", "EUR", 18_425_000, "open"),
    ("ops-1002", "Operating account Lyon", "operating", "EUR", 6_210_540, "open"),
    ("pay-2001", "Payroll", "payroll", "EUR", 41_780_025, "open"),
    ("res-3001", "Tax reserve", "reserve", "EUR", 9_900_000, "open"),
    ("sup-4001", "Nordwind Logistik GmbH", "supplier", "EUR", 1_204_310, "open"),
    ("sup-4002", "Atelier Morel SARL", "supplier", "EUR", 388_275, "open"),
    ("sup-4003", "Kessel Druckerei", "supplier", "EUR", 0, "closed"),
]

TRANSFERS = [
    ("2026-10-30T09:12:04+00:00", "ops-1001", "pay-2001", 12_500_000, "Funding payroll October"),
    ("2026-11-02T08:31:47+00:00", "ops-1001", "sup-4001", 418_900, "Invoice NW-20881, freight October"),
    ("2026-11-03T10:05:12+00:00", "ops-1002", "sup-4002", 96_450, "Invoice 2026-117, catalogue photos"),
    ("2026-11-05T14:48:30+00:00", "ops-1001", "res-3001", 2_150_000, "VAT advance October"),
    ("2026-11-09T07:55:19+00:00", "ops-1001", "ops-1002", 800_000, "Liquidity Lyon"),
    (
        "2026-11-12T11:20:03+00:00",
        "ops-1001",
        "sup-4001",
        402_310,
        "Invoice NW-21034, freight calendar week 45",
    ),
    ("2026-11-16T13:02:56+00:00", "ops-1002", "sup-4002", 101_825, "Invoice 2026-124, catalogue photos"),
    ("2026-11-19T09:40:41+00:00", "ops-1001", "pay-2001", 12_500_000, "Funding payroll November"),
]


class BankError(Exception):
    """What the bank will not do; the text says why and may be shown to the caller."""


@dataclass(frozen=True)
class Account:
    """One account; the balance in its currency's main unit."""

    id: str
    name: str
    kind: str
    currency: str
    balance: float
    status: str


@dataclass(frozen=True)
class Transfer:
    """One transfer that was made; `made_at` is UTC."""

    id: int
    made_at: str
    from_account: str
    to_account: str
    amount: float
    memo: str


class Bank:
    """The file at `path`, made with sample data if it is not there. Every call opens its own connection."""

    def __init__(self, path: Path) -> None:
        self._path = path
        if not path.exists():
            with self._file() as file:
                file.executescript(SCHEMA)
                file.executemany("insert into accounts values (?, ?, ?, ?, ?, ?)", ACCOUNTS)
                file.executemany("insert into transfers values (null, ?, ?, ?, ?, ?)", TRANSFERS)

    @contextmanager
    def _file(self) -> Iterator[sqlite3.Connection]:
        """One transaction: kept when the block ends well, undone when it does not."""
        with closing(sqlite3.connect(self._path, timeout=5)) as file, file:
            yield file

    def accounts(self) -> list[Account]:
        """Every account, by id."""
        with self._file() as file:
            return [_account(row) for row in file.execute("select * from accounts order by id")]

    def account(self, account: str) -> Account:
        """One account. Raises `BankError` where there is none of that id."""
        with self._file() as file:
            return _find(file, account)

    def transfers(self, account: str | None = None, month: str = "", limit: int = 100) -> list[Transfer]:
        """The newest transfers first, of one account or all, of one month (`2026-11`) or all."""
        wanted = (account, account, account, f"{month}%", limit)
        with self._file() as file:
            rows = file.execute(
                "select * from transfers where (? is null or from_account = ? or to_account = ?)"
                " and made_at like ? order by id desc limit ?",
                wanted,
            )
            return [_transfer(row) for row in rows]

    def transfer(self, from_account: str, to_account: str, amount: float, memo: str) -> Transfer:
        """Move money and write it down, both or neither. Raises `BankError`."""
        cents = round(amount * 100)
        if cents < 1:
            raise BankError("The amount must be at least 0.01.")
        if from_account == to_account:
            raise BankError("The two accounts are the same.")
        with self._file() as file:
            file.execute("begin immediate")
            source, target = _find(file, from_account), _find(file, to_account)
            if "closed" in (source.status, target.status):
                raise BankError("One of the accounts is closed.")
            if round(source.balance * 100) < cents:
                raise BankError(f"Account {source.id} holds less than {amount:,.2f} {source.currency}.")
            file.execute("update accounts set cents = cents - ? where id = ?", (cents, source.id))
            file.execute("update accounts set cents = cents + ? where id = ?", (cents, target.id))
            made_at = datetime.now(UTC).isoformat(timespec="seconds")
            row = (made_at, source.id, target.id, cents, memo)
            made = file.execute(
                "insert into transfers values (null, ?, ?, ?, ?, ?) returning *", row
            ).fetchone()
            return _transfer(made)

    def close(self, account: str) -> Account:
        """Close an empty account for good. Raises `BankError`."""
        with self._file() as file:
            file.execute("begin immediate")
            if _find(file, account).balance:
                raise BankError("Only an empty account can be closed.")
            file.execute("update accounts set status = 'closed' where id = ?", (account,))
            return _find(file, account)


def _find(file: sqlite3.Connection, account: str) -> Account:
    row = file.execute("select * from accounts where id = ?", (account,)).fetchone()
    if row is None:
        raise BankError(f"There is no account {account!r}.")
    return _account(row)


def _account(row: tuple[str, str, str, str, int, str]) -> Account:
    account, name, kind, currency, cents, status = row
    return Account(account, name, kind, currency, cents / 100, status)


def _transfer(row: tuple[int, str, str, str, int, str]) -> Transfer:
    number, made_at, from_account, to_account, cents, memo = row
    return Transfer(number, made_at, from_account, to_account, cents / 100, memo)
