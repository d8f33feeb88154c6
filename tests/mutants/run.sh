#!/bin/bash
# Takes one defence after the other out of a copy of the tree and expects the tests named for it to turn red:
#
#   sudo tests/mutants/run.sh                  all of them (about twenty minutes on two processors)
#   sudo tests/mutants/run.sh --only T03       those of one row of docs/security.md; or a regular expression for names
#   tests/mutants/run.sh --list                what there is
#
# A mutant that survives, does not compile or does not apply any more fails the run. The copy, its build and the engine's
# state are kept in build-mutants/, so that a second run builds little.
exec python3 -B "$(dirname "${BASH_SOURCE[0]}")/run.py" "$@"
