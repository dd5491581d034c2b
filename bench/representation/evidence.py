"""Turns the results of study.sh into the measured part of docs/evidence.md and its plots.

    python3 bench/representation/evidence.py build/evidence/fashion/results.jsonl docs/evidence.md ROWS

ROWS is how many rows the whole study has. What has not been run is left out, and said to be.
"""

import collections
import gzip
import json
import math
import pathlib
import statistics
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from report import data_block, gnuplot, processor, table  # noqa: E402

BEGIN = "<!-- measured: written by bench/representation/study.sh -->"
END = "<!-- end of the measured part -->"
LOSSES = {"barlow_twins": "Barlow Twins", "vicreg": "VICReg"}
COLORS = {"exact": "#333333", "plain": "#b2182b", "permutation": "#ef8a62", "signs": "#2166ac", "both": "#762a83",
          "signs, b = 128": "#4393c3", "signs, b = 512": "#4393c3", "permutation, b = 128": "#fdb863",
          "permutation, b = 512": "#fdb863"}


# Rows are written as they are done.
ORDER = ["exact", "signs", "signs, b = 512", "signs, b = 128", "both", "permutation", "permutation, b = 512",
         "permutation, b = 128", "plain", "signs, q = 1", "permutation, q = 1", "plain, q = 1"]


class Results:
    def __init__(self, path):
        with (gzip.open if path.suffix == ".gz" else open)(path, "rt") as file:
            text = file.read()
        # The last line is whole only if it has an end.
        rows = [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]
        self.rows = sorted(rows, key=lambda row: (ORDER.index(row["form"]) if row.get("form") in ORDER else -1, -row["key"]["weight"],
                                                  row["key"]["seed"]))

    def of(self, part, **key):
        return [row for row in self.rows
                if row["key"]["part"] == part and all(row["key"][name] == value for name, value in key.items())]


def mean_and_spread(values):
    return statistics.mean(values), statistics.stdev(values) if len(values) > 1 else 0.0


def plus_minus(values, form, scale=1):
    mean, spread = mean_and_spread([scale * value for value in values])
    return f"{mean:{form}}" + (f" ± {spread:{form}}" if len(values) > 1 else "")


def difference(values, others, form, scale=1):
    """Of two means; none where it is smaller than the spread of both together."""
    if len(values) < 2 or len(others) < 2:
        return ""
    (mean, spread), (other, other_spread) = mean_and_spread(values), mean_and_spread(others)
    gap = mean - other
    return "none" if abs(gap) <= math.hypot(spread, other_spread) else f"{scale * gap:+{form}}"


def chosen(rows):
    """By form the rows of the weight that all seeds have been trained with."""
    by_form = collections.defaultdict(lambda: collections.defaultdict(list))
    for row in rows:
        by_form[row["form"]][row["key"]["weight"]].append(row)
    result = {}
    for form, weights in by_form.items():
        most = max(len(some) for some in weights.values())
        # While only the first seed is there, the grid's best.
        result[form] = max((some for some in weights.values() if len(some) == most),
                           key=lambda some: statistics.mean(row["validation"] for row in some))
    return result


def column(rows, name):
    return [row[name] for row in rows]


def cost_of(results, loss, n, d, form):
    rows = [row for row in results.of("cost", loss=loss, batch_size=n, dimension=d) if row["form"] == form]
    return rows[0] if rows else None


def training_table(results, loss, n, d):
    forms = chosen(results.of("training", loss=loss, batch_size=n, dimension=d))
    if "exact" not in forms:
        return None
    exact = forms["exact"]
    lines = []
    for form, rows in forms.items():
        cost = cost_of(results, loss, n, d, form)
        costs = ["", "", ""]
        if cost:
            costs = [f"{cost['loss_ms']:.3g}", f"{100 * cost['loss_ms'] / cost['step_ms']:.0f}",
                     f"{cost['loss_memory'] / 2**20:.1f}"]
        linear = column(rows, "linear")
        lines.append([form, f"{rows[0]['key']['weight']:g}", str(len(rows)), plus_minus(linear, ".2f", 100),
                      "" if form == "exact" else difference(linear, column(exact, "linear"), ".2f", 100),
                      plus_minus(column(rows, "neighbours"), ".2f", 100),
                      plus_minus(column(rows, "r_off_per_pair"), ".4f"),
                      "" if form == "exact" else difference(column(rows, "r_off_per_pair"), column(exact, "r_off_per_pair"), ".4f"),
                      plus_minus(column(rows, "gradient_noise"), ".2f")] + costs)
    return table(["form", "weight", "seeds", "linear probe, %", "over exact", "k-NN, %", "R_off per pair", "over exact",
                  "noise of the gradient", "loss, ms", "share of the step, %", "memory, MiB"], lines)


