// Under mpirun: every process has its rows of a batch, and all of them what one process computes of
// the whole. The program counts what goes over the wire itself, in MPI_Allreduce's place.
//
//   mpirun -n P mpi_test            the losses, their sums and their errors
//   mpirun -n P mpi_test throws     one process throws before its call
//   mpirun -n P mpi_test dies       one process is killed in the middle
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <csignal>
#include <cstddef>
#include <decorr/decorr.hpp>
#include <decorr/mpi.hpp>
#include <limits>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "../support/cases.hpp"
#include "../support/loss_cases.hpp"
#include "../support/random_matrices.hpp"

namespace {

std::size_t summed_bytes = 0;
int summed_rounds = 0;
bool next_sum_fails = false;

}  // namespace

extern "C" int MPI_Allreduce(const void* from, void* to, int count, MPI_Datatype type, MPI_Op op,
                             MPI_Comm communicator) {
  int size = 0;
  MPI_Type_size(type, &size);
  summed_bytes += static_cast<std::size_t>(count) * static_cast<std::size_t>(size);
  ++summed_rounds;
  if (std::exchange(next_sum_fails, false)) return MPI_ERR_OTHER;
  return PMPI_Allreduce(from, to, count, type, op, communicator);
}

namespace {

using namespace decorr_tests;
template <class Scalar>
using Rows = RowMajor<Scalar>;

int rank_of_world() {
  int rank = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  return rank;
}
int size_of_world() {
  int size = 0;
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  return size;
}

Index rows_of(int rank) {
  constexpr Index kRows[] = {17, 1, 0, 64, 3, 2, 0, 5};
  return kRows[rank % 8];
}
Index first_row_of(int rank) {
  Index first = 0;
  for (int before = 0; before < rank; ++before) first += rows_of(before);
  return first;
}

decorr::MpiCommunicator& communicator() {
  static decorr::MpiCommunicator communicator(MPI_COMM_WORLD);
  return communicator;
}

template <class Scalar>
void check_same(const Rows<Scalar>& own, const Rows<Scalar>& all, double tolerance) {
  if (own.rows() == 0) return;
  const double size = static_cast<double>(all.cwiseAbs().maxCoeff());
  const auto part = all.middleRows(first_row_of(rank_of_world()), own.rows());
  CHECK(static_cast<double>((own - part).cwiseAbs().maxCoeff()) <= tolerance * size);
}

// Every loss and form against one process with the whole batch.
template <class Scalar>
void check_losses(double mean, double tolerance) {
  const Index n = first_row_of(size_of_world()), d = 13;
  const Index first = first_row_of(rank_of_world()), count = rows_of(rank_of_world());
  const Scalar shift = static_cast<Scalar>(mean);
  const Rows<Scalar> noise = random_matrix<Rows<Scalar>>(n, d, 2);
  const Rows<Scalar> a = random_matrix<Rows<Scalar>>(n, d, 1).array() + shift;
  const Rows<Scalar> b = a + noise / 2;
  const Rows<Scalar> own_a = a.middleRows(first, count), own_b = b.middleRows(first, count);
  for (LossCase loss : loss_cases(d, 5)) {
    if (mean != 0 && loss.family == Family::regularizer) continue;
    CAPTURE(loss.name);
    Rows<Scalar> grad_a(n, d), grad_b(n, d), own_grad_a(count, d), own_grad_b(count, d);
    const double expected = static_cast<double>(loss(a, b, grad_a, grad_b));
    loss.execution.communicator = &communicator();
    const double value = static_cast<double>(loss(own_a, own_b, own_grad_a, own_grad_b));
    CHECK(std::abs(value - expected) <= tolerance * std::abs(expected));
    CHECK(static_cast<double>(loss(own_a, own_b)) == value);
    check_same<Scalar>(own_grad_a, grad_a, tolerance);
    if (!loss.is_single_view()) check_same<Scalar>(own_grad_b, grad_b, tolerance);
  }
}

std::string failure_of(const LossCase& loss, Index rows, Index cols, double fill = 0) {
  const auto seed = static_cast<std::uint64_t>(rank_of_world());
  Rows<double> a = random_matrix<Rows<double>>(rows, cols, seed), b = a, grad_a = a, grad_b = a;
  if (fill != 0 && rows > 0) a(0, 0) = fill;
  try {
    loss(a, b, grad_a, grad_b);
  } catch (const std::exception& e) {
    return e.what();
  }
  return std::isnan(grad_a.sum()) ? "NaN" : "";
}
LossCase relaxed_loss() {
  LossCase loss{"barlow", Family::barlow_twins, decorr::Relaxed{}};
  loss.execution.communicator = &communicator();
  return loss;
}

// Told by the processes' own means, so that a mistake does not hang the test.
int run_to_the_end(const std::string& what) {
  const LossCase loss = relaxed_loss();
  failure_of(loss, 4, 6);
  if (rank_of_world() == size_of_world() - 1) {
    if (what == "dies") std::raise(SIGKILL);
    throw std::runtime_error("a mistake of the trainer's");
  }
  failure_of(loss, 4, 6);
  return 0;
}

}  // namespace

TEST_CASE("every loss and form in double") { check_losses<double>(0, 1e-12); }
TEST_CASE("every loss and form in float") { check_losses<float>(0, 4e-5); }
TEST_CASE("every loss and form in long double") { check_losses<long double>(0, 1e-12); }
TEST_CASE("a mean of ten thousand deviations") {
  check_losses<double>(1e4, 1e-10);
  check_losses<float>(1e4, 4e-3);
}

