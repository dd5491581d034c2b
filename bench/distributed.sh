#!/usr/bin/env bash
# The tables of docs/distributed.md: what a collective call's communication takes, on paper and
# measured.
#
#   bench/distributed.sh [paper|machine|network]...      all of them; some minutes
#
# paper: the model's table. machine: 2, 4 and 8 processes of this machine. network: the same, each
# in a network namespace of its own, by TCP over links that send RATE (100mbit) after DELAY (500us).
# It wants root, iproute2, and for the delay a kernel with netem; without it links have the rate
# alone, by tbf. FEATURES (512,8192) and ROWS (64) are its d and n. Namespaces and links are gone at
# the end.
# With PROGRAM, a decorr_distributed_times that is built already, nothing is built.
# Needs cmake, a compiler, Eigen, FFTW3, CLI11 and Open MPI (Debian, Ubuntu: cmake g++ libeigen3-dev
# libfftw3-dev libcli11-dev libopenmpi-dev openmpi-bin iproute2).
set -euo pipefail
cd "$(dirname "$0")/.."

parts=("$@")
[[ $# -gt 0 ]] || parts=(paper machine network)
for part in "${parts[@]}"; do
  if [[ ! $part =~ ^(paper|machine|network)$ ]]; then
    sed -n '2,/^set/{/^#/p}' "$0" >&2
    exit 2
  fi
done
rate=${RATE:-100mbit}
delay=${DELAY:-500us}
features=${FEATURES:-512,8192}
rows=${ROWS:-64}
build=build/distributed
program=${PROGRAM:-$PWD/$build/bench/decorr_distributed_times}

export OMP_NUM_THREADS=1
# Processes that wait are to leave the cores to others, and not all to be bound to the first one, as
# on hosts that they have for themselves.
launch=(mpirun --oversubscribe --bind-to none --mca mpi_yield_when_idle 1)
[[ $(id -u) -ne 0 ]] || launch+=(--allow-run-as-root)

build_program() {
  cmake -S . -B "$build" -DCMAKE_BUILD_TYPE=Release -DDECORR_BUILD_BENCHMARKS=ON \
    -DDECORR_BUILD_C=OFF -DDECORR_BUILD_INSPECT=OFF -DDECORR_BUILD_TESTS=OFF \
    -DDECORR_BUILD_EXAMPLES=OFF
  cmake --build "$build" --target decorr_distributed_times
}

measure_machine() {
  local processes
  for processes in 2 4 8; do
    OMPI_MCA_plm=isolated OMPI_MCA_btl=^tcp OMPI_MCA_btl_vader_single_copy_mechanism=none \
      "${launch[@]}" -n "$processes" "$program" --features 2048,65536 --rows 64
  done
}

# Of this run alone, so that two do not meet.
bridge=decorr$$
folder=$(mktemp -d)
spaces=()
clean_up() {
  local space
  for space in "${spaces[@]}"; do ip netns delete "$space" || true; done
  if [[ -e /sys/class/net/$bridge ]]; then ip link delete "$bridge"; fi
  rm -rf "$folder"
}
trap clean_up EXIT

# A namespace with an address, a link to the bridge, and what limits its sending.
add_space() {  # number
  local space=$bridge-$1 link=$bridge.$1
  ip netns add "$space"
  spaces+=("$space")
  ip link add "$link" type veth peer name eth0 netns "$space"
  ip link set "$link" master "$bridge" up
  ip -n "$space" address add "10.201.77.$1/24" dev eth0
  ip -n "$space" link set lo up
  ip -n "$space" link set eth0 up
  # Else a connection that was silent for a while begins slowly.
  ip netns exec "$space" sh -c 'echo 0 >/proc/sys/net/ipv4/tcp_slow_start_after_idle'
  if ip netns exec "$space" tc qdisc add dev eth0 root netem delay "$delay" rate "$rate" \
    limit 10000 2>/dev/null; then
    limits="a delay of $delay and $rate, by netem"
  else
    ip netns exec "$space" tc qdisc add dev eth0 root tbf rate "$rate" burst 1600 latency 500ms
    limits="$rate by tbf, without a delay, which this kernel has no netem for"
  fi
}

measure_network() {
  if [[ $(id -u) -ne 0 ]] || ! command -v ip >/dev/null || ! command -v tc >/dev/null; then
    echo "network: needs root, ip and tc" >&2
    return
  fi
  # How mpirun starts a process on a "host": in the namespace that has its address, under a name of
  # its own, as Open MPI takes processes of one name for neighbours.
  cat >"$folder/agent" <<AGENT
#!/bin/sh
number=\${1##*.}
shift
exec ip netns exec $bridge-\$number unshare --uts sh -c "hostname $bridge-\$number && \$*"
AGENT
  chmod +x "$folder/agent"
  ip link add "$bridge" type bridge
  ip address add 10.201.77.254/24 dev "$bridge"
  ip link set "$bridge" up
  local number processes hosts="" limits=""
  for number in 1 2 3 4 5 6 7 8; do add_space "$number"; done
  echo "Each link has $limits."
  echo
  for processes in 2 4 8; do
    hosts=$(seq -s, -f 10.201.77.%g 1 "$processes")
    "${launch[@]}" --mca plm rsh --mca plm_rsh_agent "$folder/agent" --mca plm_rsh_no_tree_spawn 1 \
      --mca btl tcp,self --mca btl_tcp_if_include 10.201.77.0/24 \
      --mca oob_tcp_if_include 10.201.77.0/24 --host "$hosts" -n "$processes" \
      "$program" --features "$features" --largest-exact 512 --rows "$rows"
  done
}

if [[ -z ${PROGRAM:-} ]]; then
  build_program >"$folder/build.log" 2>&1 || { cat "$folder/build.log" >&2; exit 1; }
fi
for part in "${parts[@]}"; do
  echo "== $part"
  case $part in
    paper) "$program" --paper --features 8192,65536 --rows 256 ;;
    machine) measure_machine ;;
    network) measure_network ;;
  esac
done