def grid_table(results, n):
    """Of the first seed. Exact and signs keep the published weight, whatever the others would be worth."""
    lines = []
    for loss, title in LOSSES.items():
        for d in dimensions(results, "training"):
            rows = results.of("training", loss=loss, batch_size=n, dimension=d)
            others = results.of("other weight", loss=loss, batch_size=n, dimension=d)
            if not rows:
                continue
            seeds = collections.Counter(row["key"]["seed"] for row in rows)
            first_seed = max(seeds, key=seeds.get)  # the one that has the grid
            weights = collections.defaultdict(list)
            for row in rows + others:
                if row["key"]["seed"] == first_seed:
                    weights[row["form"]].append(row)
            for form, tried in weights.items():
                if len(tried) > 1:
                    taken = max((row for row in tried if row not in others), key=lambda row: row["validation"])
                    cells = [f"{row['key']['weight']:g}: {100 * row['validation']:.2f}, {row['r_off_per_pair']:.4f}"
                             + (" (taken)" if row is taken else "") for row in tried]
                    lines.append([title, str(d), form] + cells + [""] * (3 - len(cells)))
    return table(["loss", "d", "form"] + ["weight: accuracy on validation images, R_off per pair"] * 3, lines) if lines else None


def dimensions(results, part):
    return sorted({row["key"]["dimension"] for row in results.of(part)})


def equal_time_table(results):
    lines = []
    for loss, title in LOSSES.items():
        for d in dimensions(results, "equal time"):
            forms = chosen(results.of("equal time", loss=loss, dimension=d))
            for form, rows in forms.items():
                linear, exact = column(rows, "linear"), column(forms.get("exact", []), "linear")
                lines.append([title, str(d), form, str(rows[0]["key"]["steps"]), plus_minus(linear, ".2f", 100),
                              "" if form == "exact" else difference(linear, exact, ".2f", 100),
                              plus_minus(column(rows, "neighbours"), ".2f", 100),
                              plus_minus(column(rows, "r_off_per_pair"), ".4f")])
    return table(["loss", "d", "form", "steps", "linear probe, %", "over exact", "k-NN, %", "R_off per pair"], lines) if lines else None


def cost_table(results, loss):
    rows = results.of("cost", loss=loss)
    shapes = sorted({(row["key"]["batch_size"], row["key"]["dimension"]) for row in rows})
    forms = list(dict.fromkeys(row["form"] for row in rows))
    lines = []
    for form in forms:
        cells = []
        for n, d in shapes:
            cost = cost_of(results, loss, n, d, form)
            cells.append("" if cost is None else f"{cost['loss_ms']:.3g} ({100 * cost['loss_ms'] / cost['step_ms']:.0f} %), "
                         f"{cost['loss_memory'] / 2**20:.3g}")
        lines.append([form] + cells)
    network = []
    for n, d in shapes:
        steps = [cost["step_ms"] - cost["loss_ms"] for cost in rows
                 if (cost["key"]["batch_size"], cost["key"]["dimension"]) == (n, d)]
        network.append(f"{statistics.median(steps):.3g}")
    lines.append(["the rest of the step"] + network)
    return table(["form"] + [f"n = {n}, d = {d}" for n, d in shapes], lines)


