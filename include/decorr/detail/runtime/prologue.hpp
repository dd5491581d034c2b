#if (defined(_MSVC_LANG) ? _MSVC_LANG : __cplusplus) < 201703L
#error "decorr needs C++17: compile with -std=c++17 (MSVC: /std:c++17)"
// No such file, which stops compilers that go on after an error: what follows would be one of
// hundreds of lines.
#include "C++17, which decorr needs"
#endif

// Around each public header, before its includes: what a program may have set up that changes the
// meaning of the code between here and epilogue.hpp, which puts it back. Included again and again,
// so without a guard.

// Macros that other headers define in words of ours, Eigen's or the standard library's: windows.h,
// X11, Arduino.h, complex.h.
#pragma push_macro("abs")
#pragma push_macro("bit")
#pragma push_macro("complex")
#pragma push_macro("Complex")
#pragma push_macro("far")
#pragma push_macro("I")
#pragma push_macro("isfinite")
#pragma push_macro("isinf")
#pragma push_macro("isnan")
#pragma push_macro("max")
#pragma push_macro("min")
#pragma push_macro("near")
#pragma push_macro("None")
#pragma push_macro("round")
#pragma push_macro("small")
#pragma push_macro("Success")
#pragma push_macro("word")
#undef abs
#undef bit
#undef complex
#undef Complex
#undef far
#undef I
#undef isfinite
#undef isinf
#undef isnan
#undef max
#undef min
#undef near
#undef None
#undef round
#undef small
#undef Success
#undef word

// Features are centred in two steps, which reordering undoes. Clang has no macro that tells of
// -fassociative-math, as GCC has (compiler_flags.hpp), and on these processors a pragma that puts
// back what the program had; on others the flag goes unnoticed.
#if defined(__clang__) && (defined(__x86_64__) || defined(__i386__))
#pragma float_control(push)
#pragma clang fp reassociate(off)
#endif
