#!/usr/bin/env bash
# Runs the tests of the sending protocol against a real mail server.
set -euo pipefail
cd "$(dirname "$0")/../.."
tests/prepare.sh mail
cargo build --locked --tests
SEATKEEPER_TEST_MAIL=1 exec timeout 300 cargo test --locked --test it -- mail_server::
