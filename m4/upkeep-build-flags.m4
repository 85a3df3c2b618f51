# UPKEEP_KEEP_CORE_DIR: configure removes a file "core" after each probe, for core
# dumps.  Here core/ is a directory of the build tree: keep `rm` from complaining.
AC_DEFUN([UPKEEP_KEEP_CORE_DIR], [
rm ()
{
  for up_arg
  do
    shift
    if test "x$up_arg" != xcore || test ! -d core; then
      set x "$[]@" "$up_arg"
      shift
    fi
  done
  command rm "$[]@"
}
])

# UPKEEP_TRY(VARIABLE, KIND, FLAGS): adds those FLAGS to VARIABLE with which a program
# compiles and links without a warning.  KIND is CFLAGS or LDFLAGS.  All at once
# first: one probe where the compiler knows them all.
AC_DEFUN([UPKEEP_TRY], [
  up_found=
  up_probe "$2" $3
  if test "$up_works" = yes; then
    up_found="$3"
  else
    for up_flag in $3; do
      up_probe "$2" "$up_flag"
      AS_IF([test "$up_works" = yes], [up_found="$up_found $up_flag"])
    done
  fi
  $1="$$1 $up_found"
])

# The shell function behind UPKEEP_TRY.
AC_DEFUN([UPKEEP_PROBE_FUNCTION], [
up_probe ()
{
  up_kind=$[]1
  shift
  up_cflags=$CFLAGS up_ldflags=$LDFLAGS
  CFLAGS="$CFLAGS -Werror"
  if test "$up_kind" = CFLAGS; then
    CFLAGS="$CFLAGS $[]*"
  else
    LDFLAGS="$LDFLAGS $[]*"
  fi
  AC_MSG_CHECKING([whether $CC accepts $[]*])
  AC_LINK_IFELSE([AC_LANG_PROGRAM([[#include <stdio.h>
#include <string.h>]], [[char text[16]; if (fgets(text, sizeof text, stdin)) puts(text);]])],
    [up_works=yes], [up_works=no])
  CFLAGS=$up_cflags LDFLAGS=$up_ldflags
  AC_MSG_RESULT([$up_works])
}
])

# UPKEEP_BUILD_FLAGS: warnings, hardening, and the switches for sanitizers, coverage,
# fuzzing and warnings as errors.  Sets
#   BUILD_CFLAGS, BUILD_LDFLAGS  for everything
#   INSTRUMENTED                 what a program that links our libraries needs besides
#   PROGRAM_LDFLAGS              for programs, not for modules
#   ZDEFS                        for modules
#   FUZZ_LDFLAGS                 for fuzzers
# and the conditionals ENABLE_COVERAGE, ENABLE_FUZZING, ENABLE_SANITIZER.
AC_DEFUN([UPKEEP_BUILD_FLAGS], [
  AC_REQUIRE([UPKEEP_PROBE_FUNCTION])
  AC_ARG_WITH([sanitizer], [AS_HELP_STRING([--with-sanitizer=LIST],
    [build with these sanitizers, e.g. address,undefined])], [], [with_sanitizer=no])
  AC_ARG_ENABLE([coverage], [AS_HELP_STRING([--enable-coverage],
    [count executed lines; then: make coverage])], [], [enable_coverage=no])
  AC_ARG_ENABLE([fuzzing], [AS_HELP_STRING([--enable-fuzzing],
    [build the fuzzers (CC=clang); then: make fuzz])], [], [enable_fuzzing=no])
  AC_ARG_ENABLE([werror], [AS_HELP_STRING([--enable-werror],
    [make warnings errors])], [], [enable_werror=no])
  AS_IF([test "$with_sanitizer" = yes], [with_sanitizer=address,undefined])
  AS_IF([test "$enable_fuzzing" = yes], [with_sanitizer=address,undefined])

  BUILD_CFLAGS="-std=gnu17"
  BUILD_LDFLAGS=
  PROGRAM_LDFLAGS=
  FUZZ_LDFLAGS=
  ZDEFS="-Wl,-z,defs"
  UPKEEP_TRY([BUILD_CFLAGS], [CFLAGS], [-Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wformat=2 -Wpointer-arith -Wwrite-strings])
  UPKEEP_TRY([BUILD_CFLAGS], [CFLAGS], [-fstack-protector-strong -fstack-clash-protection -fno-delete-null-pointer-checks -fno-strict-overflow])
  UPKEEP_TRY([BUILD_CFLAGS], [CFLAGS], [-ftrivial-auto-var-init=zero])
  AS_CASE([$host_cpu],
    [x86_64|i?86], [UPKEEP_TRY([BUILD_CFLAGS], [CFLAGS], [-fcf-protection=full])],
    [aarch64], [UPKEEP_TRY([BUILD_CFLAGS], [CFLAGS], [-mbranch-protection=standard])])
  UPKEEP_TRY([BUILD_LDFLAGS], [LDFLAGS], [-Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack -Wl,--as-needed])

  # A position-independent program; libtool puts its own -fPIC after it for modules.
  up_probe CFLAGS -fPIE -pie
  AS_IF([test "$up_works" = yes],
    [BUILD_CFLAGS="$BUILD_CFLAGS -fPIE" PROGRAM_LDFLAGS="$PROGRAM_LDFLAGS -pie"])

  AS_IF([test "$with_sanitizer" != no], [
    up_sanitize="-fsanitize=$with_sanitizer"
    up_probe CFLAGS $up_sanitize
    AS_IF([test "$up_works" = no],
      [AC_MSG_ERROR([$CC cannot build with $up_sanitize: install its runtime, or name others])])
    BUILD_CFLAGS="$BUILD_CFLAGS $up_sanitize -fno-sanitize-recover=all -fno-omit-frame-pointer -g"
    BUILD_LDFLAGS="$BUILD_LDFLAGS $up_sanitize"
    INSTRUMENTED=$up_sanitize
    # The sanitizers' runtime is in the program: a module leaves its symbols open.
    ZDEFS=
  ], [test "$enable_coverage" = no], [
    UPKEEP_TRY([BUILD_CFLAGS], [CFLAGS], [-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3])
  ])

  AS_IF([test "$enable_coverage" != no], [
    BUILD_CFLAGS="$BUILD_CFLAGS --coverage -fprofile-update=atomic -O0 -g"
    BUILD_LDFLAGS="$BUILD_LDFLAGS --coverage"
    INSTRUMENTED=--coverage
    # Workers end with _exit, which writes no counters: see tests/coverage-exit.c.
    PROGRAM_LDFLAGS="$PROGRAM_LDFLAGS -Wl,--wrap=_exit -Wl,--wrap=raise"
  ])

  AS_IF([test "$enable_fuzzing" != no], [
    up_probe CFLAGS -fsanitize=fuzzer-no-link,address,undefined
    AS_IF([test "$up_works" = no],
      [AC_MSG_ERROR([$CC has no fuzzer: install clang and configure with CC=clang])])
    BUILD_CFLAGS="$BUILD_CFLAGS -fsanitize=fuzzer-no-link"
    FUZZ_LDFLAGS="-fsanitize=fuzzer,address,undefined"
  ])

  AS_IF([test "$enable_werror" != no], [BUILD_CFLAGS="$BUILD_CFLAGS -Werror"])

  AM_CONDITIONAL([ENABLE_SANITIZER], [test "$with_sanitizer" != no])
  AM_CONDITIONAL([ENABLE_COVERAGE], [test "$enable_coverage" != no])
  AM_CONDITIONAL([ENABLE_FUZZING], [test "$enable_fuzzing" != no])
  AC_SUBST([BUILD_CFLAGS])
  AC_SUBST([BUILD_LDFLAGS])
  AC_SUBST([PROGRAM_LDFLAGS])
  AC_SUBST([FUZZ_LDFLAGS])
  AC_SUBST([INSTRUMENTED])
  AC_SUBST([ZDEFS])
])
