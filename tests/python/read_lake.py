"""Reads a lake with pyarrow, DuckDB and Polars, by one glob, and compares what they find.

usage: read_lake.py GLOB BARS.csv

BARS.csv has the bars as tidegate reads them: venue,symbol,interval,open_time (microseconds),open,high,low,close,volume, the
floats as their 64 bits in hexadecimal, so that equal means equal.
"""

import csv
import glob
import struct
import sys

import duckdb
import polars
import pyarrow.parquet

COLUMNS = ["open_time", "open", "high", "low", "close", "volume"]
KEYS = ["venue", "symbol", "interval"]


def bits(value):
    return struct.pack(">d", value).hex()


def rows(table):
    """The rows of a pyarrow table as tuples, sorted."""
    times = table["open_time"]
    assert str(times.type) == "timestamp[us, tz=UTC]", times.type
    columns = [table[key].to_pylist() for key in KEYS] + [times.cast("int64").to_pylist()]
    columns += [[bits(value) for value in table[name].to_pylist()] for name in COLUMNS[1:]]
    return sorted(zip(*columns))


def by_pyarrow(pattern):
    """File by file, with the keys from the path."""
    tables = []
    for path in sorted(glob.glob(pattern, recursive=True)):
        keys = dict(part.split("=", 1) for part in path.split("/") if "=" in part)
        table = pyarrow.parquet.ParquetFile(path).read()
        for key in KEYS:
            table = table.append_column(key, pyarrow.array([keys[key]] * len(table)))
        tables.append(table)
    return pyarrow.concat_tables(tables)


def by_duckdb(pattern):
    connection = duckdb.connect()
    connection.execute("set timezone = 'UTC'")
    names = ", ".join(KEYS + COLUMNS)
    query = f"select {names} from read_parquet('{pattern}', hive_partitioning = true, hive_types_autocast = false)"
    return connection.execute(query).to_arrow_table()


def by_polars(pattern):
    return polars.read_parquet(pattern, hive_partitioning=True).select(KEYS + COLUMNS).to_arrow()


def main(pattern, expected_path):
    with open(expected_path, newline="") as file:
        expected = sorted((*row[:3], int(row[3]), *row[4:]) for row in csv.reader(file))
    assert expected, "no bars to compare with"
    for reader in (by_pyarrow, by_duckdb, by_polars):
        found = rows(reader(pattern))
        assert len(found) == len(expected), f"{reader.__name__}: {len(found)} rows, expected {len(expected)}"
        for one, other in zip(found, expected):
            assert one == other, f"{reader.__name__}: {one}, expected {other}"
        print(reader.__name__, len(found), "rows equal")


if __name__ == "__main__":
    main(*sys.argv[1:])
