// The example of mpi.hpp, for any number of processes. Each has other rows; the loss is that of
// all.

#include <cmath>
#include <cstdio>
#include <decorr/decorr.hpp>
#include <decorr/mpi.hpp>

#include "expected.hpp"

namespace {

// Whether the loss of this process's rows, with the others', is that of all rows.
bool is_loss_of_all_rows() {
  int rank = 0, processes = 1;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &processes);
  const Eigen::MatrixXd all_a = Eigen::MatrixXd::Random(8 * processes, 4);
  const Eigen::MatrixXd all_b = Eigen::MatrixXd::Random(8 * processes, 4);
  const Eigen::MatrixXd z_a = all_a.middleRows(8 * rank, 8), z_b = all_b.middleRows(8 * rank, 8);
  //! [MpiCommunicator]
  decorr::MpiCommunicator communicator(MPI_COMM_WORLD);  // between MPI_Init and MPI_Finalize
  decorr::Execution execution;
  execution.communicator = &communicator;
  const auto loss = decorr::vicreg_loss(z_a, z_b, {}, {}, execution);
  //! [MpiCommunicator]
  const double value = expected::vicreg(all_a, all_b);
  std::printf("process %d of %d: %.12f, of all rows %.12f\n", rank, processes, loss.value, value);
  return std::abs(loss.value - value) < 1e-10 * value;
}

}  // namespace

int main(int argc, char** argv) {
  MPI_Init(&argc, &argv);
  const bool is_right = is_loss_of_all_rows();
  MPI_Finalize();
  return is_right ? 0 : 1;
}
