#include "matrices.hpp"

#include <cstddef>
#include <limits>
#include <string>
#include <utility>

#include "structs.hpp"

namespace decorr {
namespace c {
ElementType element_type(const Call& call, const char* name, const char* field, std::int32_t type) {
  switch (type) {
    case DECORR_FLOAT32:
      return ElementType::float32;
    case DECORR_FLOAT64:
      return ElementType::float64;
    case DECORR_FLOAT16:
      return ElementType::float16;
    case DECORR_BFLOAT16:
      return ElementType::bfloat16;
    default:
      call.fail(name, field, " is ", type, ", expected DECORR_FLOAT32, DECORR_FLOAT64, ",
                "DECORR_FLOAT16 or DECORR_BFLOAT16");
  }
}

namespace {

// |stride|, or 0 where the extent has no second element.
std::uint64_t step(std::int64_t extent, std::int64_t stride) {
  if (extent == 1) return 0;
  return stride < 0 ? 0 - static_cast<std::uint64_t>(stride) : static_cast<std::uint64_t>(stride);
}

// Bytes from the lowest element to the first, and from the first to the end of the highest.
struct Reach {
  std::uint64_t below = 0, above = 0;
};

Reach reach(const Call& call, const char* name, std::int64_t rows, std::int64_t cols,
            std::int64_t row_stride, std::int64_t col_stride, std::ptrdiff_t element_size) {
  // No memory has more, and sums of a few distances in it are none too large for their type.
  constexpr auto most = static_cast<std::uint64_t>(std::numeric_limits<std::ptrdiff_t>::max()) /
                        (sizeof(std::ptrdiff_t) > 4 ? 8 : 1);
  const auto element = static_cast<std::uint64_t>(element_size);
  const auto fail = [&] {
    call.fail(name, " is ", rows, " x ", cols, " with strides ", row_stride, " and ", col_stride,
              ", which no memory holds");
  };
  Reach reach;
  reach.above = element;
  for (const auto& [extent, stride] : {std::pair(rows, row_stride), std::pair(cols, col_stride)}) {
    const std::uint64_t size = step(extent, stride);
    const auto count = static_cast<std::uint64_t>(extent - 1);
    if (size != 0 && count > most / element / size) fail();
    (stride < 0 ? reach.below : reach.above) += size * count * element;
  }
  if (reach.below + reach.above > most) fail();
  return reach;
}

template <class Struct>
Matrix to_matrix(const Call& call, const char* name, const Struct* from) {
  call.check_not_null(name, from);
  const Struct matrix = read_struct(call, name, from, Struct{});
  check_reserved(call, name, matrix.reserved);
  const ElementType type = element_type(call, name, ".type", matrix.type);
  // Without rows it is a process's that has none, or a part's; where they are needed, the kernels
  // say so.
  if (matrix.rows < 0 || matrix.cols < 1 || matrix.rows > kMostExtent ||
      matrix.cols > kMostExtent) {
    call.fail(name, " is ", matrix.rows, " x ", matrix.cols, ", expected 1 to ", kMostExtent,
              " rows and columns");
  }
  if (matrix.rows > kMostElements / matrix.cols) {
    call.fail(name, " is ", matrix.rows, " x ", matrix.cols, ", expected at most ", kMostElements,
              " elements");
  }
  const Matrix result(const_cast<void*>(static_cast<const void*>(matrix.data)), type,
                      static_cast<std::ptrdiff_t>(matrix.rows),
                      static_cast<std::ptrdiff_t>(matrix.cols),
                      static_cast<std::ptrdiff_t>(matrix.row_stride),
                      static_cast<std::ptrdiff_t>(matrix.col_stride));
  if (matrix.rows == 0) return result;
  if (matrix.data == nullptr) call.fail(name, ".data is null");
  const auto address = reinterpret_cast<std::uintptr_t>(matrix.data);
  if (address % static_cast<std::uintptr_t>(result.element_size()) != 0) {
    call.fail(name, ".data is not aligned to its elements of ", result.element_size(), " bytes");
  }
  const Reach bytes = reach(call, name, matrix.rows, matrix.cols, matrix.row_stride,
                            matrix.col_stride, result.element_size());
  if (bytes.below > address || bytes.above > std::numeric_limits<std::uintptr_t>::max() - address) {
    call.fail(name, " reaches beyond the ends of memory");
  }
  return result;
}

}  // namespace

void check_one_scalar(const Call& call, const char* name, const Matrix& matrix,
                      const char* other_name, const Matrix& other) {
  if (matrix.computes_in_double() != other.computes_in_double()) {
    call.fail(name, " and ", other_name,
              " differ in type, expected DECORR_FLOAT64 for both or for neither");
  }
}

Matrix to_input(const Call& call, const char* name, const decorr_input* from) {
  return to_matrix(call, name, from);
}

Matrix to_output(const Call& call, const char* name, const decorr_output* from,
                 const char* model_name, const Matrix& model) {
  if (from == nullptr) return {};
  const Matrix matrix = to_matrix(call, name, from);
  check_one_scalar(call, name, matrix, model_name, model);
  return matrix;
}

Matrix to_lags(const Call& call, const decorr_output* from, const char* model_name,
               const Matrix& model) {
  call.check_not_null("lags", from);
  const Matrix lags = to_output(call, "lags", from, model_name, model);
  if (lags.rows() != model.cols() || lags.cols() != 1) {
    call.fail("lags", " is ", lags.rows(), " x ", lags.cols(), ", expected ", model.cols(), " x 1");
  }
  return lags;
}

Views to_two_views(const Call& call, const char* name_a, const char* name_b, const decorr_input* a,
                   const decorr_input* b, const decorr_output* grad_a,
                   const decorr_output* grad_b) {
  Views views;
  views.a = to_input(call, name_a, a);
  views.b = to_input(call, name_b, b);
  check_one_scalar(call, name_a, views.a, name_b, views.b);
  views.grad_a = to_output(call, "grad_a", grad_a, name_a, views.a);
  views.grad_b = to_output(call, "grad_b", grad_b, name_b, views.b);
  return views;
}

ManyViews to_many_views(const Call& call, const decorr_input* const* views,
                        const decorr_output* const* gradients, std::int64_t count,
                        std::int32_t combination) {
  call.check_not_null("views", views);
  if (count < 2 || count > kMostViews) {
    call.fail("count", " is ", count, ", expected 2 to ", kMostViews);
  }
  if (combination != DECORR_PAIRS && combination != DECORR_CENTROID) {
    call.fail("combination", " is ", combination, ", expected DECORR_PAIRS or DECORR_CENTROID");
  }
  ManyViews result;
  result.combination =
      combination == DECORR_PAIRS ? ViewCombination::pairs : ViewCombination::centroid;
  const auto name = [](const char* array, std::size_t v) {
    return array + ("[" + std::to_string(v) + "]");
  };
  const auto size = static_cast<std::size_t>(count);
  for (std::size_t v = 0; v < size; ++v) {
    const std::string view = name("views", v);
    result.views.push_back(to_input(call, view.c_str(), load_element(views, v)));
    check_one_scalar(call, view.c_str(), result.views[v], "views[0]", result.views[0]);
  }
  for (std::size_t v = 0; v < size && gradients != nullptr; ++v) {
    result.gradients.push_back(to_output(call, name("gradients", v).c_str(),
                                         load_element(gradients, v), name("views", v).c_str(),
                                         result.views[v]));
  }
  return result;
}

}  // namespace c
}  // namespace decorr
