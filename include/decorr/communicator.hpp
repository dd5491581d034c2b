#ifndef DECORR_COMMUNICATOR_HPP_
#define DECORR_COMMUNICATOR_HPP_

#include <cstddef>

/// @file
/// The one operation that a batch spread over processes needs, whatever carries it: mpi.hpp has it
/// for MPI, and ten lines make it of anything else that sums.

namespace decorr {

/// The processes that hold a batch together. Every function that is given one in
/// Execution::communicator is a collective call: all processes make it, with the same settings and
/// each with its own rows, perhaps none.
///
/// One type for all files of a program, whatever flags they are compiled with.
///
/// @snippet batches.cpp Communicator
class Communicator {
 public:
  Communicator() = default;
  Communicator(const Communicator&) = delete;
  Communicator& operator=(const Communicator&) = delete;
  virtual ~Communicator() = default;

  /// Replaces each of `count` numbers, at least one, by its sum over all processes, which has to be
  /// the same on each of them, bit for bit: what follows depends on it. It is called on the thread
  /// that makes the call, several times one after another, as often on each process. May throw, and
  /// the call throws that; it should then throw on all processes, as the others wait otherwise.
  /// Gradients are untouched unless that is the last sum of a standardized Barlow Twins, which they
  /// are computed around.
  virtual void sum(double* numbers, std::size_t count) = 0;
  /// The same for inputs of long double.
  virtual void sum(long double* numbers, std::size_t count) = 0;
};

}  // namespace decorr

#endif  // DECORR_COMMUNICATOR_HPP_
