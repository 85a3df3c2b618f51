# UPKEEP_PLUGIN_PREREQ([MAJOR])
# -----------------------------
# For plugins that are built by autotools.  Finds upkeep's plugin contract by
# pkg-config and sets UPKEEP_PLUGIN_CFLAGS, UPKEEP_PLUGIN_LDFLAGS (for a libtool
# module), UPKEEP_PLUGIN_DIR (where to install it) and UPKEEP_PLUGIN_TEST_LIBS
# (for its tests).  MAJOR is the ABI that the plugin is written for; 1 if not given.
AC_DEFUN([UPKEEP_PLUGIN_PREREQ], [
AC_REQUIRE([PKG_PROG_PKG_CONFIG])
PKG_CHECK_MODULES([UPKEEP_PLUGIN], [upkeep-plugin])
_UPKEEP_PLUGIN_MAJOR(m4_default([$1], [1]))
UPKEEP_PLUGIN_LDFLAGS="-module -avoid-version -no-undefined -Wl,-z,defs -export-symbols-regex '^upkeep_plugin\$\$'"
UPKEEP_PLUGIN_DIR=`$PKG_CONFIG --variable=plugindir upkeep-plugin`
UPKEEP_PLUGIN_TEST_LIBS="-L`$PKG_CONFIG --variable=testdir upkeep-plugin` -lupkeep-testing"
AC_SUBST([UPKEEP_PLUGIN_LDFLAGS])
AC_SUBST([UPKEEP_PLUGIN_DIR])
AC_SUBST([UPKEEP_PLUGIN_TEST_LIBS])
])

AC_DEFUN([_UPKEEP_PLUGIN_MAJOR], [
_upkeep_major=`$PKG_CONFIG --variable=api_major upkeep-plugin`
AS_IF([test "x$_upkeep_major" != "x$1"],
  [AC_MSG_ERROR([this plugin is written for upkeep's plugin ABI $1, and the upkeep found has $_upkeep_major])])
])
