// The .npy reader under libFuzzer: any bytes are read or end in an NpyError, and what is read comes
// back the same from what is written.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <sstream>
#include <string>

#include "../../docs/examples/inspect/npy.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::istringstream stream(std::string(reinterpret_cast<const char*>(data), size));
  try {
    const example::NpyHeader header = example::read_npy_header(stream, size);
    const example::DoubleMatrix matrix = example::read_npy_data(stream, header);
    std::stringstream written;
    example::write_npy(written, matrix, header.layout);
    const example::NpyHeader again = example::read_npy_header(written, written.str().size());
    const example::DoubleMatrix copy = example::read_npy_data(written, again);
    if (again.layout.descr() != header.layout.descr() ||
        again.layout.fortran_order != header.layout.fortran_order || copy.rows() != matrix.rows() ||
        copy.cols() != matrix.cols() ||
        !((copy.array() == matrix.array()) || (matrix.array() != matrix.array())).all()) {
      std::abort();
    }
  } catch (const example::NpyError&) {
  }
  return 0;
}
