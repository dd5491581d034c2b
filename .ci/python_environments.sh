# shellcheck shell=bash
# What scripts that need more than Debian's packages have in common; they source it, and set
# `folder`, where their virtual environments are.

# The build of PyTorch for the CPU alone, as the default one takes gigabytes, and the Pythons that
# may have it, the likeliest first.
# shellcheck disable=SC2034  # used by those that source this
readonly torch_build=torch==2.13.0+cpu torch_pythons=(3.11 3.13 3.12 3.10)

# make_environment <name> <python>: a virtual environment, whose Python is `environment`.
make_environment() {
  rm -rf "${folder:?}/$1"
  "$2" -m venv "$folder/$1" && environment=$folder/$1/bin/python
}

# find_python <version>: sets `python` to one of the PATH or of pyenv; what does not run is none.
find_python() {
  local candidate
  for candidate in "python$1" "${PYENV_ROOT:-$HOME/.pyenv}/versions/$1".*/bin/python3; do
    if "$candidate" -c '' 2>/dev/null; then
      # shellcheck disable=SC2034  # used by those that source this
      python=$candidate
      return
    fi
  done
  return 1
}
