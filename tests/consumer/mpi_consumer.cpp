// The whole batch's loss on each process; by itself this is one process.
#include <decorr/decorr.hpp>
#include <decorr/mpi.hpp>

int main(int argc, char** argv) {
  MPI_Init(&argc, &argv);
  double value = 0;
  {
    decorr::MpiCommunicator communicator(MPI_COMM_WORLD);
    decorr::Execution execution;
    execution.communicator = &communicator;
    const Eigen::MatrixXf z_a = Eigen::MatrixXf::Random(8, 16),
                          z_b = Eigen::MatrixXf::Random(8, 16);
    Eigen::MatrixXf grad_a(8, 16), grad_b(8, 16);
    value =
        decorr::barlow_twins_loss(z_a, z_b, grad_a, grad_b, {}, decorr::Relaxed(), execution).value;
  }
  MPI_Finalize();
  return value > 0 ? 0 : 1;
}
