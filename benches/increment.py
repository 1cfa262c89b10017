"""What a run costs that finds one new bar in a lake of five million: the whole process, from its start to its end.

    python3 benches/increment.py target/release/tidegate [FOLDER]

Makes bars of its own, takes them in and trades them once (about half a minute), then brings one minute after the other and times
`tidegate run` on each. With FOLDER it works there, else in a temporary folder; what a disk costs is a part of the answer.
"""

import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time

BARS = 5_000_000
RUNS = 20
START = 1_420_070_400_000  # 2015-01-01
# A file changed so lately may change again within the same tick of its clock, and is read once more.
SETTLED_AFTER = 2.5

PROFILE = """
[profile]
inherits = "base"
pipeline = "five"
[limits]
max_notional_per_order = "1000"
max_position_notional  = "4000"
max_total_notional     = "4000"
max_daily_turnover     = "1000000"
max_dd_daily           = 0.05
max_dd_weekly          = 0.10
max_orders_per_minute  = 10
max_orders_per_day     = 1000000
max_participation      = 1.0
[risk]
max_reference_move = 1.0
[venue.paper]
equity     = "1000000"
maker_bps  = 0
taker_bps  = 0
"""

PIPELINE = """
[pipeline]
summary = "Minutes from a folder"
[schedule]
every = "1m"
align = "bar-close"
[stage.ingest]
kind     = "ingest"
source   = "file"
path     = "bars"
symbols  = ["BTC/USDT"]
interval = "1m"
[stage.model]
kind   = "model"
needs  = ["ingest"]
model  = "ema-cross"
params = { fast = 12, slow = 26 }
[stage.model.sizing]
kind     = "fixed-notional"
notional = "50"
[stage.oms]
kind     = "oms"
needs    = ["model"]
order    = "market"
[stage.alert]
kind  = "alert"
needs = ["oms"]
when  = "always"
"""


def bars(count, chance):
    """Lines of klines in cents: a walk that never falls below 10,000."""
    close = 2_000_000
    for nth in range(count):
        opens, close = close, max(1_000_000, close + chance.randrange(-800, 801))
        high, low = max(opens, close) + chance.randrange(500), min(opens, close) - chance.randrange(500)
        at = START + nth * 60_000
        o, h, l, c = (f"{price // 100}.{price % 100:02}" for price in (opens, high, low, close))
        volume = f"{chance.randrange(1, 100_000) / 1000:.3f}"
        yield f"{at},{o},{h},{l},{c},{volume},{at + 59_999},1.0,10,0.001,1.0,0\n"


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        file.writelines(text)


def main():
    program = os.path.abspath(sys.argv[1])
    with tempfile.TemporaryDirectory(dir=sys.argv[2] if len(sys.argv) > 2 else None) as root:
        subprocess.run([program, "init", root, "--quiet"], check=True, stdout=subprocess.DEVNULL)
        write(f"{root}/profiles/bench.toml", PROFILE)
        write(f"{root}/pipelines/five.toml", PIPELINE)
        every = bars(BARS + RUNS, random.Random(5))
        write(f"{root}/bars/BTCUSDT-1m-all.csv", (next(every) for _ in range(BARS)))
        time.sleep(SETTLED_AFTER)
        run = [program, "--root", root, "run", "-p", "bench", "--quiet"]
        subprocess.run(run, check=True, stdout=subprocess.DEVNULL)
        wall, cpu = [], []
        for nth in range(RUNS):
            write(f"{root}/bars/BTCUSDT-1m-new.{nth}.csv", [next(every)])
            time.sleep(SETTLED_AFTER)
            used, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
            done = subprocess.run(run, check=True, capture_output=True, text=True)
            wall.append((time.monotonic() - start) * 1e3)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            cpu.append((after.ru_utime + after.ru_stime - used.ru_utime - used.ru_stime) * 1e3)
            assert "1 of BTC/USDT" in done.stdout, done.stdout
        for name, times in (("wall", wall), ("cpu", cpu)):
            print(f"{name}: median {statistics.median(times):.0f} ms, {min(times):.0f} to {max(times):.0f}, {RUNS} runs")


main()
