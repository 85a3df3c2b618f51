#!/bin/sh
# SPDX-License-Identifier: MIT
exec "$top_builddir/tests/cases/run_cases"
