# SPDX-License-Identifier: MIT
# Sourced by the tests of s3-upload: a site whose plugin speaks to a real server.
. "$top_srcdir/tests/cli/tap.sh" || exit 99
. "$top_srcdir/tests/services/use.sh" || exit 99
export RGW_TLS=1; use rgw
export S3_ENDPOINT S3_ACCESS_KEY S3_SECRET_KEY
direct=$S3_ENDPOINT
printf %s "$S3_SECRET_KEY" >"$dir/secret"; chmod 600 "$dir/secret"
export HOME=$dir AWS_EC2_METADATA_DISABLED=true
# s3 METHOD TARGET [HEADER:VALUE...]: past the plugin and past the proxy
s3() { S3_ENDPOINT=$direct "$services/s3-request" "$@" 2>"$dir/s3.err"; }
# instance NAME BUCKET ENDPOINT MORE: settings; 16 MiB make parts of 5 and 8 MiB of a stream
instance() { cat <<END
$1 = { plugin = "s3-upload"; bucket = "$2"; prefix = "p"; endpoint = "$3"; access_key = "$S3_ACCESS_KEY";
  secret_key = "file:$dir/secret"; memory = "16MiB"; jobs = 3; $4 };
END
}
# keep INSTANCE KEY COMMAND MORE: a graph that puts what a program writes
keep() { cat <<END
  dump = { action = "core.exec"; argv = [ "/bin/sh", "-c", "$3" ]; changes = "none"; };
  put = { action = "$1.put"; key = "$2"; from = "dump"; $4 };
END
}
# an object's bytes are those of the file; there is none; there are N open uploads of the bucket
same() { s3 GET "/$1" >"$dir/there" && cmp "$dir/there" "$2"; }
none() { ! s3 GET "/$1" >"$dir/there" && grep -q ' 404 ' "$dir/s3.err"; }
uploads_are() { local is; is=$(s3 GET "/$1?uploads=" | grep -o '<UploadId>' | wc -l)
	[ "$is" = "$2" ] || { echo "# $is open uploads"; return 1; }; }
header() { s3 HEAD "/$1" >"$dir/there" && grep -qi "^$2" "$dir/there" || { sed 's/^/# /' "$dir/there"; return 1; }; }
# beneath PID: all processes below it
beneath() { local pid; for pid in $(cat /proc/"$1"/task/*/children 2>/dev/null); do echo "$pid"; beneath "$pid"; done; }
# kill_run PID: with all its workers, so that none of them has time to tidy up
kill_run() { # shellcheck disable=SC2046
	die "$1" $(beneath "$1"); }
