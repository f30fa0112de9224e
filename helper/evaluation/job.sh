#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# job.sh CAMPAIGN-FOLDER NAME COMMAND: runs one job of a campaign, unless its results are there.
# Results appear all at once, by renaming; of a run that was killed nothing is left to be mistaken
# for one. A run whose starter was killed and that still goes on is waited for, not repeated.
# Files that options name are found from the folder in which it is started.

set -eu
folder=$1 name=$2 command=$3
mkdir -p -- "$folder/runs" "$folder/unfinished" "$folder/logs"
exec 9>>"$folder/unfinished/$name.lock"
flock 9
if [ -e "$folder/runs/$name/summary.json" ]; then
    exit 0
fi
rm -rf -- "$folder/unfinished/$name" "$folder/unfinished/.$name.partial"-*
# "./collapipe" is this checkout's, wherever the campaign is run.
collapipe=$(cd -- "$(dirname -- "$0")/../.." && pwd)/collapipe
COLLAPIPE_BUILT=yes sh -c "\"\$0\"${command#./collapipe} --outputDir=\"\$1\"" \
    "$collapipe" "$folder/unfinished/$name" \
    >"$folder/logs/$name.txt" 2>&1
mv -T -- "$folder/unfinished/$name" "$folder/runs/$name"
