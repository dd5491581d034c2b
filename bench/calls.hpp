#ifndef DECORR_BENCH_CALLS_HPP_
#define DECORR_BENCH_CALLS_HPP_

#include <Eigen/Core>
#include <complex>
#include <cstddef>
#include <decorr/decorr.hpp>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "batch.hpp"

// The calls whose memory traffic is counted, and whose times are compared with it, by their names.
template <class Scalar, int kOrder = Eigen::RowMajor>
class Calls {
 public:
  using Function = std::function<void()>;
  using Index = Eigen::Index;

  Calls(Index n, Index d, decorr::Planning planning) : data_(n, d) {
    execution_.planning = planning;
    for (const Index block_size : {Index{0}, Index{512}}) {
      decorr::Relaxed relaxed;
      relaxed.block_size = block_size;
      const decorr::Relaxed signs = with_signs(d, relaxed);
      const std::string form = block_size == 0 ? "signs" : "block_size:512/signs";
      calls_["barlow_twins/" + form] = [this, signs] { barlow_twins(signs, true); };
      calls_["barlow_twins/" + form + "/not_standardized"] = [this, signs] {
        barlow_twins(signs, false);
      };
      calls_["vicreg/" + form] = [this, signs] {
        decorr::vicreg_loss(data_.a, data_.b, data_.grad_a, data_.grad_b, {}, signs, execution_);
      };
      calls_["variance_covariance/" + form] = [this, signs] {
        decorr::variance_covariance_loss(data_.a, data_.grad_a, {}, signs, execution_);
      };
    }
    calls_["r_sum"] = [this] {
      decorr::r_sum(data_.a, data_.b, data_.grad_a, data_.grad_b, {}, execution_);
    };
    // What bounds them: a copy of both views, and the transforms on data that stay in the cache.
    calls_["copy"] = [this] {
      data_.grad_a = data_.a;
      data_.grad_b = data_.b;
    };
    calls_["transforms"] = [this] { transforms(); };
  }

  const std::map<std::string, Function>& all() const { return calls_; }

 private:
  void barlow_twins(const decorr::Relaxed& relaxed, bool standardize) {
    decorr::BarlowTwinsOptions options;
    options.standardize = standardize;
    decorr::barlow_twins_loss(data_.a, data_.b, data_.grad_a, data_.grad_b, options, relaxed,
                              execution_);
  }
  void transforms() {
    using Complex = std::complex<Scalar>;
    using decorr::detail::Direction;
    const Index d = data_.a.cols();
    std::vector<Complex> signal(static_cast<std::size_t>(d)), spectrum(signal.size());
    for (const Direction direction : {Direction::forward, Direction::backward}) {
      const auto plan =
          decorr::detail::transform_plan<Scalar>(d, 1, direction, execution_.planning);
      for (Index k = 0; k < data_.a.rows(); ++k) {
        plan.execute(signal.data(), spectrum.data());
      }
    }
  }

  Batch<Scalar, kOrder> data_;
  decorr::Execution execution_;
  std::map<std::string, Function> calls_;
};

#endif  // DECORR_BENCH_CALLS_HPP_
