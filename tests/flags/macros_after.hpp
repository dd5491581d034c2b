// After a public header: the macros are what the program has made them.
static_assert(min(1, 2) == 1 && max(1, 2) == 2 && abs(-1) == 1 && round(1.6) == 2 && bit(3) == 8,
              "functions");
static_assert(None == 0 && Success == 0 && Complex == 0 && isnan(1.0) == 0 && isinf(1.0) == 0 &&
                  isfinite(1.0) == 1,
              "constants");
#if !defined(I) || !defined(complex) || !defined(near) || !defined(far) || !defined(small) || \
    !defined(word)
#error "a macro is gone"
#endif
