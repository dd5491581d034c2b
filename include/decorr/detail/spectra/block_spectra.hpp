#ifndef DECORR_DETAIL_SPECTRA_BLOCK_SPECTRA_HPP_
#define DECORR_DETAIL_SPECTRA_BLOCK_SPECTRA_HPP_

#include "decorr/detail/kernels/simd.hpp"
#include "decorr/detail/runtime/abi.hpp"
#include "decorr/detail/runtime/compiler.hpp"
#include "decorr/detail/runtime/scalars.hpp"

// The spectra of two real signals, U and V, and that of the complex one that holds both, Z = U + i
// V at each frequency of the whole circle.

namespace decorr {
namespace detail {
inline namespace DECORR_ABI {

DECORR_DETAIL_VECTOR_CODE_BEGIN

// Some frequencies of both, as real and imaginary parts; or Z at f and at -f.
template <class Packet>
struct SpectrumPair {
  Packet first_real, first_imaginary, second_real, second_imaginary;
};

// U_f = (Z_f + conj(Z_-f)) / 2 and V_f = (Z_f - conj(Z_-f)) / (2 i), each times its factor, of
// which `half_u` and `half_v` are a half.
template <class Lanes, class Packet = typename Lanes::Packet>
SpectrumPair<Packet> split_spectrum(const SpectrumPair<Packet>& z, const Packet& half_u,
                                    const Packet& half_v) noexcept {
  return {Lanes::multiply(half_u, Lanes::add(z.first_real, z.second_real)),
          Lanes::multiply(half_u, Lanes::subtract(z.first_imaginary, z.second_imaginary)),
          Lanes::multiply(half_v, Lanes::add(z.first_imaginary, z.second_imaginary)),
          Lanes::multiply(half_v, Lanes::subtract(z.second_real, z.first_real))};
}

// The way back.
template <class Lanes, class Packet = typename Lanes::Packet>
SpectrumPair<Packet> join_spectra(const SpectrumPair<Packet>& uv, const Packet& u_factor,
                                  const Packet& v_factor) noexcept {
  const Packet u_real = Lanes::multiply(u_factor, uv.first_real);
  const Packet u_imaginary = Lanes::multiply(u_factor, uv.first_imaginary);
  const Packet v_real = Lanes::multiply(v_factor, uv.second_real);
  const Packet v_imaginary = Lanes::multiply(v_factor, uv.second_imaginary);
  return {Lanes::subtract(u_real, v_imaginary), Lanes::add(v_real, u_imaginary),
          Lanes::add(u_real, v_imaginary), Lanes::subtract(v_real, u_imaginary)};
}

DECORR_DETAIL_VECTOR_CODE_END

}  // namespace DECORR_ABI
}  // namespace detail
}  // namespace decorr

#endif  // DECORR_DETAIL_SPECTRA_BLOCK_SPECTRA_HPP_
