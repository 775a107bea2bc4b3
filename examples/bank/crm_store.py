"""The CRM's SQLite file: customers and what may be done to them. Knows nothing of MCP."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import astuple, dataclass
from pathlib import Path

SCHEMA = """
create table customers
    (id text primary key, name text, city text, contact text, email text, tier text, note text)
"""


class CrmError(Exception):
    """What the CRM will not do; the text says why and may be shown to the caller."""


@dataclass(frozen=True)
class Customer:
    """One customer of the house."""

    id: str
    name: str
    city: str
    contact: str
    email: str
    tier: str
    note: str


CUSTOMERS = [
    Customer(
        "cus-01", "Brauerei Lindner", "Bremen", "Jana Lindner", "jana@lindner.example", "gold", "Pays early."
    ),
    Customer("cus-02", "Fjordline Foods", "Bergen", "Ola Nes", "ola@fjordline.example", "silver", ""),
    Customer(
        "cus-03",
        "Casa Verde",
        "Porto",
        "Rui Matos",
        "rui@casaverde.example",
        "silver",
        "Invoices in Portuguese.",
    ),
    Customer(
        "cus-04",
        "Hotel Seeblick",
        "Lindau",
        "Petra Voss",
        "petra@seeblick.example",
        "gold",
        "New owner since May.",
    ),
    Customer(
        "cus-05", "Ravel & Fils", "Lyon", "Anne Ravel", "anne@ravel.example", "bronze", "Two reminders open."
    ),
    Customer("cus-06", "Tulipa Bikes", "Utrecht", "Daan Smit", "daan@tulipa.example", "silver", ""),
]


class Crm:
    """The file at `path`, made with sample data if it is not there. Every call opens its own connection."""

    def __init__(self, path: Path) -> None:
        self._path = path
        if not path.exists():
            with self._file() as file:
                file.execute(SCHEMA)
                rows = [astuple(customer) for customer in CUSTOMERS]
                file.executemany("insert into customers values (?, ?, ?, ?, ?, ?, ?)", rows)

    @contextmanager
    def _file(self) -> Iterator[sqlite3.Connection]:
        """One transaction: kept when the block ends well, undone when it does not."""
        with closing(sqlite3.connect(self._path, timeout=5)) as file, file:
            yield file

    def find(self, text: str, limit: int) -> list[Customer]:
        """Customers whose name, city or contact contains `text`, by id."""
        with self._file() as file:
            rows = file.execute(
                "select * from customers where instr(lower(name || ' ' || city || ' ' || contact), lower(?))"
                " order by id limit ?",
                (text, limit),
            )
            return [Customer(*row) for row in rows]

    def customer(self, customer: str) -> Customer:
        """One customer. Raises `CrmError` where there is none of that id."""
        with self._file() as file:
            return _find(file, customer)

    def note(self, customer: str, note: str) -> Customer:
        """Replace the note about a customer. Raises `CrmError`."""
        with self._file() as file:
            _find(file, customer)
            file.execute("update customers set note = ? where id = ?", (note, customer))
            return _find(file, customer)

    def delete(self, customer: str) -> Customer:
        """Delete a customer for good; what it was is returned once more. Raises `CrmError`."""
        with self._file() as file:
            gone = _find(file, customer)
            file.execute("delete from customers where id = ?", (customer,))
            return gone


def _find(file: sqlite3.Connection, customer: str) -> Customer:
    row = file.execute("select * from customers where id = ?", (customer,)).fetchone()
    if row is None:
        raise CrmError(f"There is no customer {customer!r}.")
    return Customer(*row)
