#ifndef DECORR_DETAIL_FFTW_HPP_
#define DECORR_DETAIL_FFTW_HPP_

// The only file that names FFTW. The calls used here are also in other libraries with the FFTW3
// interface, so that any of them can be linked instead.

#include <fftw3.h>

#include <complex>

#include "decorr/options.hpp"

namespace decorr {
namespace detail {

enum class Direction {
  forward,
  backward
};  // exp(-2 pi i jk/n), exp(+2 pi i jk/n); neither divides by n

inline int transform_sign(Direction direction) {
  return direction == Direction::forward ? FFTW_FORWARD : FFTW_BACKWARD;
}

inline unsigned planner_flags(Planning planning) {
  const unsigned rigor = planning == Planning::estimate  ? FFTW_ESTIMATE
                         : planning == Planning::patient ? FFTW_PATIENT
                                                         : FFTW_MEASURE;
  return rigor | FFTW_PRESERVE_INPUT;
}

// plan() makes `count` out-of-place transforms of `length`, one after another in memory. It,
// destroy() and the wisdom calls need the planner's lock; execute() needs none. The members are
// inline and so emitted only where they are used: a program that uses float alone links FFTW's
// float library alone.
template <class Scalar>
struct Fftw;

#define DECORR_DETAIL_FFTW(SCALAR, PREFIX, ID)                                                     \
  template <>                                                                                      \
  struct Fftw<SCALAR> {                                                                            \
    using Complex = std::complex<SCALAR>;                                                          \
    using Plan = PREFIX##_plan;                                                                    \
    static constexpr int id = ID;                                                                  \
                                                                                                   \
    static PREFIX##_complex* cast(Complex* x) { return reinterpret_cast<PREFIX##_complex*>(x); }   \
    static Plan plan(int length, int count, Complex* in, Complex* out, int sign, unsigned flags) { \
      return PREFIX##_plan_many_dft(1, &length, count, cast(in), nullptr, 1, length, cast(out),    \
                                    nullptr, 1, length, sign, flags);                              \
    }                                                                                              \
    static void execute(Plan plan, Complex* in, Complex* out) {                                    \
      PREFIX##_execute_dft(plan, cast(in), cast(out));                                             \
    }                                                                                              \
    static void destroy(Plan plan) { PREFIX##_destroy_plan(plan); }                                \
    static bool import_wisdom(const char* path) {                                                  \
      return PREFIX##_import_wisdom_from_filename(path) != 0;                                      \
    }                                                                                              \
    static bool export_wisdom(const char* path) {                                                  \
      return PREFIX##_export_wisdom_to_filename(path) != 0;                                        \
    }                                                                                              \
  };

DECORR_DETAIL_FFTW(float, fftwf, 0)
DECORR_DETAIL_FFTW(double, fftw, 1)
DECORR_DETAIL_FFTW(long double, fftwl, 2)

#undef DECORR_DETAIL_FFTW

}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_FFTW_HPP_
