// The .npy reader under libFuzzer: any bytes are read or end in an NpyError, and what is read comes
// back the same from what is written.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <sstream>
#include <string>

#include "../npy.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::istringstream stream(std::string(reinterpret_cast<const char*>(data), size));
  try {
    const inspect::NpyHeader header = inspect::read_npy_header(stream, size);
    const inspect::DoubleMatrix matrix = inspect::read_npy_data(stream, header);
    std::stringstream written;
    inspect::write_npy(written, matrix, header.layout);
    const inspect::NpyHeader again = inspect::read_npy_header(written, written.str().size());
    const inspect::DoubleMatrix copy = inspect::read_npy_data(written, again);
    if (again.layout.descr() != header.layout.descr() ||
        again.layout.fortran_order != header.layout.fortran_order || copy.rows() != matrix.rows() ||
        copy.cols() != matrix.cols() ||
        !((copy.array() == matrix.array()) || (matrix.array() != matrix.array())).all()) {
      std::abort();
    }
  } catch (const inspect::NpyError&) {
  }
  return 0;
}
