#ifndef DECORR_MPI_HPP_
#define DECORR_MPI_HPP_

#include "decorr/detail/runtime/prologue.hpp"

/// @cond
// The C++ bindings, which MPI has given up.
#ifndef OMPI_SKIP_MPICXX
#define OMPI_SKIP_MPICXX 1
#endif
#ifndef MPICH_SKIP_MPICXX
#define MPICH_SKIP_MPICXX 1
#endif
/// @endcond
#include <mpi.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <stdexcept>
#include <string>

#include "decorr/communicator.hpp"
#include "decorr/detail/runtime/abi.hpp"

/// @file
/// Optional: a batch that the processes of an MPI communicator hold together. The only header that
/// needs MPI.

namespace decorr {
inline namespace DECORR_ABI {

/// The sums of a batch over the processes of an MPI communicator:
///
///     decorr::MpiCommunicator communicator(MPI_COMM_WORLD);
///     decorr::Execution execution;
///     execution.communicator = &communicator;
///
/// Works on a duplicate, so that nothing is mixed up with the caller's own messages. Making and
/// destroying one are collective calls, between MPI_Init and MPI_Finalize. One thread at a time may
/// use it. Errors of MPI are thrown as std::runtime_error; that of a process which is gone ends the
/// others by MPI's own means.
///
/// @snippet mpi.cpp MpiCommunicator
class MpiCommunicator final : public Communicator {
 public:
  explicit MpiCommunicator(MPI_Comm communicator) {
    if (communicator == MPI_COMM_NULL) {
      throw std::runtime_error("MpiCommunicator: the communicator is MPI_COMM_NULL");
    }
    check("MPI_Comm_dup", MPI_Comm_dup(communicator, &communicator_));
    const int code = MPI_Comm_set_errhandler(communicator_, MPI_ERRORS_RETURN);
    if (code != MPI_SUCCESS) MPI_Comm_free(&communicator_);
    check("MPI_Comm_set_errhandler", code);
  }
  ~MpiCommunicator() override {
    int is_finalized = 0;
    if (MPI_Finalized(&is_finalized) == MPI_SUCCESS && is_finalized == 0) {
      MPI_Comm_free(&communicator_);
    }
  }

  void sum(double* numbers, std::size_t count) override { sum_all(numbers, count, MPI_DOUBLE); }
  void sum(long double* numbers, std::size_t count) override {
    sum_all(numbers, count, MPI_LONG_DOUBLE);
  }

 private:
  // MPI counts in int.
  static constexpr std::size_t kMostNumbers = std::size_t{1} << 30;

  template <class Number>
  void sum_all(Number* numbers, std::size_t count, MPI_Datatype type) {
    while (count > 0) {
      const std::size_t part = std::min(count, kMostNumbers);
      check("MPI_Allreduce", MPI_Allreduce(MPI_IN_PLACE, numbers, static_cast<int>(part), type,
                                           MPI_SUM, communicator_));
      numbers += part;
      count -= part;
    }
  }

  static void check(const char* function, int code) {
    if (code == MPI_SUCCESS) return;
    std::array<char, MPI_MAX_ERROR_STRING + 1> text = {};
    int length = 0;
    MPI_Error_string(code, text.data(), &length);
    throw std::runtime_error(std::string(function) + ": " + text.data());
  }

  MPI_Comm communicator_ = MPI_COMM_NULL;
};

}  // namespace DECORR_ABI
}  // namespace decorr

#include "decorr/detail/runtime/epilogue.hpp"

#endif  // DECORR_MPI_HPP_