def estimator_table(study):
    lines = []
    for row in study["estimators"]:
        even, predicted = row.get("even_deviation"), row.get("predicted_deviation")
        expected = row.get("predicted_mean")
        variance_time = (100 * row["deviation"]) ** 2 * row["milliseconds"]
        noise_time = row["gradient_noise"] ** 2 * row["milliseconds"]
        lines.append([row["name"],
                      f"{row['mean']:.4f}" + (f" ± {row['standard_error']:.4f}" if row["standard_error"] else "")
                      + (f" (theory: {expected:.4f})" if expected else ""),
                      f"{row['deviation']:.4f}" if row["deviation"] else "0",
                      f"{even:.4f}" if even else "", f"{predicted:.4f}" if predicted else "",
                      f"{row['gradient_along']:.3f}" + (f" ± {row['gradient_along_error']:.3f}" if row["gradient_along_error"] else ""),
                      f"{row['gradient_bias']:.2f}", f"{row['gradient_noise']:.2f}", f"{row['milliseconds']:.2f}",
                      f"{variance_time:.3g}" if row["deviation"] else "", f"{noise_time:.3g}" if row["gradient_noise"] else ""])
    return table(["estimate of R_off", "mean over R_off", "deviation of one", "if even", "by the lags' energies",
                  "gradient along the exact one", "gradient's bias", "gradient's noise", "ms",
                  "variance, %², times ms", "gradient's, times ms"], lines)


def leaving_table(results):
    """How many steps until R_off is half of what the plain form had left."""
    by_form = collections.defaultdict(list)
    for row in results.of("leaving"):
        by_form[row["form"]].append(row)
    lines = []
    for form, rows in by_form.items():
        steps = []
        for row in rows:
            start = row["curve"][0]["r_off_per_pair"]
            steps.append(next((point["step"] for point in row["curve"] if point["r_off_per_pair"] < start / 2), None))
        reached = [step for step in steps if step is not None]
        text = "never" if not reached else f"{min(reached)} to {max(reached)}"
        if reached and len(reached) < len(steps):
            text += f", never in {len(steps) - len(reached)} of {len(steps)}"
        lines.append([form, text] + [plus_minus([row["curve"][at]["r_off_per_pair"] for row in rows], ".3f") for at in (0, -1)]
                     + [plus_minus([100 * row["curve"][at]["copies"] for row in rows], ".0f") for at in (0, -1)]
                     + [plus_minus(column(rows, "linear"), ".2f", 100)])
    return table(["form", "steps to half of R_off", "R_off per pair: before", "after", "copies, %: before", "after",
                  "linear probe after, %"], lines) if lines else None


# Plots: a picture a claim, in the style of docs/performance.md.


def svg(target, width=1080, height=460):
    return [f"set terminal svg noenhanced size {width},{height} font 'sans,12' background 'white'", f"set output '{target}'", "set grid"]


def curves(panels, target, title, logscale_x=False):
    """panels: (heading, gnuplot settings, [(title, colour, dash, points)])."""
    script = svg(target) + (["set logscale x 2"] if logscale_x else [])
    script.append(f"set multiplot layout 1,{len(panels)} title '{title}' font ',14'")
    for number, (heading, settings, lines) in enumerate(panels):
        plots = []
        for i, (name, color, dash, points) in enumerate(lines):
            script.append(data_block(f"data{number}_{i}", points))
            plots.append(f"$data{number}_{i} using 1:2 with lines lw 2.5 dt {dash} lc rgb '{color}' title '{name}'")
        if plots:
            script += ["set key default; set key samplen 2", settings, f"set title '{heading}'", "plot " + ", ".join(plots)]
    gnuplot(script)


def mean_curve(rows, name):
    steps = [point["step"] for point in rows[0]["curve"]]
    return [(step, statistics.mean(row["curve"][i][name] for row in rows)) for i, step in enumerate(steps)]


def plot_minima(results, target):
    panels = []
    for part, heading in (("minima", "from the start"), ("leaving", "from where plain has ended")):
        forms = collections.defaultdict(list)
        for row in results.of(part):
            forms[row["form"]].append(row)
        lines = []
        for form, rows in forms.items():
            dash = 2 if form.startswith("permutation") else 1
            lines.append((form, COLORS.get(form, "#999999"), dash, mean_curve(rows, "r_off_per_pair")))
            if form == "plain":
                lines.append(("plain: R_sum, what it minimizes", COLORS[form], 3, mean_curve(rows, "r_sum_per_pair")))
        if lines:
            panels.append((heading, "set logscale y 10; set format y '%g'; set yrange [*:2]; set xlabel 'step'; set key below horizontal Left reverse", lines))
    if panels:
        curves(panels, target, "R_off per pair of features on held-out images, Barlow Twins, d = 2048")
    return bool(panels)


