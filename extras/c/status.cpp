#include "status.hpp"

#include <cstdio>
#include <exception>
#include <new>
#include <stdexcept>

namespace decorr {
namespace c {
namespace {

// Of fixed size, so that no allocation can fail in a failing call.
struct Error {
  char message[1024] = "";
  char argument[InvalidArgument::kMostCharacters] = "";
};

Error& last_error() {
  static thread_local Error error;
  return error;
}

decorr_status report(decorr_status status, const char* message, const char* argument = "") {
  std::snprintf(last_error().message, sizeof Error::message, "%s", message);
  std::snprintf(last_error().argument, sizeof Error::argument, "%s", argument);
  return status;
}

decorr_status report_out_of_memory(const char* function) {
  report(DECORR_OUT_OF_MEMORY, "");
  std::snprintf(last_error().message, sizeof Error::message, "%s: out of memory", function);
  return DECORR_OUT_OF_MEMORY;
}

}  // namespace

decorr_status status_of_exception(const char* function) noexcept {
  try {
    throw;
  } catch (const InvalidArgument& error) {
    return report(DECORR_INVALID_ARGUMENT, error.what(), error.argument());
  } catch (const std::invalid_argument& error) {
    return report(DECORR_INVALID_ARGUMENT, error.what());
  } catch (const std::bad_alloc&) {
    return report_out_of_memory(function);
  } catch (const std::length_error&) {  // a std::vector beyond its max_size
    return report_out_of_memory(function);
  } catch (const std::out_of_range& error) {
    return report(DECORR_INTERNAL, error.what());
  } catch (const std::logic_error& error) {  // calls of a batch out of turn
    return report(DECORR_INVALID_ARGUMENT, error.what());
  } catch (const CollectiveError& error) {
    return report(DECORR_COLLECTIVE, error.what());
  } catch (const std::runtime_error& error) {
    return report(DECORR_FAILED, error.what());
  } catch (const std::exception& error) {
    return report(DECORR_INTERNAL, error.what());
  } catch (...) {
    return report(DECORR_INTERNAL, "decorr: unknown exception");
  }
}

}  // namespace c
}  // namespace decorr

const char* decorr_error_message() { return decorr::c::last_error().message; }

const char* decorr_error_argument() { return decorr::c::last_error().argument; }

const char* decorr_status_name(decorr_status status) {
  constexpr const char* names[] = {"ok",     "invalid argument", "out of memory",
                                   "failed", "internal error",   "collective error"};
  return status >= DECORR_OK && status <= DECORR_COLLECTIVE ? names[status] : "unknown status";
}
