# SPDX-License-Identifier: GPL-2.0-only
#
# Many nodes: a round of 150 UEs in a cell, one of 50 Wi-Fi stations; wall time per simulated second
#
# Some five minutes. Options are collapipe-quickstart's, for both runs.

set -euo pipefail

program=$COLLAPIPE_BUILD/collapipe-quickstart

# crowd TITLE OPTION...: one round, of which it prints the last lines of the table.
crowd()
{
    local title=$1 table
    shift
    echo "$title"
    table=$("$program" --task=translation --compute=analytic --compare=none \
        --controller=uniform-pipeline --rounds=1 --localIterations=2 --devices=4 --outputDir= \
        --progress=none "$@")
    echo "$table" | tail -n 2
}

crowd "150 UEs in one cell, each a Wi-Fi station as well, in 30 clusters of 5" \
    --topology=hybrid --clusters=30 "$@"
crowd "50 Wi-Fi stations in 10 clusters of 5, wired to the edge server at their control units" \
    --topology=wifi --clusters=10 "$@"
