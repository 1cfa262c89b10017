# What people type often. CI runs `.ci/run` and nothing else.

# The recipes.
default:
    @just --list

# Formatting, lints and banned packages.
check:
    cargo fmt --check
    cargo clippy --all-targets --locked -- -D warnings
    .ci/bans

# Tests while developing: `just test risk` runs those with risk in their names.
test *FILTER:
    cargo nextest run {{FILTER}}
    cargo test --doc

# What CI runs.
ci:
    .ci/run

# Speed: `just bench replay` or `just bench import`.
bench NAME="replay":
    cargo bench --bench {{NAME}}

# Days of trading and kills by seed, with faults and crashes: `just sim 2000`, or one seed again: `just sim 1 57`.
sim N="4000" FIRST="0":
    TIDEGATE_SIM_SEEDS={{N}} TIDEGATE_SIM_FIRST={{FIRST}} cargo test --release --test it -- simulation::days simulation::kills --nocapture --test-threads=1

# Is there a test that fails when a line of the gate or of the desk is wrong? Half an hour; not part of `just ci`.
mutants *ARGS:
    .ci/mutants {{ARGS}}

# Rewrite the expected output of the cases; read the diff like code.
golden:
    TIDEGATE_UPDATE_GOLDEN=1 cargo test --test it diagnostics
    cargo run -- test --accept
    git diff --stat -- tests/cases

# Make the JSON Schemas again.
schema:
    cargo run -- schema --out schema

# Make data/sample and its manifest again.
sample:
    cargo run --release -- data sample

# Format everything.
fmt:
    cargo fmt

# The library's pages, with links that lead nowhere refused.
docs:
    RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --document-private-items
