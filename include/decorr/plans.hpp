#ifndef DECORR_PLANS_HPP_
#define DECORR_PLANS_HPP_

#include "decorr/detail/runtime/prologue.hpp"

#include <cstddef>
#include <mutex>
#include <stdexcept>
#include <string>

#include "decorr/detail/fft/fftw.hpp"
#include "decorr/detail/fft/plan_cache.hpp"
#include "decorr/detail/runtime/abi.hpp"
#include "decorr/detail/runtime/workspace.hpp"

/// @file
/// FFTW's planner is the process's, and others may use it, too. What holds then:
///
/// - Calls of FFTW but for execution take planner_mutex() while other threads may be in decorr.
/// - fftw_cleanup() and fftw_cleanup_threads() leave all plans undefined, those of decorr as well:
///   call clear_plans() before, while no other thread is in decorr. So does the first
///   fftw_plan_with_nthreads() of a program that has not called fftw_init_threads(). Where that was
///   left out, decorr finds out before it destroys a plan, and keeps it: memory is lost, at most
///   that of the plans in the cache, and nothing crashes, unless wisdom that FFTW itself exported
///   was read again by FFTW itself just after. But a plan in the cache is still executed, which
///   works in FFTW 3.3.10 and is promised by none.
/// - fftw_plan_with_nthreads() does not count: decorr plans for one thread, and leaves the number
/// as
///   it was. That takes FFTW 3.3.9 with its own threads library, on systems with ELF files (Linux,
///   the BSDs), and for a threads library that a program loads by dlopen() code compiled with
///   -fPIC; elsewhere set the number to 1 around calls that may plan.
/// - fftw_set_timelimit() does count, since FFTW tells nobody what it is: decorr's plans are then
///   found in that time, and with a limit of 0 as with Planning::estimate.
/// - Wisdom counts, whoever has read or gathered it, also for Planning::estimate, whose results
///   repeat bit for bit where the wisdom is the same. After fftw_forget_wisdom() plans in the cache
///   stay, and lengths are measured anew when they are planned anew.
/// - A shared library that is compiled with decorr and OpenMP must not be unloaded, as OpenMP's
///   threads would wait in code that is gone: link it with -Wl,-z,nodelete.

namespace decorr {
inline namespace DECORR_ABI {

/// The process-wide lock that decorr takes around every call of FFTW's planner, plan destruction
/// and wisdom, none of which is thread-safe.
///
/// Take it around your own such calls if other threads may be in decorr. Do not call decorr while
/// holding it: the lock is not recursive. Executing plans needs no lock. Never throws; callable
/// from any thread.
///
/// @snippet settings.cpp plans
inline std::mutex& planner_mutex() { return detail::process_planner_mutex(); }

/// Empties the cache of FFT plans (at most 64, the least recently used one making room). Calls in
/// progress keep theirs until they end; the next call for a length plans anew, from the wisdom
/// gathered so far.
///
/// To be called before fftw_cleanup(), which leaves all plans undefined. Thread-safe; waits for the
/// planner while another thread is planning. FFTW's own state is left alone.
///
/// @snippet settings.cpp plans
inline void clear_plans() { detail::PlanCache::clear(); }

/// The number of FFT plans in the cache, 0 to 64, over all scalar types. Thread-safe.
///
/// @snippet settings.cpp plans
inline std::size_t cached_plans() { return detail::PlanCache::size(); }

/// Frees the workspaces kept between calls. Those of calls in progress stay and return to the pool
/// when the calls end. Never throws; thread-safe.
///
/// @snippet settings.cpp plans
inline void clear_workspaces() noexcept { detail::WorkspacePool::clear(); }

/// Sets how many bytes of workspace are kept between calls, in the whole process, and returns how
/// many it was: 64 MiB by default. What a call needs beyond that it takes from the system anew each
/// time, which costs a tenth of the exact form through C at d = 8192, whose C has 256 MiB. Never
/// throws; thread-safe.
///
/// @snippet settings.cpp plans
inline std::size_t set_workspace_limit(std::size_t bytes) noexcept {
  return detail::WorkspacePool::set_limit(bytes);
}

/// Writes what FFTW has learned about transforms of this scalar type (its wisdom) in this process,
/// by decorr or others, to a file, so that a later run plans at once and alike.
///
/// Scalar is float, double or long double; each has wisdom of its own. Throws std::runtime_error
/// when the file cannot be written. Thread-safe; takes planner_mutex(), so it waits for planning in
/// progress.
///
/// @snippet settings.cpp wisdom
template <class Scalar>
void save_wisdom(const std::string& path) {
  const std::lock_guard<std::mutex> lock(planner_mutex());
  if (!detail::Fftw<Scalar>::export_wisdom(path.c_str())) {
    throw std::runtime_error("save_wisdom: cannot write \"" + path + "\"");
  }
}

/// Adds the wisdom of a file written by save_wisdom<Scalar> to that of this process.
///
/// Call it before the first loss: plans in the cache stay as they are. Wisdom holds for the machine
/// and the FFT library that wrote it. Throws std::runtime_error when the file cannot be read or is
/// not wisdom of this scalar type and library. Thread-safe; takes planner_mutex(), so it waits for
/// planning in progress.
///
/// @snippet settings.cpp wisdom
template <class Scalar>
void load_wisdom(const std::string& path) {
  const std::lock_guard<std::mutex> lock(planner_mutex());
  detail::PlannerLife<Scalar>::before_import();
  if (!detail::Fftw<Scalar>::import_wisdom(path.c_str())) {
    throw std::runtime_error("load_wisdom: cannot read \"" + path +
                             "\", or it holds no wisdom of this scalar type and library");
  }
}

}  // namespace DECORR_ABI
}  // namespace decorr

#include "decorr/detail/runtime/epilogue.hpp"

#endif  // DECORR_PLANS_HPP_
