"""Turns the JSON files of bench/report.sh into the measured part of docs/performance.md and its plots.

    python3 bench/report.py build/report docs/performance.md
    python3 bench/report.py docs/performance.md    draws the plots anew from the page's tables
"""

import collections
import ctypes
import ctypes.util
import json
import math
import os
import pathlib
import platform
import subprocess
import sys

BEGIN = "<!-- measured: written by bench/report.sh -->"
END = "<!-- end of the measured part -->"
GROWTH = "Barlow Twins, value and gradient, n = 256, float, one thread"
PEERS = "PyTorch, one thread each, float"
SIZES = [2**k for k in range(8, 17)]


def least(path):
    """Least milliseconds of all runs by case name, in the order of the names, without the trailing /real_time: what
    disturbs a machine only adds."""
    report = json.loads(path.read_text())
    times = collections.defaultdict(list)
    for case in report["benchmarks"]:
        if case["run_type"] == "iteration":
            times[case["run_name"].removesuffix("/real_time")].append(case["real_time"])
    return {name: min(all_of_it) for name, all_of_it in sorted(times.items())}, report["context"]


def table(header, rows):
    lines = ["| " + " | ".join(header) + " |", "|" + " --- |" * len(header)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def milliseconds(value):
    return "" if value is None else f"{value:.3g}" if value < 1000 else f"{value:.0f}"


def growth_table(times):
    forms = ["relaxed", "relaxed/signs", "relaxed/block_size:512/signs", "exact_gram", "exact_correlation"]
    rows = []
    for d in SIZES:
        case = f"barlow_twins/float/n:256/d:{d}/"
        bare, relaxed = times[f"transforms/float/n:256/d:{d}"], times[case + "relaxed"]
        before = times.get(f"barlow_twins/float/n:256/d:{d // 2}/relaxed")
        products = [times.get(f"products_{route}/float/n:256/d:{d}") for route in ("gram", "correlation")]
        row = [str(d), milliseconds(bare)] + [milliseconds(times.get(case + form)) for form in forms]
        row += [milliseconds(time) for time in products]
        growth = f"{relaxed / before:.2f}" if before else ""
        row += [f"{relaxed / bare:.2f}", growth, f"{cheapest_exact(times, d) / relaxed:.1f}"]
        rows.append(row)
    return table(
        ["d", "bare transforms", "relaxed", "signs", "signs, b = 512", "exact, Gram", "exact, C",
         "products alone, Gram", "products alone, C", "relaxed / bare", "relaxed / relaxed at d/2", "cheapest exact or product / relaxed"], rows)


def cheapest_exact(times, d):
    """Of both routes, and of Eigen's products alone, which is what a hand-written one could come to."""
    names = [f"barlow_twins/float/n:256/d:{d}/exact_{route}" for route in ("gram", "correlation")]
    names += [f"products_{route}/float/n:256/d:{d}" for route in ("gram", "correlation")]
    return min(times[name] for name in names if name in times)


def batch_table(times):
    rows = []
    for n, d in [(64, 2048), (256, 2048), (1024, 2048), (4096, 2048), (256, 8192), (1024, 8192)]:
        case = f"barlow_twins/float/n:{n}/d:{d}/"
        bare, relaxed = times[f"transforms/float/n:{n}/d:{d}"], times[case + "relaxed"]
        signs, grouped = times[case + "relaxed/signs"], times[case + "relaxed/block_size:512/signs"]
        gram = min(times[case + "exact_gram"], times[f"products_gram/float/n:{n}/d:{d}"])
        rows.append([str(n), str(d)] + [milliseconds(time) for time in (bare, relaxed, grouped, gram)] +
                    [f"{relaxed / bare:.2f}", f"{grouped / signs:.2f}", f"{gram / relaxed:.1f}"])
    return table(["n", "d", "bare transforms", "relaxed", "signs, b = 512", "exact, Gram, or its products alone", "relaxed / bare",
                  "b = 512 / b = d, with signs", "the same / relaxed"], rows)


def peers_table(peers):
    rows = []
    for row in peers["timed"]:
        if row["loss"] == "sigreg":
            continue
        rows.append([row["name"], str(row["n"]), str(row["d"]), milliseconds(row["decorr_ms"]),
                     milliseconds(row["torch_ms"]), f"{row['ratio']:.1f}", f"{row['decorr_memory_kib'] / 1024:.1f}",
                     f"{row['torch_memory_kib'] / 1024:.1f}", f"{row['gradient_difference']:.0e}"])
    return table(["loss", "n", "d", "decorr, ms", "PyTorch, ms", "ratio", "decorr, MiB", "PyTorch, MiB",
                  "gradients differ by"], rows)


def sigreg_table(peers, choice):
    """SIGReg of both views beside Barlow Twins by this library, n = 256."""
    header = ["d", "Barlow Twins, signs", "recommended", "SIGReg, C++", "SIGReg, C++ / recommended"]
    rows = []
    for one in peers:
        header.append("SIGReg, " + one["libraries"].split(",")[0])
    for i, row in enumerate(row for row in peers[0]["timed"] if row["loss"] == "sigreg"):
        case = f"barlow_twins/float/n:{row['n']}/d:{row['d']}/choice/"
        recommended = choice[case + "recommended"]
        of_all = [[other for other in one["timed"] if other["loss"] == "sigreg"][i] for one in peers]
        in_cpp = min(one["decorr_ms"] for one in of_all)
        rows.append([str(row["d"]), milliseconds(choice[case + "signs"]), milliseconds(recommended), milliseconds(in_cpp),
                     f"{in_cpp / recommended:.1f}"] + [milliseconds(one["torch_ms"]) for one in of_all])
    return table(header, rows)


def forms_table(times, loss, scalar, sizes):
    names = []
    for name in times:
        prefix = f"{loss}/{scalar}/n:"
        if name.startswith(prefix):
            form = name.split("/", 4)[4]
            if form not in names:
                names.append(form)
    rows = []
    for form in names:
        row = [form]
        for n, d in sizes:
            value = times.get(f"{loss}/{scalar}/n:{n}/d:{d}/{form}")
            reference = times[f"{loss}/{scalar}/n:{n}/d:{d}/relaxed"]
            row.append("" if value is None else f"{milliseconds(value)} ({value / reference:.2f})")
        rows.append(row)
    return table(["form"] + [f"n = {n}, d = {d}" for n, d in sizes], rows)


def choice_table(times):
    """What recommended() chooses, beside what it chooses between."""
    shapes = sorted({tuple(int(part[2:]) for part in name.split("/")[2:4]) for name in times})
    rows = []
    for n, d in shapes:
        row = [str(n), str(d)]
        for loss in ("barlow_twins", "vicreg"):
            case = f"{loss}/float/n:{n}/d:{d}/choice/"
            signs, exact, chosen = times[case + "signs"], times[case + "exact"], times.get(case + "recommended")
            row += [milliseconds(signs), f"{exact / signs:.2f}",
                    f"exact: {exact / signs:.2f}" if chosen is None else f"{chosen / signs:.2f}"]
        rows.append(row)
    header = [f"{title}: {column}" for title in ("Barlow Twins", "VICReg")
              for column in ("signs, ms", "exact / signs", "recommended / signs")]
    return table(["n", "d"] + header, rows)


def table_below(text, heading):
    """The rows of the first table below a heading that begins with this, as dictionaries by column."""
    lines = iter(text.split(f"\n### {heading}", 1)[1].splitlines())
    cells = []
    for line in lines:
        if line.startswith("|"):
            cells.append([cell.strip() for cell in line.strip("|").split("|")])
        elif cells:
            break
    header, _, *rows = cells
    return [dict(zip(header, row)) for row in rows]


def column(rows, name, over=None):
    """(d, value) of the rows that have one, divided by that of another column if it is given."""
    return [(int(row["d"]), float(row[name]) / (float(row[over]) if over else 1)) for row in rows if row[name]]


def slope(points):
    """Of a line through the logarithms, from d = 1024 on."""
    logs = [(math.log(d), math.log(time)) for d, time in points if d >= 1024]
    mean_x, mean_y = (sum(values) / len(logs) for values in zip(*logs))
    return (sum((x - mean_x) * (y - mean_y) for x, y in logs) /
            sum((x - mean_x) ** 2 for x, _ in logs))


def gnuplot(script):
    subprocess.run(["gnuplot"], input="\n".join(script) + "\n", text=True, check=True)


def data_block(name, points):
    return f"${name} << EOD\n" + "\n".join(f"{d} {value}" for d, value in points) + "\nEOD"


def plot_times(rows, target):
    """Time against d for one value and gradient, log-log."""
    curves = [  # title, column, colour, width
        ("exact, through C", "exact, C", "#b2182b", 3),
        ("its products alone", "products alone, C", "#b2182b", 1),
        ("exact, through Gram matrices", "exact, Gram", "#ef8a62", 3),
        ("its products alone", "products alone, Gram", "#ef8a62", 1),
        ("relaxed, signs, b = 512", "signs, b = 512", "#2166ac", 3),
        ("relaxed", "relaxed", "#4393c3", 3),
        ("its transforms alone", "bare transforms", "#4393c3", 1),
    ]
    script = [
        "set terminal svg size 1000,460 font 'sans,13' background 'white'", f"set output '{target}'",
        "set logscale xy 2", "set logscale y 10", f"set xrange [{SIZES[0]}:{SIZES[-1]}]", "set grid",
        "set key outside right top Left reverse samplen 2 spacing 1.3 title 'slopes from d = 1024 on'",
        "set xlabel 'features d'", "set ylabel 'milliseconds'",
        "set title 'Barlow Twins, value and gradient, n = 256, float, one thread'",
    ]
    plots = []
    for i, (title, name, color, width) in enumerate(curves):
        points = column(rows, name)
        script.append(data_block(f"curve{i}", points))
        title = f"{title}, slope {slope(points):.2f}"
        plots.append(f"$curve{i} using 1:2 with lines lw {width} lc rgb '{color}' title '{title}'")
    gnuplot(script + ["plot " + ", ".join(plots)])


def plot_ratios(rows, peers, target):
    """What the relaxed form wins over each alternative, how near it is to its transforms, and memory."""
    permuted = [row for row in peers if row["loss"] == "Barlow Twins relaxed, permuted"]
    # The legends are inside, where the ranges leave room for them above the curves.
    panels = [
        ("ratio of times", "set logscale y 10; set yrange [1:1000]; set key top left Left reverse", [
            ("exact through C / relaxed", "#b2182b", column(rows, "exact, C", "relaxed")),
            ("exact through Gram / relaxed", "#ef8a62", column(rows, "exact, Gram", "relaxed")),
            ("PyTorch / decorr, both permuted", "#762a83", column(permuted, "ratio")),
        ]),
        ("time of the bare transforms / relaxed", "unset logscale y; set yrange [0:1]; unset key", [
            ("", "#4393c3", column(rows, "bare transforms", "relaxed")),
        ]),
        ("MiB beyond inputs and gradients, permuted",
         "set logscale y 10; set yrange [0.1:10000]; set key top left Left reverse", [
             ("PyTorch", "#762a83", column(permuted, "PyTorch, MiB")),
             ("decorr", "#4393c3", column(permuted, "decorr, MiB")),
         ]),
    ]
    script = ["set terminal svg size 1080,420 font 'sans,12' background 'white'", f"set output '{target}'",
              "set logscale x 2", f"set xrange [{SIZES[0]}:{SIZES[-1]}]", "set grid", "set xlabel 'features d'",
              "set xtics (" + ", ".join(str(d) for d in SIZES[::2]) + ")",
              "set multiplot layout 1,3 title 'Barlow Twins, value and gradient, n = 256, float, one thread' font ',14'"]
    for number, (title, settings, curves) in enumerate(panels):
        plots = []
        for i, (name, color, points) in enumerate(curves):
            if points:
                script.append(data_block(f"data{number}_{i}", points))
                style = f"with linespoints lw 2 pt 7 ps 0.4 lc rgb '{color}'"
                plots.append(f"$data{number}_{i} using 1:2 {style} title '{name}'")
        if plots:
            script += ["set key default; set key samplen 2", settings, f"set title '{title}'", "plot " + ", ".join(plots)]
    gnuplot(script)


def draw(page):
    """The plots show the page's tables."""
    text = page.read_text()
    rows = table_below(text, GROWTH)
    peers = table_below(text, PEERS) if f"### {PEERS}" in text else []
    plot_times(rows, page.parent / "time_against_d.svg")
    plot_ratios(rows, peers, page.parent / "ratios_against_d.svg")


def counted_matrices(path):
    """What bytes.sh printed: by call the matrices that cross the cache."""
    rows = [line.strip("| \n").split(" | ") for line in path.read_text().splitlines() if line.startswith("| ")]
    return {call: float(matrices) for call, matrices in rows if call not in ("call", "---")}


def roofline_table(build, times):
    """Times over what bounds them: the matrices that cross the cache, at the speed of the copy, and the transforms."""
    shown = {f"n = {n}, d = 8192": (counted_matrices(build / f"bytes_{n}.md"), f"traffic/n:{n}/d:8192/") for n in (128, 512)}
    rows = []
    calls = [call for call in next(iter(shown.values()))[0] if call not in ("copy", "transforms")]
    for call in calls:
        row = [call]
        for counted, case in shown.values():
            copying = times[case + "copy"] / counted["copy"] * counted[call]
            # Of one view half of the transforms.
            transforms = times[case + "transforms"] * (0.5 if call.startswith("variance_covariance") else 1)
            row += [f"{counted[call]:.1f}", milliseconds(copying), milliseconds(transforms), milliseconds(times[case + call]),
                    f"{times[case + call] / (copying + transforms):.2f}"]
        rows.append(row)
    return table(["call"] + [f"{size}: {column}" if not i else column for size in shown for i, column in enumerate(
        ("matrices", "ms at the copy's speed", "bare transforms, ms", "ms", "over both together"))], rows)


def other_fftw_table(times, choice, other):
    """The same program with the system's FFTW and with another build of it."""
    rows = []
    for d in (512, 1024, 2048, 4096, 8192, 16384):
        row = [str(d)]
        for case in (f"transforms/float/n:256/d:{d}", f"barlow_twins/float/n:256/d:{d}/choice/signs",
                     f"barlow_twins/float/n:256/d:{d}/choice/recommended", f"vicreg/float/n:256/d:{d}/choice/recommended"):
            system = times.get(case, choice.get(case))
            row.append(f"{milliseconds(system)}, {milliseconds(other[case])} ({other[case] / system:.2f})")
        rows.append(row)
    return table(["d", "bare transforms", "Barlow Twins, signs", "Barlow Twins, recommended", "VICReg, recommended"], rows)


def transform_library(name):
    """FFTW's version and the instructions that its kernels were compiled for, as it tells."""
    try:
        version = (ctypes.c_char * 80).in_dll(ctypes.CDLL(name), "fftwf_version").value.decode()
    except (OSError, ValueError, TypeError):
        return "an FFT library that does not tell its version"
    missing = [name for name, kernel in (("AVX2", "avx2"), ("AVX-512", "avx512")) if kernel not in version]
    return version + (f" (without kernels for {' and '.join(missing)})" if missing else "")


def processor():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor()


def caches(context):
    told = ", ".join(f"L{c['level']} {c['type'].lower()} {c['size'] // 1024} KiB" for c in context["caches"])
    if not told:  # on some virtual machines only lscpu knows
        lines = subprocess.run(["lscpu"], capture_output=True, text=True).stdout.splitlines()
        told = ", ".join(" ".join(line.replace(" cache:", "").split()) for line in lines if " cache:" in line)
    return told or "caches not told"


def main():
    page = pathlib.Path(sys.argv[-1])
    if len(sys.argv) == 2:
        draw(page)
        return
    build = pathlib.Path(sys.argv[1])
    times, context = least(build / "growth.json")
    forms, _ = least(build / "forms.json")
    batches, _ = least(build / "batches.json")
    lengths, _ = least(build / "lengths.json")
    patience, _ = least(build / "patience.json")
    choice, _ = least(build / "choice.json")
    peers = [json.loads(file.read_text()) for file in sorted(build.glob("peers_*.json"))]
    compiler = (build / "CMakeCache.txt").read_text()
    compiler = next(line.split("=", 1)[1] for line in compiler.splitlines() if line.startswith("CMAKE_CXX_COMPILER:"))
    version = subprocess.run([compiler, "--version"], capture_output=True, text=True, check=True).stdout.splitlines()[0]
    copy = forms["copy/float/n:256/d:8192"]
    parts = [
        BEGIN, "",
        f"Measured on {context['date'][:10]}: {processor()}, {caches(context)}; {version}, `-O3 -march=native`; "
        f"{transform_library(ctypes.util.find_library('fftw3f'))}; least of 5 runs, milliseconds. Copying two views of 256 x 8192 floats takes "
        f"{milliseconds(copy)}, {4 * 256 * 8192 * 4 / copy / 1e6:.0f} GB/s read and written.", "",
        f"### {GROWTH}", "",
        growth_table(times), "", "![time against d](time_against_d.svg)", "", "![ratios](ratios_against_d.svg)", "",
        "### Batch sizes, float", "", batch_table({**times, **batches}), "",
    ]
    for scalar in ("float", "double"):
        bare = milliseconds(forms[f"transforms/{scalar}/n:256/d:8192"])
        for loss, title in (("barlow_twins", "Barlow Twins"), ("vicreg", "VICReg")):
            parts += [f"### {title}, {scalar}: milliseconds (ratio to relaxed); the bare transforms take {bare}", "",
                      forms_table(forms, loss, scalar, [(256, 8192)]), ""]
    rows = []
    for d in (8192, 8190, 8191, 10007):
        relaxed = lengths[f"barlow_twins/float/n:256/d:{d}/relaxed"]
        rows.append([str(d), milliseconds(relaxed), milliseconds(lengths[f"transforms/float/n:256/d:{d}"]),
                     f"{relaxed / lengths['barlow_twins/float/n:256/d:8192/relaxed']:.2f}"])
    patient_rows = []
    for d in (4096, 8192, 16384):
        row = [str(d)]
        for case, form in (f"transforms/float/n:256/d:{d}", ""), (f"barlow_twins/float/n:256/d:{d}", "relaxed"):
            row += [milliseconds(times[f"{case}/{form}".rstrip("/")]),
                    milliseconds(patience[f"{case}/patient_{form}".rstrip("_")])]
        patient_rows.append(row)
    if (build / "traffic.json").exists():
        traffic, _ = least(build / "traffic.json")
        parts += ["### Times over what bounds them, float, one thread", "",
                  "The matrices of n × d numbers that cross a cache of 2 MiB, counted by `bench/bytes.sh` on the day of this table "
                  "([above](#memory-traffic) is what it counts now), at the speed of a copy of both views, and the bare transforms, which stay in the cache: together what a call takes where it does nothing else.", "",
                  roofline_table(build, traffic), ""]
    parts += ["### The recommended form, float", "", choice_table(choice), ""]
    parts += ["### Lengths with large prime factors, n = 256, float", "",
              table(["d", "relaxed", "bare transforms of this length", "relaxed / relaxed at d = 8192"], rows), "",
              "### Planning::patient, n = 256, float", "",
              table(["d", "bare transforms, measure", "patient", "relaxed, measure", "patient"], patient_rows), ""]
    if (build / "other_fftw.json").exists():
        other, _ = least(build / "other_fftw.json")
        library = transform_library(pathlib.Path(os.environ["OTHER_FFTW"]) / "libfftw3f.so.3")
        parts += ["### FFTW built for the processor, n = 256, float", "",
                  f"The same program with the system's FFTW and with {library}: milliseconds of each (ratio).", "",
                  other_fftw_table(times, choice, other), ""]
    for i, one in enumerate(peers):
        version = one["libraries"].split(",")[0]
        parts += [f"### {PEERS}" + (f": {version}" if i else ""), "",
                  f"{one['libraries']}. Value and gradient by autograd; memory is what a call takes beyond inputs and "
                  "gradients.", "", peers_table(one), ""]
    if peers:
        parts += ["### SIGReg, n = 256, float, one thread", "",
                  "The other regularizer of linear cost in d, of LeJEPA (arXiv 2511.08544): value and gradient for both views, 1024 "
                  "random directions, which are drawn beforehand, and 17 knots; in C++ as bench/peers/sigreg.hpp has it, on Eigen's "
                  "products, and in PyTorch by autograd. Milliseconds.", "", sigreg_table(peers, choice), ""]
    parts += [END]
    text = page.read_text()
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    page.write_text(before + "\n".join(parts) + after)
    draw(page)
    print(f"wrote {page}")


if __name__ == "__main__":
    main()
