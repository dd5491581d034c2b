#ifndef DECORR_EXAMPLES_PICTURES_HPP_
#define DECORR_EXAMPLES_PICTURES_HPP_

#include <Eigen/Core>
#include <algorithm>
#include <filesystem>
#include <iomanip>
#include <sstream>
#include <vector>

#include "evaluation.hpp"
#include "gnuplot.hpp"
#include "network.hpp"
#include "training.hpp"

namespace example {

/// Two correlation matrices side by side; of large ones the first rows and columns.
inline void draw_correlations(const std::filesystem::path& folder, const Matrix& before,
                              const Matrix& after) {
  const Eigen::Index shown = std::min<Eigen::Index>(96, before.rows());
  const auto panel = [&](const char* when, const Matrix& matrix, double left) {
    std::ostringstream commands;
    commands << std::fixed << std::setprecision(3) << "$" << when << " << EOD\n"
             << matrix.topLeftCorner(shown, shown) << "\nEOD\n"
             << "set lmargin at screen " << left << "\nset rmargin at screen " << left + 0.4 << '\n'
             << "set title '" << when << " training: mean absolute off-diagonal "
             << mean_absolute_off_diagonal(matrix) << "'\n"
             << "plot $" << when << " matrix with image\n";
    return commands.str();
  };
  std::ostringstream commands;
  commands
      << "set multiplot title \"Correlation between the projector's outputs on the test images "
      << "(first " << shown << " of " << before.rows() << ")\" font ',14'\n"
      << support::correlation_axes(shown) << "set xlabel 'output'\nset ylabel 'output'\n"
      << "set tmargin at screen 0.82\nset bmargin at screen 0.12\nunset colorbox\n"
      << panel("before", before, 0.07) << "set colorbox\n"
      << panel("after", after, 0.52);
  support::draw(folder, "correlation", "1200,620", commands.str());
}

inline void draw_loss(const std::filesystem::path& folder, const std::vector<EpochLoss>& epochs) {
  std::ostringstream commands;
  commands << "$loss << EOD\n";
  for (const EpochLoss& loss : epochs)
    commands << loss.diagonal << ' ' << loss.off_diagonal << '\n';
  commands << "EOD\n"
           << "set title 'Barlow Twins loss while training' font ',14'\n"
           << "set xlabel 'epoch'\nset ylabel 'loss, mean over the epoch'\nset yrange [0:*]\n"
           << "set grid\nset key top right opaque\nset xrange [1:*]\n"
           << "plot $loss using ($0+1):($1+$2) with lines lw 3 lc '#333333' title 'loss', "
           << "$loss using ($0+1):1 with lines lw 2 lc '#b2182b' title 'diagonal term', "
           << "$loss using ($0+1):2 with lines lw 2 lc '#2166ac' title 'off-diagonal term'\n";
  support::draw(folder, "loss", "900,560", commands.str());
}

}  // namespace example

#endif  // DECORR_EXAMPLES_PICTURES_HPP_
