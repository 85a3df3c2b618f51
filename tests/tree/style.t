#!/bin/bash
# SPDX-License-Identifier: MIT
# What every file of the tree keeps to.
set -u
shopt -s lastpipe
cd "$top_srcdir" || exit 1
number=0

# none NAME: standard input lists the faults; there must be none.
none()
{
	local faults
	faults=$(cat)
	number=$((number + 1))
	if [ -z "$faults" ]; then
		echo "ok $number - $1"
	else
		echo "not ok $number - $1"
		sed 's/^/# /' <<<"$faults"
	fi
}

sources()
{
	find core plugins plugin-api tests -name '*.[ch]' -not -path 'plugin-api/template/*' -not -path 'tests/compat/*' | sort
}

echo 1..6
for file in $(sources | grep '\.c$'); do
	head -n 1 "$file" | grep -q '^/\* SPDX-License-Identifier: MIT \*/$' || echo "$file"
done | none 'every .c file begins with its licence'

sources | grep -v '^tests/' | xargs grep -nE '(^|[^_[:alnum:].>])(system|popen|wordexp|execlp|execvp)[[:space:]]*\(' |
	grep -vE ':[[:space:]]*(\*|//|/\*)' | none 'no shell is called'

sources | grep -v '^tests/' | xargs grep -nE '\b(strcpy|strcat|sprintf|vsprintf|gets|mktemp|tmpnam|tempnam)[[:space:]]*\(' |
	grep -vE ':[[:space:]]*(\*|//|/\*)' | none 'no function without a limit is called'

sources | xargs grep -nE '\b(TODO|FIXME|XXX|HACK)\b' | none 'nothing is left to do later'

sources | grep -v '^tests/' | xargs grep -nE '[[:space:]]+$' | none 'no line ends in blanks'

sources | grep -v '^plugin-api/' | xargs wc -l | awk '$1 >= 600 && $2 != "total" { print }' |
	none 'no file has 600 lines'
