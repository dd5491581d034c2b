# A header as Doxygen is to see it: without the inline namespace, whose name depends on flags
# (detail/runtime/abi.hpp) and is not written by callers, and without the conditions that only keep
# one argument from being taken for another.
/^inline namespace DECORR_ABI \{$/ || /^\}  \/\/ namespace DECORR_ABI$/ { print ""; next }
{
  gsub(/, *detail::EnableGradient<[A-Za-z]+> = 0/, "")
  sub(/^ *detail::EnableGradient<[A-Za-z]+> = 0>$/, "         >")
  print
}