TEST_CASE("each process's rows in parts, and sumvec") {
  const Index n = first_row_of(size_of_world()), d = 13;
  const Index first = first_row_of(rank_of_world()), count = rows_of(rank_of_world());
  const Rows<double> a = random_matrix<Rows<double>>(n, d, 1),
                     b = random_matrix<Rows<double>>(n, d, 2);
  const Rows<double> own_a = a.middleRows(first, count), own_b = b.middleRows(first, count);
  decorr::Execution execution = quick();
  const Eigen::VectorXd lags = decorr::sumvec(a, b, execution);
  Rows<double> grad_a(n, d), grad_b(n, d), own_grad_a(count, d), own_grad_b(count, d);
  for (const Index block_size : {0, 5}) {
    decorr::Relaxed relaxed;
    relaxed.block_size = block_size;
    execution.communicator = nullptr;
    const double expected = decorr::vicreg_loss(a, b, grad_a, grad_b, {}, relaxed, execution).value;
    execution.communicator = &communicator();
    decorr::VicregBatch<double> batch(d, {}, relaxed, execution);
    const auto for_each_part = [&](const auto& body) {
      for (Index row = 0; row < count; row += 7) body(row, std::min<Index>(7, count - row));
    };
    while (batch.has_pass()) {
      for_each_part([&](Index row, Index rows) {
        batch.add(own_a.middleRows(row, rows), own_b.middleRows(row, rows));
      });
      batch.end_pass();
    }
    CHECK(batch.count() == n);
    CHECK(std::abs(batch.loss().value - expected) <= 1e-12 * std::abs(expected));
    for_each_part([&](Index row, Index rows) {
      batch.gradient(own_a.middleRows(row, rows), own_b.middleRows(row, rows),
                     own_grad_a.middleRows(row, rows), own_grad_b.middleRows(row, rows));
    });
    check_same<double>(own_grad_a, grad_a, 1e-12);
    check_same<double>(own_grad_b, grad_b, 1e-12);
  }
  CHECK((decorr::sumvec(own_a, own_b, execution) - lags).norm() <= 1e-12 * lags.norm());
}

TEST_CASE("a communicator may be made and freed between calls, and MPI's errors are thrown") {
  for (int repetition = 0; repetition < 2; ++repetition) {
    decorr::MpiCommunicator own(MPI_COMM_SELF);
    double numbers[] = {1, 2};
    own.sum(numbers, 2);
    CHECK(numbers[1] == 2);
    next_sum_fails = true;
    std::string message;
    try {
      own.sum(numbers, 2);
    } catch (const std::runtime_error& e) {
      message = e.what();
    }
    CHECK(message.find("MPI_Allreduce: ") == 0);
    CHECK(message.size() > std::string("MPI_Allreduce: ").size());
  }
  CHECK_THROWS_WITH_AS(decorr::MpiCommunicator(MPI_COMM_NULL),
                       "MpiCommunicator: the communicator is MPI_COMM_NULL", std::runtime_error);
}

TEST_CASE("a NaN of one process reaches all") {
  const bool is_last = rank_of_world() == size_of_world() - 1;
  const double nan = is_last ? std::numeric_limits<double>::quiet_NaN() : 0;
  CHECK(failure_of(relaxed_loss(), 4, 6, nan) == "NaN");
}

TEST_CASE("bad input and other settings of one process end the call on all") {
  if (size_of_world() == 1) return;
  const bool is_last = rank_of_world() == size_of_world() - 1;
  const std::string of_all = " of " + std::to_string(size_of_world()) + " processes";
  LossCase loss = relaxed_loss();
  if (is_last) loss.barlow_twins.epsilon = -1;
  CHECK(failure_of(loss, 4, 6) ==
        (is_last ? "barlow_twins_loss: epsilon is -1, expected at least 0"
                 : "barlow_twins_loss: failed on 1" + of_all + ", which say why"));
  loss = relaxed_loss();
  decorr::Relaxed relaxed;
  relaxed.signs_a.assign(6, std::int8_t{1});
  if (is_last) relaxed.signs_a[2] = -1;
  loss.regularizer = relaxed;
  CHECK(failure_of(loss, 4, 6).find("signs_a differs") != std::string::npos);
  CHECK(failure_of(relaxed_loss(), 4, is_last ? 7 : 6).find("the number of features differs") !=
        std::string::npos);
  // And the next call is as if nothing had been.
  CHECK(failure_of(relaxed_loss(), 4, 6).empty());
}

TEST_CASE("sums are O(d) numbers, and O(d G) for G blocks, in five rounds at the most") {
  const std::size_t d = 96, header = 55;
  const auto check = [&](const LossCase& loss, int rounds, std::size_t numbers) {
    CAPTURE(loss.name);
    summed_bytes = 0;
    summed_rounds = 0;
    CHECK(failure_of(loss, 4, static_cast<Index>(d)).empty());
    CHECK(summed_rounds == rounds);
    CHECK(summed_bytes == sizeof(double) * numbers);
  };
  LossCase loss = relaxed_loss();
  check(loss, 5, header + (2 * d + 1) + (4 * d + 2) + (2 * d + 1) + (2 * d + 1));
  loss.family = Family::vicreg;
  check(loss, 4, header + (2 * d + 1) + (4 * d + 2) + (2 * d + 1));
  decorr::Relaxed grouped;
  grouped.block_size = 12;
  loss.regularizer = grouped;
  loss.family = Family::barlow_twins;
  check(loss, 5, header + (2 * d + 1) + (4 * d + 2) + (8 * 8 * 7 * 2 + 1) + (2 * d + 1));
}

int main(int argc, char** argv) {
  MPI_Init(&argc, &argv);
  int failures = 0;
  if (argc > 1 && argv[1][0] != '-') {
    failures = run_to_the_end(argv[1]);
  } else {
    doctest::Context context(argc, argv);
    context.setOption("minimal", true);
    failures = context.run();
  }
  MPI_Finalize();
  return failures;
}
