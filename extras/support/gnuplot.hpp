#ifndef DECORR_EXTRAS_SUPPORT_GNUPLOT_HPP_
#define DECORR_EXTRAS_SUPPORT_GNUPLOT_HPP_

#include <Eigen/Core>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iomanip>
#include <sstream>
#include <stdexcept>
#include <string>

#include "printable.hpp"

namespace support {

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

}  // namespace support

#endif  // DECORR_EXTRAS_SUPPORT_GNUPLOT_HPP_
