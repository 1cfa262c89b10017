"""What the columns of the lake cost in other layouts.

    TIDEGATE_BENCH_KEEP=/tmp/bench cargo bench --bench import
    python benches/layout.py /tmp/bench/lake

Reads the bars of a lake, writes their six columns in each layout, and prints the size and the CPU time of reading it back on
one thread, the best of seven. Then it asks each reader for one glob over two series whose decimals differ. docs/layout.md says
what we made of the answers. Needs pyarrow, pandas, polars and duckdb.
"""

import decimal
import glob
import os
import sys
import tempfile
import time

import duckdb
import polars
import pyarrow
import pyarrow.compute as compute
import pyarrow.dataset
import pyarrow.parquet as parquet

COLUMNS = ["open_time", "open", "high", "low", "close", "volume"]
GROUP_ROWS = 131_072


def milliseconds(work):
    best = float("inf")
    for _ in range(7):
        start = time.process_time()
        work()
        best = min(best, time.process_time() - start)
    return best * 1e3


def whole(column, scale):
    """The numbers as whole multiples of 10^-scale, exactly."""
    scaled = compute.multiply(column, 10.0**scale)
    rounded = compute.round(scaled)
    assert compute.max(compute.abs(compute.subtract(scaled, rounded))).as_py() < 1e-3 * 10**max(0, scale - 6), "has more decimals"
    return compute.cast(rounded, pyarrow.int64())


def write(path, table, values, compression, level=None):
    encoding = {name: values for name in COLUMNS[1:]} | {"open_time": "DELTA_BINARY_PACKED"}
    parquet.write_table(
        table,
        path,
        compression=compression,
        compression_level=level,
        use_dictionary=values == "DICTIONARY",
        column_encoding=None if values == "DICTIONARY" else encoding,
        row_group_size=GROUP_ROWS,
        data_page_size=GROUP_ROWS * 16,
        store_decimal_as_integer=True,
    )


def decimals(table, price_scale, volume_scale):
    def column(name):
        scale = volume_scale if name == "volume" else price_scale
        exact = whole(table[name], scale)
        texts = pyarrow.chunked_array([pyarrow.array([decimal.Decimal(n).scaleb(-scale) for n in chunk.to_pylist()],
                                                     pyarrow.decimal128(18, scale)) for chunk in exact.chunks])
        return texts

    return pyarrow.table([table["open_time"]] + [column(name) for name in COLUMNS[1:]], names=COLUMNS)


def row(name, size, read):
    start = time.process_time()
    sees = read().to_pandas()["close"].dtype
    frame = (time.process_time() - start) * 1e3
    print(f"| {name} | {size / 1e6:.1f} | {milliseconds(read):.0f} | {frame:.0f} | {sees} |", flush=True)


def sizes(table, files, folder):
    fine, ticks = decimals(table, 8, 8), decimals(table, 2, 5)
    layouts = [
        ("double, plain, zstd 1", table, "PLAIN", "zstd", 1),
        ("double, dictionary, zstd 1", table, "DICTIONARY", "zstd", 1),
        ("double, plain, zstd 9", table, "PLAIN", "zstd", 9),
        ("double, byte streams, zstd 1", table, "BYTE_STREAM_SPLIT", "zstd", 1),
        ("double, byte streams, zstd 9", table, "BYTE_STREAM_SPLIT", "zstd", 9),
        ("double, byte streams, lz4", table, "BYTE_STREAM_SPLIT", "lz4", None),
        ("decimal(18, 8), byte streams, zstd 1", fine, "BYTE_STREAM_SPLIT", "zstd", 1),
        ("decimal(18, 8), delta, zstd 1", fine, "DELTA_BINARY_PACKED", "zstd", 1),
        ("decimal by ticks (2, 5), byte streams, zstd 1", ticks, "BYTE_STREAM_SPLIT", "zstd", 1),
        ("decimal by ticks (2, 5), delta, zstd 1", ticks, "DELTA_BINARY_PACKED", "zstd", 1),
    ]
    print("| layout | MB | pyarrow, ms | to pandas, ms | pandas sees |\n|---|---|---|---|---|")
    as_they_are = lambda: pyarrow.concat_tables([parquet.read_table(file, columns=COLUMNS, use_threads=False) for file in files])
    row("the lake's own files", sum(map(os.path.getsize, files)), as_they_are)
    for nth, (name, columns, values, compression, level) in enumerate(layouts):
        path = os.path.join(folder, f"{nth}.parquet")
        write(path, columns, values, compression, level)
        row(name, os.path.getsize(path), lambda: parquet.read_table(path, use_threads=False))


def mixed(folder):
    """One glob over a series with two decimals and one with eight."""
    for name, scale, value in [("a", 2, "65000.12"), ("b", 8, "0.00001234")]:
        os.makedirs(os.path.join(folder, f"symbol={name}"))
        close = pyarrow.array([decimal.Decimal(value)], pyarrow.decimal128(18, scale))
        parquet.write_table(pyarrow.table({"close": close}), os.path.join(folder, f"symbol={name}", "part.parquet"))
    every = os.path.join(folder, "*", "*.parquet")
    readers = {
        "DuckDB": lambda: duckdb.sql(f"SELECT close FROM '{every}' ORDER BY close").fetchall(),
        "Polars": lambda: polars.read_parquet(every)["close"].sort().to_list(),
        "pyarrow": lambda: pyarrow.dataset.dataset(folder).to_table(columns=["close"])["close"].to_pylist(),
    }
    for name, read in readers.items():
        try:
            print(f"{name}: {[str(value[0] if isinstance(value, tuple) else value) for value in read()]}")
        except Exception as error:  # Whatever it is, it is the answer.
            print(f"{name}: refuses ({type(error).__name__}: {str(error).splitlines()[0][:90]})")


def main():
    files = sorted(glob.glob(os.path.join(sys.argv[1], "**", "*.parquet"), recursive=True))
    table = pyarrow.concat_tables([parquet.ParquetFile(file).read(columns=COLUMNS) for file in files]).combine_chunks()
    print(f"{table.num_rows:,} rows × {len(COLUMNS)}, pyarrow {pyarrow.__version__}\n")
    with tempfile.TemporaryDirectory() as folder:
        sizes(table, files, folder)
    print("\nTwo scales under one glob; the second number is 0.00001234:\n")
    with tempfile.TemporaryDirectory() as folder:
        mixed(folder)


main()
