"""Turns the JSON files of bench/report.sh into the measured part of docs/performance.md and its plots."""

import json
import pathlib
import platform
import subprocess
import sys

BEGIN = "<!-- measured: written by bench/report.sh -->"
END = "<!-- end of the measured part -->"


def medians(path):
    """Median milliseconds by case name, without the trailing /real_time."""
    report = json.loads(path.read_text())
    return {
        case["run_name"].removesuffix("/real_time"): case["real_time"]
        for case in report["benchmarks"]
        if case.get("aggregate_name") == "median"
    }, report["context"]


def table(header, rows):
    lines = ["| " + " | ".join(header) + " |", "|" + " --- |" * len(header)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def milliseconds(value):
    return f"{value:.3g}" if value < 1000 else f"{value:.0f}"


def growth_table(times):
    forms = ["relaxed", "relaxed/signs", "relaxed/block_size:512/signs", "exact_gram", "exact_correlation"]
    rows = []
    for d in (2**k for k in range(8, 17)):
        case = f"barlow_twins/float/n:256/d:{d}/"
        bare = times[f"transforms/float/n:256/d:{d}"]
        relaxed = times[case + "relaxed"]
        row = [str(d), milliseconds(bare)]
        row += [milliseconds(times[case + form]) if case + form in times else "" for form in forms]
        row.append(f"{relaxed / bare:.2f}")
        products = [times.get(f"products_{route}/float/n:256/d:{d}") for route in ("gram", "correlation")]
        row[7:7] = [milliseconds(time) if time else "" for time in products]
        exact = [times[case + form] for form in forms[3:] if case + form in times] + [time for time in products if time]
        row.append(f"{min(exact) / relaxed:.1f}" if exact else "")
        rows.append(row)
    return table(
        ["d", "bare transforms", "relaxed", "signs", "signs, b = 512", "exact, Gram", "exact, C",
         "products alone, Gram", "products alone, C", "relaxed / bare", "cheapest exact / relaxed"], rows)


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


def plot(times, target):
    """Time against d for one value and gradient, log-log."""
    curves = [  # title, first and last part of the case's name, colour, width
        ("exact, through C", "barlow_twins", "/exact_correlation", "#b2182b", 3),
        ("its products alone", "products_correlation", "", "#b2182b", 1),
        ("exact, through Gram matrices", "barlow_twins", "/exact_gram", "#ef8a62", 3),
        ("its products alone", "products_gram", "", "#ef8a62", 1),
        ("relaxed, b = 512, random signs", "barlow_twins", "/relaxed/block_size:512/signs", "#2166ac", 3),
        ("relaxed", "barlow_twins", "/relaxed", "#4393c3", 3),
        ("its transforms alone", "transforms", "", "#4393c3", 1),
    ]
    script = [
        "set terminal svg size 760,540 font 'sans,13' background 'white'",
        f"set output '{target}'",
        "set logscale xy 2", "set logscale y 10", "set grid", "set key outside below maxrows 3",
        "set xlabel 'features d'", "set ylabel 'milliseconds, value and gradient'",
        "set title 'Barlow Twins loss, n = 256, float, one core'",
    ]
    blocks, plots = [], []
    for i, (title, family, form, color, width) in enumerate(curves):
        points = []
        for d in (2**k for k in range(8, 17)):
            name = f"{family}/float/n:256/d:{d}{form}"
            if name in times:
                points.append(f"{d} {times[name]}")
        blocks.append(f"$curve{i} << EOD\n" + "\n".join(points) + "\nEOD")
        plots.append(f"$curve{i} using 1:2 with lines lw {width} lc rgb '{color}' title '{title}'")
    text = "\n".join(blocks + script + ["plot " + ", ".join(plots)]) + "\n"
    subprocess.run(["gnuplot"], input=text, text=True, check=True)


def processor():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor()


def main():
    build, page = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    growth, context = medians(build / "growth.json")
    forms, _ = medians(build / "forms.json")
    primes, _ = medians(build / "primes.json")
    compiler = (build / "CMakeCache.txt").read_text()
    compiler = next(line.split("=", 1)[1] for line in compiler.splitlines() if line.startswith("CMAKE_CXX_COMPILER:"))
    version = subprocess.run([compiler, "--version"], capture_output=True, text=True, check=True).stdout.splitlines()[0]
    caches = ", ".join(f"L{c['level']} {c['type'].lower()} {c['size'] // 1024} KiB" for c in context["caches"])
    plot(growth, page.parent / "time_against_d.svg")
    sizes = [(256, 8192)]
    parts = [
        BEGIN, "",
        f"Measured on {context['date'][:10]}: {processor()}, {caches or 'caches not told'}; {version}, "
        "`-O3 -march=native`; FFTW as packaged by the distribution; medians of 3 runs, milliseconds.", "",
        "### Barlow Twins, value and gradient, n = 256, float, one thread", "",
        growth_table(growth), "", "![time against d](time_against_d.svg)", "",
    ]
    bare = ", ".join(f"{milliseconds(forms[f'transforms/float/n:{n}/d:{d}'])} at n = {n}, d = {d}" for n, d in sizes)
    copy = ", ".join(f"{milliseconds(forms[f'copy/float/n:{n}/d:{d}'])}" for n, d in sizes)
    parts += [f"The bare transforms take {bare}; copying two views, {copy}.", ""]
    for loss, title in (("barlow_twins", "Barlow Twins"), ("vicreg", "VICReg")):
        parts += [f"### {title}, float: milliseconds (ratio to relaxed)", "", forms_table(forms, loss, "float", sizes), ""]
    rows = []
    for d in (8190, 8191, 10007):
        relaxed = primes[f"barlow_twins/float/n:256/d:{d}/relaxed"]
        rows.append([str(d), milliseconds(relaxed), milliseconds(primes[f"transforms/float/n:256/d:{d}"])])
    parts += ["### Lengths with large prime factors, n = 256, float", "",
              table(["d", "relaxed", "bare transforms of this length"], rows), "", END]
    text = page.read_text()
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    page.write_text(before + "\n".join(parts) + after)
    print(f"wrote {page}")


if __name__ == "__main__":
    main()
