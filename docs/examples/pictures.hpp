#ifndef DECORR_EXAMPLES_PICTURES_HPP_
#define DECORR_EXAMPLES_PICTURES_HPP_

#include <Eigen/Core>
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iomanip>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "evaluation.hpp"
#include "network.hpp"
#include "printable.hpp"

namespace example {

/// Writes name.gnuplot into the folder and lets gnuplot make name.png of it.
inline void draw(const std::filesystem::path& folder, const std::string& name,
                 const std::string& size, const std::string& commands) {
  std::filesystem::create_directories(folder);
  const std::string script = name + ".gnuplot";
  std::ofstream file(folder / script);
  file << "set terminal pngcairo size " << size << " font 'sans,12'\n"
       << "set output '" << name << ".png'\n"
       << commands;
  file.close();
  if (!file) throw std::runtime_error("cannot write " + (folder / script).string());

  // From within the folder, so that no path has to be quoted for the shell.
  const std::filesystem::path before = std::filesystem::current_path();
  std::filesystem::current_path(folder);
  const int status = std::system(("gnuplot " + script).c_str());
  std::filesystem::current_path(before);
  if (status == 0) {
    const std::filesystem::path picture = std::filesystem::absolute(folder / (name + ".png"));
    std::printf("picture: %s\n", printable_name(picture.string()).c_str());
  } else {
    std::printf(
        "no picture, as gnuplot did not run (Debian, Ubuntu: gnuplot-nox); to draw it "
        "later: cd '%s' && gnuplot %s\n",
        printable_name(folder.string()).c_str(), script.c_str());
  }
}

/// Colours of correlations from -1 to 1, and one square pixel for each of size x size of them.
inline std::string correlation_axes(Eigen::Index size) {
  std::ostringstream commands;
  commands << "set palette defined (-1 '#053061', -0.5 '#2166ac', -0.2 '#92c5de', 0 '#ffffff', "
           << "0.2 '#f4a582', 0.5 '#b2182b', 1 '#67001f')\n"
           << "set cbrange [-1:1]\nset cblabel 'correlation'\nunset key\n"
           << "set size ratio -1\nset tics out nomirror\n"
           << "set xrange [-0.5:" << size << "-0.5]\nset yrange [" << size << "-0.5:-0.5]\n";
  return commands.str();
}

/// One correlation matrix, of at least 2 x 2.
template <class Pixels>
std::string correlation_commands(const std::string& title, const Pixels& pixels) {
  std::ostringstream commands;
  commands << std::fixed << std::setprecision(3) << "$pixels << EOD\n"
           << pixels << "\nEOD\n"
           << correlation_axes(pixels.rows()) << "set title '" << title << "'\n"
           << "plot $pixels matrix with image\n";
  return commands.str();
}

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
      << correlation_axes(shown) << "set xlabel 'output'\nset ylabel 'output'\n"
      << "set tmargin at screen 0.82\nset bmargin at screen 0.12\nunset colorbox\n"
      << panel("before", before, 0.07) << "set colorbox\n"
      << panel("after", after, 0.52);
  draw(folder, "correlation", "1200,620", commands.str());
}

/// The mean terms of the loss over one epoch.
struct EpochLoss {
  double diagonal = 0, off_diagonal = 0;
};

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
  draw(folder, "loss", "900,560", commands.str());
}

}  // namespace example

#endif  // DECORR_EXAMPLES_PICTURES_HPP_
