"""The table for people and the file for programs."""

import json
from pathlib import Path


def table(report):
    """Markdown: ratios first, then the figures behind them."""
    lines = [
        "# Benchmarks",
        "",
        f"Taken {report['taken']}, commit {report['commit']}, on {report['machine']['cores']} cores of "
        f"{report['machine']['cpu']}, {report['machine']['swift']}; {report['rounds']} rounds of {report['seconds']} s, "
        f"load average {report['machine']['load_average']} before. Only ratios are comparable between machines.",
        "",
        "| | measured | spread | bound | |",
        "|---|---:|---:|---:|---|",
    ]
    for case in report["cases"]:
        for ratio in case["ratios"]:
            low, high = ratio["spread"]
            verdict = "" if not ratio["bound"] else "holds" if ratio["holds"] else "**missed**"
            lines.append(
                f"| {ratio['title']} | {figure(ratio['value'], ratio['unit'])} | {figure(low, '')}–{figure(high, '')} "
                f"| {ratio['bound']} | {verdict} |"
            )
        if case.get("skipped"):
            lines.append(f"| {case['title']} | not measured: {case['skipped'].splitlines()[0]} | | | |")
    for case in report["cases"]:
        if not case["subjects"]:
            continue
        if all("ns" in values for values in case["subjects"].values()):
            lines += operations(case)
            continue
        lines += ["", f"## {case['title']}", "", "| | CPU µs a request | requests a second |", "|---|---:|---:|"]
        for name, values in sorted(case["subjects"].items(), key=lambda item: item[1].get("cpu_us", 0)):
            cpu = f"{values['cpu_us']:.2f}" if values.get("cpu_us") else "–"
            lines.append(f"| {name} | {cpu} | {values.get('rps', 0):,.0f} |")
        lines += [""] + [f"{note}" for note in case["notes"]]
    return "\n".join(lines).rstrip() + "\n"


def operations(case):
    """A case of single operations: what each costs on either side."""
    lines = ["", f"## {case['title']}", "", "| | CPU ns an operation |", "|---|---:|"]
    for name, values in sorted(case["subjects"].items()):
        lines.append(f"| {name} | {values['ns']:,.1f} |")
    return lines + [""] + [f"{note}" for note in case["notes"]]


def figure(value, unit):
    text = f"{value:.0f}" if abs(value) >= 100 else f"{value:.2f}" if abs(value) < 10 else f"{value:.1f}"
    return f"{text} {unit}".strip()


def save(report, folder):
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "latest.json").write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n")
    (folder / "latest.md").write_text(table(report))