def plot_adversarial(results, target):
    panels = []
    for name, heading in (("plane", "all features in one plane"), ("copies", "all features copies of one, up to sign")):
        rows = results.of(f"adversarial {name}")
        lines = []
        for row in rows:
            dash = 2 if row["form"].startswith("permutation") else 1
            lines.append((row["form"], COLORS.get(row["form"], "#999999"), dash, mean_curve([row], "r_off_per_pair")))
            if row["form"] == "plain":
                lines.append(("plain: R_sum", COLORS["plain"], 3, mean_curve([row], "r_sum_per_pair")))
        if lines:
            panels.append((heading, "set logscale y 10; set format y '%g'; set yrange [*:2]; set xlabel 'step of gradient descent'; set key below horizontal Left reverse", lines))
    if panels:
        curves(panels, target, "R_off per pair, descended from near a case that plain does not see")
    return bool(panels)


def plot_costs(results, target):
    panels = []
    for d in dimensions(results, "cost"):
        sizes = sorted({row["key"]["batch_size"] for row in results.of("cost", loss="barlow_twins", dimension=d)})
        lines = []
        for form in ("exact", "permutation", "signs", "signs, b = 512"):
            points = [(n, 100 * cost["loss_ms"] / cost["step_ms"]) for n in sizes
                      if (cost := cost_of(results, "barlow_twins", n, d, form))]
            if points:
                lines.append((form, COLORS[form], 1, points))
        panels.append((f"d = {d}", "set yrange [0:100]; set xlabel 'batch size n'; set ylabel '% of a step'; set key below horizontal Left reverse", lines))
    if panels:
        curves(panels, target, "The share of a training step that the loss takes, Barlow Twins", logscale_x=True)
    return bool(panels)


def plot_noise(results, target):
    """Deviation of an estimate against its time: what a millisecond buys."""
    rows = results.of("estimator", loss="barlow_twins", regularizer="exact")
    if not rows:
        return False
    script = svg(target, 1080, 480) + ["set logscale xy 10", "set format xy '%g'", "set offsets graph 0.1, graph 0.1, graph 0.1, graph 0.1",
                                       "set xlabel 'ms for value and gradient, one thread'", "set key below horizontal Left reverse",
                                       "set multiplot layout 1,2 title 'Estimates of R_off at the end of training: noise against time' font ',14'"]
    points = [row for row in rows[0]["moments"]["end"]["estimators"] if "q = 1" not in row["name"]]
    for number, (name, heading) in enumerate((("deviation", "deviation of the value, over R_off"), ("gradient_noise", "noise of the gradient, over its norm"))):
        plots = []
        for i, row in enumerate(row for row in points if row[name] > 0):
            family = row["name"].split(",")[0]
            script.append(data_block(f"noise{number}_{i}", [(row["milliseconds"], row[name])]))
            shape = {"b = 512": 5, "b = 128": 9, "4 draws": 13, "k = 4": 7, "k = 16": 5, "k = 64": 9}.get(row["name"].rpartition(", ")[2], 7)
            plots.append(f"$noise{number}_{i} using 1:2 with points pt {shape} ps 1.2 lc rgb '{COLORS.get(family, '#999999')}' title '{row['name']}'")
        if plots:
            script += [f"set title '{heading}'", "plot " + ", ".join(plots)]
    gnuplot(script)
    return True


def plot_training(results, n, target):
    """Accuracy and R_off of every form, with their spread over the seeds."""
    sizes = dimensions(results, "training")
    if not sizes:
        return False
    script = svg(target, 1080, 760) + [f"set multiplot layout 2,{len(sizes)} title 'Barlow Twins, n = {n}: means and standard deviations over the seeds' font ',14'",
                                       "set key off", "set bmargin 8"]
    for name, heading, scale in (("linear", "linear probe, %", 100), ("r_off_per_pair", "R_off per pair", 1)):
        for d in sizes:
            forms = chosen(results.of("training", loss="barlow_twins", batch_size=n, dimension=d))
            lines = []
            for i, (form, rows) in enumerate(forms.items()):
                mean, spread = mean_and_spread([scale * row[name] for row in rows])
                lines.append(f"{i} {mean} {spread} \"{form}\"")
            block = f"$points_{name}_{d}"
            script += [f"{block} << EOD\n" + "\n".join(lines) + "\nEOD", f"set title '{heading}, d = {d}'", "set xtics rotate by -50 font ',9'",
                       "set logscale y 10; set format y '%g'" if name == "r_off_per_pair" else "unset logscale y",
                       f"set xrange [-1:{len(lines)}]",
                       f"plot {block} using 1:2:3:xticlabels(4) with yerrorbars pt 7 lw 2 lc rgb '#2166ac'"]
    gnuplot(script)
    return True


