"""Subjects measured in turns, and the ratios between them."""

import statistics

from . import load


UNITS = {"cpu_us": "µs", "p50_us": "µs", "ns": "ns"}


class Ratio:
    """A ratio of one subject's figure to another's, and the bound it is held to.

    at_most and at_least: one of them, or neither for a figure that is only reported.
    """

    def __init__(self, title, subject, reference, figure="cpu_us", at_most=None, at_least=None):
        self.title = title
        self.subject = subject
        self.reference = reference
        self.figure = figure
        self.at_most = at_most
        self.at_least = at_least

    def evaluate(self, rounds):
        """The median over rounds of the ratio within a round: what disturbs a round disturbs both of its sides."""
        values = [
            one[self.subject][self.figure] / one[self.reference][self.figure]
            for one in rounds
            if self.subject in one and self.reference in one and one[self.reference][self.figure] > 0
        ]
        if not values:
            return None
        return result(self.title, statistics.median(values), values, self.at_most, self.at_least)


def result(title, value, values, at_most=None, at_least=None, unit="×"):
    bound = f"≤ {at_most:g} {unit}" if at_most is not None else f"≥ {at_least:g} {unit}" if at_least is not None else ""
    return {
        "title": title,
        "value": value,
        "unit": unit,
        "spread": [min(values), max(values)],
        "bound": bound,
        "holds": (at_most is None or value <= at_most) and (at_least is None or value >= at_least),
    }


def alternate(subjects, rounds, measure, say, figure="cpu_us"):
    """Measures every subject once a round; each round begins with another one, so that none always follows the same.

    subjects: names to what `measure(name, subject)` takes.
    """
    names = list(subjects)
    results = []
    for number in range(rounds):
        turn = names[number % len(names):] + names[:number % len(names)]
        one = {}
        for name in turn:
            one[name] = measure(name, subjects[name])
        results.append(one)
        figures = ", ".join(f"{name} {one[name][figure]:.2f}" for name in names)
        say(f"round {number + 1} of {rounds}: {figures} {UNITS.get(figure, 'a second')}")
    return results


def summarize(rounds):
    """Medians of each subject."""
    names = {name for one in rounds for name in one}
    return {
        name: {
            figure: statistics.median(one[name][figure] for one in rounds if name in one)
            for figure in next(one[name] for one in rounds if name in one)
        }
        for name in sorted(names)
    }


def warm_up(subjects, path, headers=None):
    for server in subjects.values():
        load.wrk(server, path, load.WARM_UP_SECONDS, headers)


def outcome(case, rounds, ratios, notes):
    """What a report says of a case."""
    return {
        "name": case.name,
        "title": case.title,
        "subjects": summarize(rounds),
        "rounds": rounds,
        "ratios": [value for value in (ratio.evaluate(rounds) for ratio in ratios) if value],
        "notes": notes,
    }
