#!/bin/bash
# SPDX-License-Identifier: MIT
# The rooms of core include only rooms before them; plugins only the contract and support.
set -u
cd "$top_srcdir" || exit 1

rooms='base model journal catalog config plan decide wire undo run keeper worker testing report cli'
number=0

# may_include ROOM TARGET: does the house allow it?
may_include()
{
	case $1:$2 in
	decide:base | decide:model | decide:decide) return 0 ;;
	decide:*) return 1 ;;
	worker:base | worker:model | worker:wire | worker:worker) return 0 ;;
	worker:*) return 1 ;;
	report:run) return 1 ;;
	esac
	[[ " ${rooms%%"$1"*}$1 " == *" $2 "* ]]
}

# included FILE: the names in its #include lines, <...> and "..." alike.
included()
{
	sed -nE 's/^[[:space:]]*#[[:space:]]*include[[:space:]]*[<"]([^>"]+)[>"].*/\1/p' "$1"
}

report()
{
	number=$((number + 1))
	if [ -z "$2" ]; then
		echo "ok $number - $1"
	else
		echo "not ok $number - $1"
		printf '%s' "$2" | sed 's/^/# /'
	fi
}

check_room()
{
	local room=$1 faults="" file name
	for file in core/"$room"/*.[ch]; do
		[ -e "$file" ] || continue
		while read -r name; do
			if [[ $name == support/* || $name == plugins/* ]]; then
				faults+="$file includes the plugins' \"$name\""$'\n'
			elif [[ $name == */* && -d core/${name%%/*} ]]; then
				may_include "$room" "${name%%/*}" ||
					faults+="$file may not include \"$name\""$'\n'
			elif [[ -e core/$room/$name ]]; then
				faults+="$file includes \"$name\" without its room"$'\n'
			elif [[ $name == *..* ]]; then
				faults+="$file includes \"$name\" by a way around"$'\n'
			fi
		done < <(included "$file")
	done
	report "core/$room includes only what is before it" "$faults"
}

check_plugin()
{
	local plugin=$1 faults="" file name
	while IFS= read -r file; do
		while read -r name; do
			if [[ $name == */* && -d core/${name%%/*} && ! -e plugins/$name ]]; then
				faults+="$file includes the core's \"$name\""$'\n'
			elif [[ $name == upkeep/* && $name != upkeep/plugin.h ]]; then
				# The fake host is for tests alone.
				[[ $name == upkeep/testing.h && $file == */tests/* ]] ||
					faults+="$file includes \"$name\""$'\n'
			elif [[ $name == */* && -d plugins/${name%%/*} ]]; then
				case ${name%%/*} in
				support | "$plugin") ;;
				*) faults+="$file includes another plugin's \"$name\""$'\n' ;;
				esac
			elif [[ $name == ../* && $name != ../*/* ]]; then
				[[ $file == */tests/* ]] || faults+="$file includes \"$name\""$'\n'
			elif [[ $name == *../* ]]; then
				faults+="$file includes \"$name\" by a way around"$'\n'
			fi
		done < <(included "$file")
	done < <(find "plugins/$plugin" -name '*.[ch]')
	report "plugins/$plugin includes only the contract and support" "$faults"
}

check_api()
{
	local faults="" file name
	for file in plugin-api/upkeep/*.h; do
		while read -r name; do
			[[ $name == */* && $name != upkeep/* && -d core/${name%%/*} ]] &&
				faults+="$file includes \"$name\""$'\n'
		done < <(included "$file")
	done
	report "plugin-api includes nothing of core" "$faults"
}

set -- $rooms
plugins=$(cd plugins && find . -mindepth 1 -maxdepth 1 -type d | sed 's|^\./||' | sort)
echo "1..$(($# + $(echo "$plugins" | wc -w) + 2))"
for room; do
	check_room "$room"
done
for plugin in $plugins; do
	check_plugin "$plugin"
done
check_api
unknown=
for dir in core/*/; do
	[[ " $rooms " == *" $(basename "$dir") "* ]] || unknown+="$dir is no room of the house"$'\n'
done
report "every directory of core is a room" "$unknown"