def section(title, *parts):
    parts = [part for part in parts if part]
    return [f"### {title}", ""] + (sum(([part, ""] for part in parts), []) if parts else ["Not run yet.", ""])


def picture(drawn, text, name):
    return f"![{text}]({name})" if drawn else None


def folded(title, content):
    """What most readers do not look for, behind its title."""
    return ["<details>", f"<summary>{title}</summary>", "", content, "", "</details>", ""]


def measured(results, folder, rows_of_study):
    key = results.rows[0]["key"]
    n = 256
    minutes = round(sum(row["seconds"] for row in results.rows) / 60)
    parts = [BEGIN, "", f"Data: {key['data']}, {key['training_images']} training images at most. {processor()}. "
             f"Rows: {len(results.rows)} of {rows_of_study}, made in {minutes // 60} h {minutes % 60} min.", ""]
    baselines = [(row["name"].split("/")[1], row) for row in results.rows if row["name"].startswith("baseline/")]
    if baselines:
        parts += [table(["without any training", "linear probe, %", "k-NN, %"],
                        [[name, f"{100 * row['linear']:.2f}", f"{100 * row['neighbours']:.2f}"] for name, row in baselines]), ""]
    parts += section("Accuracy at equal steps", picture(plot_training(results, n, folder / "evidence_training.svg"), "accuracy and R_off of every form", "evidence_training.svg"))
    for loss, title in LOSSES.items():
        for d in dimensions(results, "training"):
            shown = training_table(results, loss, n, d)
            if shown:
                steps = results.of("training", loss=loss, batch_size=n, dimension=d)[0]["key"]["steps"]
                parts += [f"#### {title}, d = {d}, n = {n}, {steps} steps", "", shown, ""]
    parts += section("The grids of weights", grid_table(results, n))
    parts += section("Accuracy at equal time, n = 1024", equal_time_table(results))
    parts += section("What a step costs", picture(plot_costs(results, folder / "evidence_costs.svg"), "the loss' share of a step", "evidence_costs.svg"))
    for loss, title in LOSSES.items():
        if results.of("cost", loss=loss):
            parts += [f"#### {title}: ms of the loss (share of the step), MiB of memory beyond inputs and gradients", "", cost_table(results, loss), ""]
    parts += section("What the estimates are worth", picture(plot_noise(results, folder / "evidence_noise.svg"), "noise against time", "evidence_noise.svg"))
    for row in results.of("estimator"):
        for moment in ("end", "start", "middle"):
            if moment in row["moments"]:
                study = row["moments"][moment]
                title = (f"{LOSSES[row['key']['loss']]}, trained with the {row['form']} form, {moment} (step {study['step']}): "
                         f"{study['images']} images, d = {study['features']}, {study['draws']} draws")
                shown = estimator_table(study)
                parts += [f"#### {title}", "", shown, ""] if moment == "end" else folded(title, shown)
    parts += section("Fully correlated features that plain does not see", picture(plot_adversarial(results, folder / "evidence_adversarial.svg"), "descent from adversarial cases", "evidence_adversarial.svg"))
    for name in ("plane", "copies"):
        for row in results.of(f"adversarial values {name}"):
            parts += [f"#### {name}, d = {row['features']}", "", estimator_table(row), ""]
    parts += section("Local minima", picture(plot_minima(results, folder / "evidence_minima.svg"), "R_off along the training", "evidence_minima.svg"), leaving_table(results))
    return "\n".join(parts + [END])


def main():
    results, page = Results(pathlib.Path(sys.argv[1])), pathlib.Path(sys.argv[2])
    text = page.read_text()
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    page.write_text(before + measured(results, page.parent, sys.argv[3]) + after)
    print(f"wrote {page}")


if __name__ == "__main__":
    main()
