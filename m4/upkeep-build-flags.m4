# UPKEEP_BUILD_FLAGS: warnings, and the switches for sanitizers, coverage,
# fuzzing and warnings as errors.  Sets BUILD_CFLAGS, BUILD_LDFLAGS, ZDEFS.
AC_DEFUN([UPKEEP_BUILD_FLAGS], [
  BUILD_CFLAGS="-std=gnu17 -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wformat=2 -Wpointer-arith -Wwrite-strings"
  BUILD_LDFLAGS=""
  ZDEFS="-Wl,-z,defs"
  AC_SUBST([BUILD_CFLAGS])
  AC_SUBST([BUILD_LDFLAGS])
  AC_SUBST([ZDEFS])
])
